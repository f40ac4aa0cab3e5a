"""What all text checks share: blocks, each judged by what came before it; evidence that adds up; reasons."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import NamedTuple, Protocol

import numpy as np
import pandas as pd

from ml.cache import cached
from ml.frames import TEXT_DETECTION_COLUMNS, read_notes
from ml.registry import load, names_of
from ml.text import history
from ml.text.calibration import calibrated
from ml.text.history import History
from ml.text.printable import quoted
from ml.text.rules.contact_details import masked
from ml.text.words import folded

METHOD = "text"
CODE = Path(__file__).parent
LIBRARIES = ("ftfy", "numpy", "pandas", "rapidfuzz", "scikit-learn")
FIRST_BLOCK = 40
BLOCK_GROWTH = 1.4  # the longer the past, the less a further text tells
PAST_TEXTS = 20_000  # the newest that are learned from
USUAL = 1.5  # nats of a check: what one text in five reaches says nothing
PRIOR = 7.0  # nats against a text before it is looked at: one in a thousand is an anomaly
RULE = 13.0  # nats of a broken rule, which is hardly ever wrong
FLAGRANT = 11.0  # nats from which on a text is an anomaly for sure, and calibrates nothing
LONGEST_REASON = 300  # letters
REASONS = 3  # that a manager reads
SAID_SHARE = 0.4  # of the strongest reason: weaker ones only make the text longer
HABIT_TIMES, HABIT_SHARE = 5, 0.6  # what a product was mostly called is its name, whatever it looks like
ODD_TIMES, USUAL_SHARE = 3, 0.4  # a product most of whose texts alert is unlike the others, and nothing is wrong


class Rule(Protocol):
    """Says what is wrong with a text by itself, in words that quote nothing of it; None where nothing is."""

    def __call__(self, text: str) -> str | None: ...


class Finding(NamedTuple):
    """Raw scores, one a text, the higher the odder, 0 where there is nothing to say and NaN where it is too early; and
    the reason for a text, by its place among those judged. A reason shows no contact details."""

    raw: np.ndarray
    reason: Callable[[int], str]


# texts (the columns of `read_notes`, and note and product_id `folded`: `folded`, `product`) to a finding
Judge = Callable[[pd.DataFrame], Finding]


class Check(Protocol):
    """Learns what is usual from earlier texts (columns as for a judge, oldest first, maybe none), alerts left out.
    Returns what judges others, none by a later one. The same texts and seed give the same scores.

    Beside it stand `TYPICAL`, raw scores of texts of other shops, which calibrate until the shop has its own, and
    `LARGEST`, the most nats that the check may give. `JUDGES_REPEATS` says that a text which the product
    had before may be wrong today.
    """

    def __call__(self, past: pd.DataFrame, seed: int) -> Judge: ...


def detect_text(notes: pd.DataFrame, *, seed: int, cache_dir: Path | None = None) -> pd.DataFrame:
    """Find the texts that do not belong where they stand.

    `notes`: see `read_notes`, in time order. Returns the text detection frame `note_id, method, score, alert, reason`,
    a row for each note. The score is the probability that the text is an anomaly; from 0.5 on it alerts and has a
    reason, else the reason is empty. Causal, and bit-identical for the same arguments. Raises ValueError for notes that
    break their contract.
    """
    texts = read_notes(notes)
    return cached(cache_dir, (seed,), [texts], lambda: _detect(texts, seed), code=CODE, libraries=LIBRARIES)


def _detect(texts: pd.DataFrame, seed: int) -> pd.DataFrame:
    from ml.text import checks, rules

    texts["product"] = texts["product_id"].map(folded)
    texts["folded"] = texts["note"].map(masked).map(folded)
    learned = load(checks, names_of(checks))
    broken = _broken_rules(texts["note"], load(rules, names_of(rules)))
    is_habit = _habits(texts)
    judges_repeats = np.array([hasattr(file, "JUDGES_REPEATS") for file in learned.values()])
    evidence, distances = np.zeros(len(texts)), np.full(len(texts), np.nan)
    is_new, reasons = np.zeros(len(texts), dtype=bool), np.full(len(texts), "", dtype=object)
    earlier = History()

    for start, end in _blocks(len(texts)):
        block, before, alerted = texts.iloc[start:end], texts.iloc[:start], evidence[:start] >= PRIOR
        past = before[is_new[:start] & (~alerted | _of_odd_products(before["product"], alerted))][-PAST_TEXTS:]
        # what judges the newer half of the past is fitted on the older one
        older = past[: len(past) // 2]
        newer = before[is_new[:start] & (evidence[:start] < FLAGRANT)].loc[older.index.max() + 1 if len(older) else 0 :]
        found = [file.fit(past, seed)(block) for file in learned.values()]
        nats = np.column_stack(
            [
                _weighed(calibrated(np.append(file.TYPICAL, file.fit(older, seed)(newer).raw), file.LARGEST)(each.raw))
                for file, each in zip(learned.values(), found, strict=True)
            ]
        )
        usual_distances = distances[:start][~alerted & ~np.isnan(distances[:start])][-PAST_TEXTS:]
        unlikeness = calibrated(np.append(history.TYPICAL, usual_distances), history.LARGEST)
        earlier.weigh(past)
        for place, (product, text, note) in enumerate(
            zip(block["product"], block["folded"], block["note"], strict=True)
        ):
            row = start + place
            is_new[row] = not earlier.knows(product, text)
            latest = earlier.latest(product)
            parts = nats[place]
            unlike = 0.0
            if latest is not None:
                distances[row] = earlier.distance(product, text)
            if not is_new[row] or is_habit[row]:
                parts = parts * judges_repeats
            elif latest is not None:
                unlike = float(_weighed(history.evidence(distances[row : row + 1], unlikeness))[0])
            evidence[row] = parts.sum() + unlike + RULE * len(broken[note])
            if evidence[row] < PRIOR:
                earlier.add(product, text)
                continue
            said = [(part, each.reason(place)) for part, each in zip(parts, found, strict=True) if part > 0]
            said += (
                [(unlike, f"is unlike earlier texts of this product (the last: {quoted(latest or '')})")]
                if unlike > 0
                else []
            )
            # what breaks a rule may be private, so nothing more is said of it
            said.sort(key=lambda each: -each[0])
            strongest = [reason for part, reason in said[:REASONS] if part >= SAID_SHARE * said[0][0]]
            reasons[row] = "; ".join(broken[note] or strongest)[:LONGEST_REASON]
    return pd.DataFrame(
        {
            "note_id": texts["note_id"],
            "method": METHOD,
            "score": 1 / (1 + np.exp(PRIOR - evidence)),
            "alert": evidence >= PRIOR,
            "reason": reasons,
        }
    )[TEXT_DETECTION_COLUMNS]


def _blocks(length: int) -> Iterator[tuple[int, int]]:
    start, end = 0, FIRST_BLOCK
    while start < length:
        yield start, min(end, length)
        start, end = end, round(end * BLOCK_GROWTH)


def _weighed(nats: np.ndarray) -> np.ndarray:
    return np.maximum(nats - USUAL, 0)


def _broken_rules(notes: pd.Series, rules: dict[str, ModuleType]) -> dict[str, list[str]]:
    """What the rules say of each text."""
    return {note: [said for rule in rules.values() if (said := rule.find(note))] for note in set(notes)}


def _habits(texts: pd.DataFrame) -> np.ndarray:
    """Which texts are most of what their product was called before."""
    before = texts.groupby("product").cumcount()
    alike = texts.groupby(["product", "folded"]).cumcount()
    return ((alike >= HABIT_TIMES) & (alike >= HABIT_SHARE * before)).to_numpy()


def _of_odd_products(products: pd.Series, alerted: np.ndarray) -> np.ndarray:
    """Which texts are of products most of whose texts alert."""
    alerts = pd.Series(alerted, products.index).groupby(products)
    return ((alerts.transform("size") >= ODD_TIMES) & (1 - alerts.transform("mean") <= USUAL_SHARE)).to_numpy(bool)
