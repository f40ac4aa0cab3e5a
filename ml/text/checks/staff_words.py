"""Remarks on stock (damaged, lost, wrong code) in a shop whose texts rarely hold any."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd
from rapidfuzz import fuzz, process

from ml.text.detection import Finding, Judge
from ml.text.words import STAFF_WORDS, words_of

KINDS = {word: kind for kind, words in STAFF_WORDS.items() for word in words.split()}
USUAL_TEXTS = 100
# of clean texts of other shops that hold a given word of the kind
USUAL_SHARES = {
    "damage": 0.02,
    "a disaster": 0.001,
    "missing stock": 0.01,
    "theft": 0.001,
    "a recall": 0.001,
    "a correction": 0.03,
}
LONG, ALIKE = 7, 85  # a word of so many letters may be misspelt: it counts where it is so alike (per cent)
LARGEST = 9.0
TYPICAL = np.concatenate([np.zeros(60), np.linspace(0.5, 3.2, 20)])


def fit(past: pd.DataFrame, seed: int) -> Judge:
    """See `Check`. The raw score is -ln of the share of texts with the rarest such word, times the share of the text
    that such words make up."""
    counts = Counter(word for text in past["folded"] for word in set(words_of(text)))
    texts_seen = len(past) + USUAL_TEXTS
    spellings: dict[str, str | None] = {}

    def usual_share(word: str) -> float:
        """Share of texts that hold the word; higher where other words of its kind are frequent."""
        kind = KINDS[word]
        by_word = counts[word] + USUAL_SHARES[kind] * USUAL_TEXTS
        by_kind = sum(counts[other] for other in STAFF_WORDS[kind].split()) + USUAL_SHARES[kind] * USUAL_TEXTS
        return float(np.sqrt(by_word * by_kind)) / texts_seen

    def known(word: str) -> str | None:
        if word not in spellings:
            near = word
            if word not in KINDS and word not in counts and len(word) >= LONG:
                match = process.extractOne(word, KINDS, scorer=fuzz.ratio, score_cutoff=ALIKE)
                near = match[0] if match else word
            spellings[word] = near if near in KINDS else None
        return spellings[word]

    remarking = sum(any(known(word) for word in words_of(text)) for text in past["folded"])
    custom = min(1.0, 4 * remarking / texts_seen)

    def judge(texts: pd.DataFrame) -> Finding:
        words = [words_of(text) for text in texts["folded"]]
        remarks = [[word for word in each if known(word)] for each in words]
        raw = np.zeros(len(texts))
        for place, (each, staff) in enumerate(zip(words, remarks, strict=True)):
            if staff:
                share = max(len(staff) / len(each), custom)
                raw[place] = -np.log(min(usual_share(known(word) or "") for word in staff)) * (0.4 + 0.6 * share)

        def reason(place: int) -> str:
            kinds = sorted({KINDS[known(word) or ""] for word in remarks[place]})
            return f"mentions {' and '.join(kinds)} ({', '.join(dict.fromkeys(remarks[place]))[:40]})"

        return Finding(raw, reason)

    return judge
