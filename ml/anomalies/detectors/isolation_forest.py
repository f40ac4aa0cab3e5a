"""Isolation Forest over the features of a series' own past (Liu, Ting and Zhou, 2008)."""

from __future__ import annotations

import numpy as np

from ml.anomalies.detection import Score

TREES = 100
TREE_ROWS = 4096  # what lies beyond the rows of a tree looks all the same to it, and anomalies are few in a thousand
FURTHEST = 4


def fit(past: np.ndarray, seed: int) -> Score:
    """See `Detector`. The score is 0 to 1."""
    from sklearn.ensemble import IsolationForest

    forest = IsolationForest(n_estimators=TREES, max_samples=min(TREE_ROWS, len(past)), random_state=seed)
    forest.fit(_furthest(past))
    return lambda features: -forest.score_samples(_furthest(features))


def _furthest(features: np.ndarray) -> np.ndarray:
    """How far out the furthest few features of each row are, furthest first, in logarithms.

    Given the features as they are, a forest overlooks a value that is far out in one of them alone: a random tree
    rarely splits on that one before it runs out of rows.
    """
    return np.log1p(-np.sort(-np.abs(features), axis=1)[:, :FURTHEST])
