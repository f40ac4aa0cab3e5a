"""Texts that fit another category better than their own."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ml.text.detection import Finding, Judge
from ml.text.printable import quoted

TEXTS_OF_A_CATEGORY = 20  # before the check knows a category
LARGEST = 8.0
TYPICAL = np.concatenate([np.zeros(30), np.linspace(0.2, 2, 10)])


def fit(past: pd.DataFrame, seed: int) -> Judge:
    """See `Check`. The raw score is ln of the likeliest category's probability over that of the given one."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import SGDClassifier
    from sklearn.pipeline import make_pipeline, make_union

    sizes = past["category"].value_counts()
    taught = past[past["category"].isin(sizes.index[sizes >= TEXTS_OF_A_CATEGORY])]
    if taught["category"].nunique() < 2:
        return _silent
    model = make_pipeline(
        make_union(
            TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 4), min_df=2, sublinear_tf=True),
            TfidfVectorizer(token_pattern=r"[^\W\d_]+", min_df=2, sublinear_tf=True),
        ),
        SGDClassifier(loss="log_loss", alpha=1e-5, random_state=seed, max_iter=10, tol=None),
    )
    try:
        model.fit(taught["folded"], taught["category"])
    except ValueError:  # no two texts share a word, since all are numbers
        return _silent
    places = {category: place for place, category in enumerate(model.classes_)}

    def judge(texts: pd.DataFrame) -> Finding:
        chances = np.log(np.clip(model.predict_proba(texts["folded"]), 1e-4, 1))
        best = chances.argmax(axis=1)
        given = texts["category"].map(places)
        known = given.notna().to_numpy()
        own = chances[np.arange(len(texts)), given.fillna(0).astype(int)]
        raw = np.where(known, chances.max(axis=1) - own, 0.0)

        def reason(place: int) -> str:
            return f"speaks of {quoted(model.classes_[best[place]])}, not of {quoted(texts['category'].iloc[place])}"

        return Finding(raw, reason)

    return judge


def _silent(texts: pd.DataFrame) -> Finding:
    return Finding(np.full(len(texts), np.nan), lambda place: "")
