"""One alert per episode: an anomaly that goes on is not reported again every day."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

# These say more of an episode than that it began, so they are reported even after a spike or drop.
LASTING = frozenset({"level_shift", "flat_line", "negative"})


def first_of_episode(alerts: np.ndarray, kinds: np.ndarray, cooldown: int) -> np.ndarray:
    """Which alerts open an episode, or add something new to one.

    `alerts` and `kinds` are series by periods. An episode lasts until `cooldown` periods have passed without an alert;
    within it a kind is reported once, and only LASTING ones after the first.
    """
    reported = np.zeros(alerts.shape, dtype=bool)
    for series in np.flatnonzero(alerts.any(axis=1)):
        last, known = -np.inf, set[str]()
        for period in np.flatnonzero(alerts[series]).tolist():
            kind = kinds[series, period]
            if period - last > cooldown:
                known = set()
            reported[series, period] = not known or (kind in LASTING and kind not in known)
            known.add(kind)
            last = period
    return reported


def highest_of_episode(scores: np.ndarray, cooldown: int) -> np.ndarray:
    """The scores that exceed all of the `cooldown` periods before them, 0 elsewhere: an episode counts once."""
    padded = np.concatenate([np.zeros((len(scores), cooldown)), scores[:, :-1]], axis=1)
    before = sliding_window_view(padded, cooldown, axis=1).max(axis=-1)
    highest: np.ndarray = np.where(scores > before, scores, 0.0)
    return highest
