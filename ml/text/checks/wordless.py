"""Texts without a word or number: empty, or nothing but question marks."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ml.text.detection import Finding, Judge

LARGEST = 9.0
TYPICAL = np.zeros(40)


def fit(_: pd.DataFrame, seed: int) -> Judge:
    """See `Check`. The raw score is 1 or 0."""

    def judge(texts: pd.DataFrame) -> Finding:
        raw = (~texts["folded"].str.contains(r"[^\W_]")).to_numpy(float)
        return Finding(raw, lambda place: "says nothing" if texts["folded"].iloc[place] else "is empty")

    return judge
