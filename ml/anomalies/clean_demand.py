"""Simulated demand without anomalies: it shows which scores detectors give by chance."""

from __future__ import annotations

from functools import cache

import numpy as np

from ml.anomalies.innovations import Innovations, smooth
from ml.anomalies.signs import with_signs

MEANS = (0.3, 3.0, 30.0, 300.0)
SERIES, PERIODS = 40, 420


@cache
def clean_innovations() -> Innovations:
    """The innovations of SERIES series of each of MEANS units a day, one mean after the other."""
    demand = _demand()
    return with_signs(smooth(demand, np.zeros(demand.shape, dtype=bool), 7))


def _demand() -> np.ndarray:
    """Clean daily demand: a week, a slow drift and negative binomial noise."""
    random = np.random.Generator(np.random.Philox(key=17))
    shape = (len(MEANS) * SERIES, PERIODS)
    week = np.exp(random.normal(0, 0.25, (shape[0], 7)))[:, np.arange(PERIODS) % 7]
    drift = np.exp(np.cumsum(random.normal(0, 0.01, shape), axis=1))
    mean = np.repeat(MEANS, SERIES)[:, None] * week * drift
    evenness = np.exp(random.uniform(np.log(15), np.log(150), (shape[0], 1)))
    return random.poisson(random.gamma(evenness, mean / evenness)).astype(float)


def nearest_mean(levels: np.ndarray) -> np.ndarray:
    """Which of MEANS is nearest to each level, by ratio."""
    ratios = np.log(np.maximum(levels, 0.01))[:, None] - np.log(MEANS)
    nearest: np.ndarray = np.abs(ratios).argmin(axis=1)
    return nearest
