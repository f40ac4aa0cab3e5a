"""The text of another product: pasted, or typed into the wrong line."""

from __future__ import annotations

import numpy as np
import pandas as pd
from rapidfuzz import fuzz, process

from ml.text.detection import Finding, Judge
from ml.text.printable import quoted

RECENT = 50  # earlier texts that the clipboard may still hold
ALIKE = 97  # per cent
LONG = 12  # letters from which two texts are not alike by chance
LARGEST = 7.0
TYPICAL = np.repeat([0.0, 1.0], [39, 1])


def fit(past: pd.DataFrame, seed: int) -> Judge:
    """See `Check`. The raw score is 1 for a text that another product, and not this one, has had."""
    products = list(zip(past["product"], past["product_id"], strict=True))
    owners = dict(zip(past["folded"], products, strict=True))
    latest = list(zip(past["folded"], products, strict=True))[-RECENT:]

    def judge(texts: pd.DataFrame) -> Finding:
        before, sources = list(latest), list[str]()
        seen = dict(owners)
        asked = zip(texts["product"], texts["product_id"], strict=True)
        for text, product in zip(texts["folded"], asked, strict=True):
            source = None
            if len(text) >= LONG:
                source = seen.get(text)
                if source is None:
                    others = [other for other, _ in before]
                    near = process.extractOne(text, others, scorer=fuzz.ratio, score_cutoff=ALIKE)
                    source = before[near[2]][1] if near else None
            sources.append(source[1] if source and source[0] != product[0] else "")
            seen.setdefault(text, product)
            before = [*before[1 - RECENT :], (text, product)]
        raw = np.array([float(source != "") for source in sources])
        return Finding(raw, lambda place: f"is the text of another product ({quoted(sources[place])})")

    return judge
