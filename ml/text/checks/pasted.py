"""The text of another product: pasted, or typed into the wrong line."""

from __future__ import annotations

import numpy as np
import pandas as pd
from rapidfuzz import fuzz, process

from ml.text.detection import Finding, Judge
from ml.text.printable import quoted

RECENT = 50  # texts before that the clipboard may still hold
ALIKE = 97  # per cent
LONG = 12  # letters from which on two texts are not alike by chance
LARGEST = 7.0
TYPICAL = np.repeat([0.0, 1.0], [39, 1])


def fit(past: pd.DataFrame, seed: int) -> Judge:
    """See `Check`. The raw score is 1 for a text that another product, and not this one, has had."""
    owners = dict(zip(past["folded"], past["product"], strict=True))
    latest = list(zip(past["folded"], past["product"], strict=True))[-RECENT:]

    def judge(texts: pd.DataFrame) -> Finding:
        before, sources = list(latest), list[str | None]()
        seen = dict(owners)
        for text, product in zip(texts["folded"], texts["product"], strict=True):
            source = None
            if len(text) >= LONG:
                source = seen.get(text)
                if source is None:
                    others = [other for other, _ in before]
                    near = process.extractOne(text, others, scorer=fuzz.ratio, score_cutoff=ALIKE)
                    source = before[near[2]][1] if near else None
            sources.append(None if source == product else source)
            seen.setdefault(text, product)
            before = [*before[1 - RECENT :], (text, product)]
        raw = np.array([float(source is not None) for source in sources])
        return Finding(raw, lambda place: f"is the text of {quoted(sources[place] or '')}")

    return judge
