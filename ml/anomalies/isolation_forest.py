"""Isolation Forest over the features of a series' own past (Liu, Ting and Zhou, 2008)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from ml.anomalies.detection import detect_in_blocks

METHOD = "isolation_forest"
TRAINING_ROWS = 50_000


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

        random = np.random.default_rng(seed)
        sample = past if len(past) <= TRAINING_ROWS else past[random.choice(len(past), TRAINING_ROWS, replace=False)]
        forest = IsolationForest(n_estimators=100, max_samples=512, random_state=seed).fit(sample)
        return lambda features: -forest.score_samples(features)

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
