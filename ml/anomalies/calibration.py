"""Alert thresholds from a budget of false alerts, never from an assumed share of anomalies."""

from __future__ import annotations

import numpy as np

MARGIN = 1.05  # a quantile of past scores is only an estimate, and the past holds anomalies of its own


def threshold(past_scores: np.ndarray, alert_budget: float, periods_per_week: float) -> float:
    """The score that past periods exceeded no more often than the budget (alerts per series and week) allows.

    Raises ValueError where there are no past scores.
    """
    if len(past_scores) == 0:
        raise ValueError("no past scores to calibrate on")
    allowed = min(alert_budget / periods_per_week, 0.01)
    return float(np.quantile(past_scores, 1 - allowed)) * MARGIN
