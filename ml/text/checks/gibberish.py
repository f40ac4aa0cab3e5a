"""Sequences of letters that the shop's language does not have: keys hit at random, or a broken text."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from ml.text.detection import Finding, Judge
from ml.text.words import COMMON_ENGLISH

ORDER = 4  # letters in the longest sequence that is counted
CONFIDENCE = 4.0  # how often a sequence must be seen to count as much as the shorter one within it
TABLE = 1 << 20
WINDOW = 10  # letters; one typo is no gibberish
PRIME = 1_000_003
SPACE, DIGIT = 32, 48
LARGEST = 7.0
TYPICAL = np.linspace(1.5, 4.8, 40)


def fit(past: pd.DataFrame, seed: int) -> Judge:
    """See `Check`. The raw score is the highest mean surprise of ten letters in a row, in nats a letter."""
    codes, _ = _encoded([COMMON_ENGLISH, *past["folded"]])
    counts = [np.bincount(hashes, minlength=TABLE) for hashes in _hashed(codes)]

    def judge(texts: pd.DataFrame) -> Finding:
        codes, owners = _encoded(texts["folded"])
        hashes = _hashed(codes)
        chance = np.full(len(codes), 1 / 64)
        for shorter, longer, seen_before, seen in zip(hashes, hashes[1:], counts, counts[1:], strict=False):
            begun = seen_before[np.roll(shorter, 1)]
            chance = (seen[longer] + CONFIDENCE * chance) / (begun + CONFIDENCE)
        nats = np.where(codes == SPACE, 0.0, -np.log(chance))
        sums = np.cumsum(nats)
        means = (sums[WINDOW:] - sums[:-WINDOW]) / WINDOW
        raw = np.zeros(len(texts))
        # a window that ends at a letter reaches no earlier text, since spaces precede each text
        ends = np.flatnonzero(codes != SPACE)
        np.maximum.at(raw, owners[ends], means[ends - WINDOW])
        return Finding(raw, lambda place: "reads like random keys or another language")

    return judge


def _encoded(texts: Iterable[str]) -> tuple[np.ndarray, np.ndarray]:
    """The letters of all texts as codes up to 255, and the text that each belongs to.

    All digits have one code. Spaces precede each text, so that no window reaches into the text before.
    """
    padded = [" " * WINDOW + text for text in texts]
    codes = np.frombuffer("".join(padded).encode("utf-32-le", "replace"), dtype=np.uint32).astype(np.int64)
    codes = np.where((codes >= DIGIT) & (codes < DIGIT + 10), DIGIT, codes)
    codes = np.where(codes < 128, codes, 128 + codes % 128)
    return codes, np.repeat(np.arange(len(padded)), [len(text) for text in padded])


def _hashed(codes: np.ndarray) -> list[np.ndarray]:
    """For sequences of 0, 1, ... ORDER letters: the hash, a place in a table of counts, of the one that ends at each
    letter."""
    hashes = [np.zeros(len(codes), dtype=np.int64)]
    for back in range(ORDER):
        hashes.append((hashes[-1] * PRIME + np.roll(codes, back) + 1) % TABLE)
    return hashes
