"""Alert thresholds from a budget of false alerts, never from an assumed share of anomalies.

Every series is measured by its own past, so no series changes another's alerts. Where that past is too short,
simulated clean demand of the same size fills in.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

TAIL = 0.10  # of a series' scores, from which its threshold is scaled
FAR = 0.003  # the rarest share that the simulation still shows well; beyond it scores are extrapolated
LEFT_OUT = 0.02  # share of the largest past scores: they may be anomalies that nobody has labelled
PRIOR_PERIODS = 1000  # of a series' own past that count as much as the simulation
CALMER = np.log(1.2)  # by so much may a series' own past lower the start of its tail
USED = 0.7  # of the budget: thresholds aim at less, since the future of a series is never quite like its past
LARGEST_SHARE = 0.003  # of clean periods that may alert, however few a week has
SMALLEST = 1e-9


class Tail(NamedTuple):
    """How the largest clean scores are spread: the logarithm of the score that the share TAIL exceeds, and by how much
    it grows as the share falls by a factor of e (peaks over threshold, Pickands 1975)."""

    start: np.ndarray
    decay: np.ndarray

    def threshold(self, share: float) -> np.ndarray:
        """The score that a share of clean periods exceeds."""
        return np.exp(self.start + self.decay * np.log(TAIL / share))


def tail_probability(times_threshold: np.ndarray, decay: np.ndarray, share: float) -> np.ndarray:
    """The share of clean periods that score at least so many times the threshold, which the share `share` exceeds."""
    return np.minimum(share * np.maximum(times_threshold, SMALLEST) ** (-1 / decay), 1)


def clean_tail(scores: np.ndarray) -> Tail:
    """The tail of clean scores, row by row."""
    start, far = np.log(np.maximum(np.quantile(scores, [1 - TAIL, 1 - FAR], axis=1), SMALLEST))
    return Tail(start, (far - start) / np.log(TAIL / FAR))


def allowed_share(alert_budget: float, periods_per_week: float) -> float:
    """The share of clean periods that may alert, for a budget of alerts per series and week."""
    return min(USED * alert_budget / periods_per_week, LARGEST_SHARE)


def thresholds(scores: np.ndarray, counted: np.ndarray, clean: Tail, share: float) -> np.ndarray:
    """The threshold of each series, from its past scores (series by periods; `counted` ones) and the tail of clean
    series of its size.

    The start of the tail comes from the series' own past, more so the longer it is. The decay comes from clean series,
    since anomalies in the past would distort it.
    """
    ordered = np.sort(np.where(counted, np.maximum(scores, SMALLEST), np.nan), axis=1)  # NaN goes last
    known = counted.sum(axis=1)
    rank = ((1 - TAIL) * (known - np.ceil(LEFT_OUT * known))).astype(int)
    own = np.nan_to_num(np.log(np.take_along_axis(ordered, rank[:, None], axis=1)[:, 0]))
    # where most periods sell nothing, their scores say little of those that sell
    own = np.maximum(own, clean.start - CALMER)
    weight = known / (known + PRIOR_PERIODS)
    return Tail(weight * own + (1 - weight) * clean.start, clean.decay).threshold(share)
