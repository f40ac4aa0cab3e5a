"""Isolation Forest over the features of a series' own past (Liu, Ting and Zhou, 2008)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from ml.anomalies.detection import detect_in_blocks

METHOD = "isolation_forest"
TREES = 100
TREE_ROWS = 4096  # what lies beyond the rows of a tree looks all the same to it, and anomalies are few in a thousand
FURTHEST = 4


def detect(
    panel: pd.DataFrame,
    *,
    season: int,
    seed: int,
    alert_budget: float,
    freq: str = "D",
    train_end: pd.Timestamp | None = None,
    all_rows: bool = False,
) -> pd.DataFrame:
    """Find the values of a panel that are unlike their series.

    `panel`: `unique_id, ds, y`. `alert_budget`: false alerts per series and week that are tolerated. Returns the
    detection frame `unique_id, ds, method, score, alert, kind, driver, observed, expected`: its alerts, or every row
    with `all_rows`; the score is 0 to 1 (0: too early to tell), observed and expected are in units of y. Causal, and
    bit-identical for the same arguments. Raises ValueError for a panel that breaks its contract.
    """

    def fit(past: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        from sklearn.ensemble import IsolationForest

        forest = IsolationForest(n_estimators=TREES, max_samples=min(TREE_ROWS, len(past)), random_state=seed)
        forest.fit(_furthest(past))
        return lambda features: -forest.score_samples(_furthest(features))

    return detect_in_blocks(
        panel,
        method=METHOD,
        fit=fit,
        season=season,
        freq=freq,
        alert_budget=alert_budget,
        train_end=train_end,
        all_rows=all_rows,
    )


def _furthest(features: np.ndarray) -> np.ndarray:
    """How far out the furthest few features of each row are, furthest first, in logarithms.

    Given the features as they are, a forest overlooks a value that is far out in one of them alone: a random tree
    rarely splits on that one before it runs out of rows.
    """
    return np.log1p(-np.sort(-np.abs(features), axis=1)[:, :FURTHEST])
