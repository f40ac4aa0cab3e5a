"""A number of units that is neither the level nor the last receipt."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np
import pandas as pd

from ml.text.detection import Finding, Judge
from ml.text.words import words_of

NUMBER = re.compile(r"(?:([^\W\d_]+)[ :.#-]{0,2})?(?<![\w.,])(\d{1,7})(?:x?)(?![\w]|[.,]\d)")
NONE = {"no", "none", "zero", "empty", "out"}
FIXED_SHARE, FIXED_TIMES = 0.5, 3  # aisle 12: a number that often follows the same word is part of a name or a place
JUDGES_REPEATS = True  # the text may be the same, but the level has changed
LARGEST = 10.0
TYPICAL = np.repeat([0.0, 1.5], [39, 1])


def fit(past: pd.DataFrame, seed: int) -> Judge:
    """See `Check`. The raw score is 1 + |ln((number + 1) / (units + 1))| of the number nearest to the level or receipt.

    It is 0 where a number equals one of them, and where no level is given.
    """
    pairs = Counter(
        (category, word, number)
        for category, text in zip(past["category"], past["folded"], strict=True)
        for word, number in NUMBER.findall(text)
    )
    words = Counter[tuple[str, str]]()
    for (category, word, _), times in pairs.items():
        words[category, word] += times

    def is_fixed(category: str, word: str, number: str) -> bool:
        times = pairs[category, word, number]
        return bool(word) and times >= FIXED_TIMES and times >= FIXED_SHARE * words[category, word]

    def judge(texts: pd.DataFrame) -> Finding:
        raw, said = np.zeros(len(texts)), [0] * len(texts)
        columns = ("category", "folded", "quantity", "units_in")
        for place, (category, text, level, receipt) in enumerate(zip(*(texts[name] for name in columns), strict=True)):
            says_none = level <= 0 and NONE & set(words_of(text))
            if np.isnan(level) or says_none:
                continue
            found = NUMBER.findall(text)
            true = {max(level, 0.0), *([receipt] if receipt > 0 else [])}
            if true & {float(number) for _, number in found}:
                continue
            counts = [int(number) for word, number in found if not is_fixed(category, word, number)]
            if counts:
                raw[place], said[place] = min(
                    (1 + abs(np.log((count + 1) / (value + 1))), count) for count in counts for value in true
                )
        level = texts["quantity"]
        return Finding(raw, lambda place: f"says {said[place]:,} where {level.iloc[place]:,.0f} were on hand")

    return judge
