"""Texts in capitals or small letters where the shop's other texts are not."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from ml.text.detection import Finding, Judge

WORD = re.compile(r"(?<!\d)\b[^\W\d_]+\b(?!\d)")  # not the letters of 45x30cm
SMOOTHING = 2.0
WORDS = {
    "lower": "in small letters",
    "upper": "in capitals",
    "sentence": "as a sentence",
    "mixed": "in mixed letters",
    "none": "without letters",
}
LARGEST = 5.0
TYPICAL = np.repeat([0.2, 1.5, 3.0], [28, 10, 2])


def fit(past: pd.DataFrame, seed: int) -> Judge:
    """See `Check`. The raw score is -ln of the share of texts in the same style, 0 for the most frequent one."""
    counts = past["note"].map(_style).value_counts()
    rates = (counts.reindex(list(WORDS), fill_value=0) + SMOOTHING) / (len(past) + SMOOTHING * len(WORDS))

    def judge(texts: pd.DataFrame) -> Finding:
        styles = texts["note"].map(_style)
        raw = -np.log(styles.map(rates).to_numpy(float)) if len(past) else np.zeros(len(texts))
        raw[(styles == rates.idxmax()).to_numpy()] = 0.0
        usual = WORDS[str(rates.idxmax())]
        return Finding(raw, lambda place: f"is written {WORDS[styles.iloc[place]]}, where others are {usual}")

    return judge


def _style(text: str) -> str:
    letters = [letter for word in WORD.findall(text) for letter in word]
    capitals = sum(map(str.isupper, letters))
    if not letters:
        return "none"
    if capitals >= 0.9 * len(letters):
        return "upper"
    if capitals == 0:
        return "lower"
    return "sentence" if capitals <= max(1, len(letters) // 8) else "mixed"
