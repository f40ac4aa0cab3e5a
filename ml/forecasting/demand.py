"""What kind of demand a series has, and which of its values are too wild to learn from."""

from __future__ import annotations

import numpy as np

LONGEST_INTERVAL = 1.32  # periods between sales, on average (Syntetos, Boylan and Croston 2005)
GREATEST_VARIATION = 0.49  # squared coefficient of variation of the values that are not 0


def demand_class(y: np.ndarray) -> str:
    """`smooth`, `erratic`, `intermittent` or `lumpy`, by how often something is sold and how much the amounts vary."""
    sold = y[y > 0]
    if not len(sold):
        return "intermittent"
    often = len(y) / len(sold) < LONGEST_INTERVAL
    steady = (sold.std() / sold.mean()) ** 2 < GREATEST_VARIATION
    if often:
        return "smooth" if steady else "erratic"
    return "intermittent" if steady else "lumpy"


def without_spikes(y: np.ndarray, season: int) -> np.ndarray:
    """Values that nothing around them explains are cut to the greatest that is plausible.

    Three times what all but one value in twenty stay below is plausible, or that and five times its distance from the
    median; and wherever the level itself has moved, three times the median of the two seasons around.
    """
    sold = np.abs(y[y != 0])
    if not len(sold):
        return y
    median, high = np.quantile(sold, [0.5, 0.95])
    limit = max(3 * high, high + 5 * (high - median))
    if np.abs(y).max() <= limit:
        return y
    reach = min(season, len(y) - 1)
    around = np.lib.stride_tricks.sliding_window_view(np.pad(np.abs(y), reach, mode="reflect"), 2 * reach + 1)
    limits = np.maximum(limit, 3 * np.median(around, axis=1))
    return np.clip(y, -limits, limits)
