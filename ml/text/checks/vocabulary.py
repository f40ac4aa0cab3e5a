"""Words that the shop has never written: another language, or another subject."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ml.text.detection import Finding, Judge
from ml.text.words import COMMON_ENGLISH, words_of

SHORT_TEXT = 4.0  # letters added to each text: an unknown word of a short text counts less
LARGEST = 5.0
TYPICAL = np.linspace(0.02, 0.95, 40)


def fit(past: pd.DataFrame, seed: int) -> Judge:
    """See `Check`. The raw score is the share of letters in unknown words."""
    known = set(words_of(COMMON_ENGLISH)).union(*map(words_of, past["folded"]))

    def judge(texts: pd.DataFrame) -> Finding:
        unknown = [[word for word in words_of(text) if word not in known] for text in texts["folded"]]
        letters = [sum(map(len, words_of(text))) for text in texts["folded"]]
        raw = np.array(
            [sum(map(len, words)) / (count + SHORT_TEXT) for words, count in zip(unknown, letters, strict=True)]
        )

        def reason(place: int) -> str:
            return f"uses words that nobody here has used: {', '.join(word[:20] for word in unknown[place][:3])}"

        return Finding(raw, reason)

    return judge
