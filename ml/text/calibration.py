"""How surprising a raw score is, against those of earlier texts."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

LEFT_OUT = 0.01  # share of the highest scores: they may be anomalies that nobody has found
TAIL = 0.05
LEAST_EXCESS = 0.3  # standard deviations, a little less than in a normal tail


def calibrated(usual: np.ndarray, largest: float) -> Callable[[np.ndarray], np.ndarray]:
    """Returns what turns raw scores into nats: -ln of the share of texts that score at least as high, up to `largest`.

    The highest 1 % of usual scores is left out. From there on the tail is exponential, as steep as from the
    highest 5 % to the highest 1 %. A raw score of 0 or NaN gives 0 nats. If many usual scores are NaN, all do.
    """
    if np.isnan(usual).mean() > LEFT_OUT + TAIL:
        return np.zeros_like
    usual = np.sort(usual[~np.isnan(usual)])
    tail, end = np.quantile(usual, [1 - TAIL, 1 - LEFT_OUT])
    spread = float(usual[usual <= end].std())
    scale = max(float(end - tail) / np.log(TAIL / LEFT_OUT), LEAST_EXCESS * spread, 1e-6)

    def surprise(raw: np.ndarray) -> np.ndarray:
        at_least = len(usual) - np.searchsorted(usual, raw, side="left")
        within = -np.log(np.maximum((at_least + 0.5) / (len(usual) + 1), LEFT_OUT))
        beyond = np.minimum(np.maximum(raw - end, 0) / scale, largest)
        return np.where(raw > 0, np.minimum(within + beyond, largest), 0.0)

    return surprise
