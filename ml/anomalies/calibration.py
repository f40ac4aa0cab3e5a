"""Alert thresholds from a budget of false alerts, never from an assumed share of anomalies."""

from __future__ import annotations

import numpy as np

TAIL = 0.02
LARGEST_SHARE = 0.01  # of clean data that may be flagged, however generous the budget


def threshold(past_scores: np.ndarray, alert_budget: float, periods_per_week: float) -> float:
    """The score that clean periods exceed no more often than the budget (alerts per series and week) allows.

    The past holds anomalies of its own, and where they are more than the budget a plain quantile would lie among them.
    So the tail is extrapolated (peaks over threshold, Pickands 1975): above the 98th percentile u the log-scores are
    taken as exponential, with the mean from their median (median / ln 2), which a few anomalies do not move. The
    threshold is u · exp(mean · ln(0.02 / allowed share)). Raises ValueError where there are no past scores.
    """
    if len(past_scores) == 0:
        raise ValueError("no past scores to calibrate on")
    allowed = min(alert_budget / periods_per_week, LARGEST_SHARE)
    start = float(np.quantile(past_scores, 1 - TAIL))
    tail = past_scores[past_scores > start]
    if start <= 0 or len(tail) == 0:
        return float(np.max(past_scores))
    mean = float(np.median(np.log(tail / start))) / np.log(2)
    return start * float(np.exp(mean * np.log(TAIL / allowed)))
