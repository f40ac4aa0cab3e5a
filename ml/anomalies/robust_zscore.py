"""Seasonal robust z-score: the largest deviation of a value from its series' own past.

The usual scale, the median absolute deviation (Iglewicz and Hoaglin, 1993), is zero where a shelf mostly stands still,
and restocks are far outside it. So deviations are measured by the largest that the series showed before (see features),
each of which widens the measure by a half at most, so that an anomaly does not hide the next one.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from ml.anomalies.detection import detect_in_blocks

METHOD = "robust_zscore"


def detect(
    panel: pd.DataFrame,
    *,
    season: int,
    alert_budget: float,
    freq: str = "D",
    train_end: pd.Timestamp | None = None,
    all_rows: bool = False,
) -> pd.DataFrame:
    """As `isolation_forest.detect`; the score is the deviation over the largest of the series' past, 0 to 50."""

    def fit(_: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        return lambda features: np.abs(features).max(axis=1)

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
