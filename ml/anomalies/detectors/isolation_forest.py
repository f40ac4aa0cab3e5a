"""Isolation Forest over the signs (Liu, Ting and Zhou, 2008): finds values whose furthest signs are unusual together.

It learns from simulated clean demand. So the anomalies of a panel never look usual to it, and no series changes
another's scores.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from ml.anomalies.clean_demand import clean_innovations
from ml.anomalies.detection import WARM_UP, Score
from ml.anomalies.innovations import Innovations
from ml.anomalies.signs import OF_EXPECTATION

TREES = 100
TREE_ROWS = 4096  # a tree cannot tell apart what lies beyond its rows, and few values in a thousand lie far out


def fit(_: Innovations, seed: int) -> Score:
    """See `Detector`. The score is 0 to 1."""
    return _forest(seed)


@cache
def _forest(seed: int) -> Score:
    from sklearn.ensemble import IsolationForest

    clean = clean_innovations()
    forest = IsolationForest(n_estimators=TREES, max_samples=TREE_ROWS, random_state=seed)
    forest.fit(_furthest_two(clean)[clean.seen >= WARM_UP])

    def score(innovations: Innovations) -> np.ndarray:
        rows = _furthest_two(innovations)
        return -forest.score_samples(rows.reshape(-1, rows.shape[-1])).reshape(rows.shape[:2])

    return score


def _furthest_two(innovations: Innovations) -> np.ndarray:
    """How far out the two signs of each value are that are furthest out, in logarithms.

    A forest over all signs overlooks a value that is far out in only one of them: a random tree rarely splits on that
    sign before it runs out of rows.
    """
    furthest: np.ndarray = -np.sort(-np.abs(innovations.signs[..., : len(OF_EXPECTATION)]), axis=-1)[..., :2]
    return np.log1p(furthest)
