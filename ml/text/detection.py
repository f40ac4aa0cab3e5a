"""What all text checks share: blocks, each judged by the texts before it; evidence that adds up; reasons."""

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
BLOCK_GROWTH = 1.4  # the longer the past, the less one more text changes it
PAST_TEXTS = 20_000  # the newest ones, from which checks learn
USUAL = 1.5  # nats of a check that are no evidence: one text in five reaches them
PRIOR = 7.0  # nats that evidence must outweigh: one text in a thousand is an anomaly
RULE = 13.0  # nats of a broken rule: rules are hardly ever wrong
FLAGRANT = 11.0  # nats from which a text is surely an anomaly, and calibrates nothing
LONGEST_REASON = 300  # letters
REASONS = 3  # as many as a manager reads
REASON_SHARE = 0.4  # of the strongest reason: weaker ones only make the text longer
HABIT_TIMES, HABIT_SHARE = 5, 0.6  # a text that a product mostly had is its name, whatever it looks like
ODD_TIMES, USUAL_SHARE = 3, 0.4  # if most texts of a product alert, the product is unlike the others, not wrong


class Rule(Protocol):
    """Says what is wrong with a text by itself, without quoting it; None where nothing is wrong."""

    def __call__(self, text: str) -> str | None: ...


class Finding(NamedTuple):
    """Raw scores, one per text: the higher, the odder; 0 where nothing is odd, NaN while the check knows too little.
    `reason` takes a text's place among those judged. A reason shows no contact details."""

    raw: np.ndarray
    reason: Callable[[int], str]


# from texts (the columns of `read_notes`, and `folded` and `product`: the note and the product_id, folded) to a finding
Judge = Callable[[pd.DataFrame], Finding]


class Check(Protocol):
    """Learns what is usual from earlier texts (columns as for a judge, oldest first, maybe none), alerts left out.
    Returns a judge of later texts, which judges none by a text after it. The same texts and seed give the same scores.

    Its file also has `TYPICAL`, raw scores of texts of other shops, which calibrate until the shop has its own, and
    `LARGEST`, the most nats that the check may give. `JUDGES_REPEATS` marks a check that may find a text wrong today
    which the product had before.
    """

    def __call__(self, past: pd.DataFrame, seed: int) -> Judge: ...


def detect_text(notes: pd.DataFrame, *, seed: int, cache_dir: Path | None = None) -> pd.DataFrame:
    """Find the texts that do not belong to their product, its category or the shop.

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
    check_files = load(checks, names_of(checks))
    judges_repeats = np.array([hasattr(file, "JUDGES_REPEATS") for file in check_files.values()])
    broken = _broken_rules(texts["note"], load(rules, names_of(rules)))
    is_habit = _habits(texts)
    evidence, distances = np.zeros(len(texts)), np.full(len(texts), np.nan)
    is_new, reasons = np.zeros(len(texts), dtype=bool), np.full(len(texts), "", dtype=object)
    earlier = History()

    for start, end in _blocks(len(texts)):
        block, before, alerted = texts.iloc[start:end], texts.iloc[:start], evidence[:start] >= PRIOR
        past = before[is_new[:start] & (~alerted | _of_odd_products(before["product"], alerted))][-PAST_TEXTS:]
        findings, nats = _checked(
            check_files, block, past, before[is_new[:start] & (evidence[:start] < FLAGRANT)], seed
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
            if latest is not None:
                distances[row] = earlier.distance(product, text)
            parts, unlike = nats[place], 0.0
            if not is_new[row] or is_habit[row]:
                parts = parts * judges_repeats
            elif latest is not None:
                unlike = float(_weighed(history.evidence(distances[row : row + 1], unlikeness))[0])
            evidence[row] = parts.sum() + unlike + RULE * len(broken[note])
            if evidence[row] < PRIOR:
                earlier.add(product, text)
                continue
            weighed = [(part, finding.reason(place)) for part, finding in zip(parts, findings, strict=True) if part > 0]
            if unlike > 0:
                weighed.append((unlike, f"is unlike earlier texts of this product (the last: {quoted(latest or '')})"))
            # what breaks a rule may be private, so no check quotes it
            reasons[row] = "; ".join(broken[note] or _strongest(weighed))[:LONGEST_REASON]
    return pd.DataFrame(
        {
            "note_id": texts["note_id"],
            "method": METHOD,
            "score": 1 / (1 + np.exp(PRIOR - evidence)),
            "alert": evidence >= PRIOR,
            "reason": reasons,
        }
    )[TEXT_DETECTION_COLUMNS]


def _checked(
    files: dict[str, ModuleType], block: pd.DataFrame, past: pd.DataFrame, calibrating: pd.DataFrame, seed: int
) -> tuple[list[Finding], np.ndarray]:
    """What each check finds in a block, and its weight in nats (texts by checks).

    A check is calibrated by how it, fitted on the older half of the past, scores the texts since then.
    """
    older = past[: len(past) // 2]
    newer = calibrating.loc[older.index.max() + 1 if len(older) else 0 :]
    findings = [file.fit(past, seed)(block) for file in files.values()]
    nats = [
        _weighed(calibrated(np.append(file.TYPICAL, file.fit(older, seed)(newer).raw), file.LARGEST)(finding.raw))
        for file, finding in zip(files.values(), findings, strict=True)
    ]
    return findings, np.column_stack(nats)


def _strongest(weighed: list[tuple[float, str]]) -> list[str]:
    """The reasons that weigh most, strongest first."""
    by_weight = sorted(weighed, key=lambda each: -each[0])[:REASONS]
    return [reason for part, reason in by_weight if part >= REASON_SHARE * by_weight[0][0]]


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
    """Which texts their product had most of the time before."""
    before = texts.groupby("product").cumcount()
    alike = texts.groupby(["product", "folded"]).cumcount()
    return ((alike >= HABIT_TIMES) & (alike >= HABIT_SHARE * before)).to_numpy()


def _of_odd_products(products: pd.Series, alerted: np.ndarray) -> np.ndarray:
    """Which texts belong to products most of whose texts alert."""
    alerts = pd.Series(alerted, products.index).groupby(products)
    return ((alerts.transform("size") >= ODD_TIMES) & (1 - alerts.transform("mean") <= USUAL_SHARE)).to_numpy(bool)
