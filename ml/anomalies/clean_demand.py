"""Simulated demand without anomalies: it shows which scores detectors give by chance."""

from __future__ import annotations

from functools import cache

import numpy as np

from ml.anomalies.innovations import Innovations, smooth
from ml.anomalies.signs import with_signs

# units a day
RARE_MEANS, OFTEN_MEANS = (0.03, 0.1), (0.3, 3.0, 30.0, 300.0)
MEANS = RARE_MEANS + OFTEN_MEANS
SERIES, PERIODS = 40, 420


@cache
def clean_innovations(means: tuple[float, ...] = MEANS) -> Innovations:
    """The innovations of SERIES series of each of these means, in units a day, one mean after the other."""
    demand = _demand(means)
    return with_signs(smooth(demand, np.zeros(demand.shape, dtype=bool), 7))


def _demand(means: tuple[float, ...]) -> np.ndarray:
    """Clean daily demand: a week, a slow drift and negative binomial noise, or rare sales of several units."""
    random = np.random.Generator(np.random.Philox(key=17))
    shape = (len(means) * SERIES, PERIODS)
    week = np.exp(random.normal(0, 0.25, (shape[0], 7)))[:, np.arange(PERIODS) % 7]
    drift = np.exp(np.cumsum(random.normal(0, 0.01, shape), axis=1))
    mean = np.repeat(means, SERIES)[:, None] * week * drift
    evenness = np.exp(random.uniform(np.log(15), np.log(150), (shape[0], 1)))
    demand = random.poisson(random.gamma(evenness, mean / evenness)).astype(float)
    # where a sale is rare, its size is what varies: half of those who buy one take another
    is_rare = np.repeat(np.isin(means, RARE_MEANS), SERIES)[:, None]
    sales = random.poisson(mean / 2) * random.geometric(0.5, shape)
    return np.where(is_rare, sales, demand)


def nearest_mean(levels: np.ndarray) -> np.ndarray:
    """Which of MEANS is nearest to each level, by ratio."""
    ratios = np.log(np.maximum(levels, 0.01))[:, None] - np.log(MEANS)
    nearest: np.ndarray = np.abs(ratios).argmin(axis=1)
    return nearest
