"""What is new in each value: how far it lies from what its series and its peers made expected.

Each series is followed by robust exponential smoothing with a season (Gelper, Fried and Croux, 2010) of log(1 + y).
A value moves the levels by at most CLIP deviations, so an anomaly hardly changes what is expected after it. One level
follows quickly and one slowly: a value that only the quick level finds unusual is a return to what was usual before.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

FAST, SLOW, SEASONAL = 0.25, 0.03, 0.05
SPREAD_RATE = 0.02
CLIP = 2.0
# the mean absolute deviation of a normal distribution that is clipped at 2 is 0.78 of its standard deviation
TO_DEVIATION = 1.28
SEASONS_NEEDED = 2  # values that a phase must have before its season counts
SETTLING = 14  # values after which clipping begins
RELATIVE_STEP = 0.03  # differences below 3 % mean nothing, however calm the series


class Innovations(NamedTuple):
    """Series by periods; NaN where nothing was read.

    `y` is in units of the panel, the rest in logarithms, log(1 + y). `expected` comes from the quick level and the
    season. `fast` and `slow` are how far the value lies from what the quick and the slow level expect, less what the
    peers share, and `spread_fast` and `spread_slow` one robust standard deviation of these. `shared` is what the series
    has in common with its peers that period, and `uneven` how unsure that is. `learned` marks what may be learned from:
    read, and no known anomaly. `seen` is how many values the series had before. `signs` (series by periods by SIGNS,
    see `ml.anomalies.signs`) says in standard deviations how unusual the value is; 0 where nothing was read.
    """

    y: np.ndarray
    expected: np.ndarray
    fast: np.ndarray
    slow: np.ndarray
    spread_fast: np.ndarray
    spread_slow: np.ndarray
    shared: np.ndarray
    uneven: np.ndarray
    learned: np.ndarray
    seen: np.ndarray
    signs: np.ndarray

    @property
    def begun(self) -> np.ndarray:
        """Whether a series had its first value by then. Before it, `expected` and `signs` say nothing of the series."""
        begun: np.ndarray = np.maximum.accumulate(self.learned, axis=1)
        return begun

    def between(self, start: int, end: int) -> Innovations:
        """The periods from `start` up to, but not, `end`."""
        return Innovations(*(array[:, start:end] for array in self))

    def of(self, series: slice) -> Innovations:
        """Some of the series."""
        return Innovations(*(array[series] for array in self))


LARGEST_LOGARITHM = 700.0  # beyond, a float overflows


def in_logarithms(y: np.ndarray) -> np.ndarray:
    """log(1 + y), continued to negative values by its mirror image."""
    return np.sign(y) * np.log1p(np.abs(y))


def from_logarithms(x: np.ndarray) -> np.ndarray:
    """The inverse of `in_logarithms`."""
    return np.sign(x) * np.expm1(np.minimum(np.abs(x), LARGEST_LOGARITHM))


def least_spread(expected: np.ndarray) -> np.ndarray:
    """The standard deviation of log(1 + y) that a count of this mean has by chance alone (Poisson, delta method)."""
    mean = np.maximum(np.expm1(np.abs(np.nan_to_num(expected))), 0.0)
    return np.maximum(np.sqrt(mean) / (1 + mean), RELATIVE_STEP)


def smooth(y: np.ndarray, labelled: np.ndarray, season: int) -> Innovations:
    """The innovations of all series (series by periods, NaN where nothing was read). None depends on a later period."""
    x = in_logarithms(y).T
    learned = (np.isfinite(y) & ~labelled).T
    periods, series = x.shape
    followers = [_Follower(series, 1), _Follower(series, season)]
    expected, fast, slow = (np.full(x.shape, np.nan) for _ in range(3))
    spread, count = np.full(series, np.nan), np.zeros(series)
    counts = np.zeros(x.shape)
    for period in range(periods):
        counts[period] = count
        plain, seasonal = (follower.deviations(x[period], period) for follower in followers)
        by_season = followers[1].is_ready(period) & (followers[1].error <= followers[0].error)
        expected[period] = np.where(by_season, seasonal.expected, plain.expected)
        fast[period] = np.where(by_season, seasonal.fast, plain.fast)
        slow[period] = np.where(by_season, seasonal.slow, plain.slow)
        least = np.maximum(np.where(np.isnan(spread), 0, spread), least_spread(expected[period]))
        limit = np.where(count < SETTLING, np.inf, CLIP * least)
        for follower, deviations in zip(followers, (plain, seasonal), strict=True):
            follower.follow(x[period], deviations, learned[period], limit, count, period)
        spread = _followed_spread(spread, fast[period], learned[period], limit, count)
        count = count + learned[period]
    fast, slow, expected = fast.T, slow.T, expected.T
    return Innovations(
        y=y,
        expected=expected,
        fast=fast,
        slow=slow,
        spread_fast=spread_of(fast, learned.T, least_spread(expected)),
        spread_slow=spread_of(slow, learned.T, least_spread(expected)),
        shared=np.zeros(y.shape),
        uneven=np.zeros(y.shape),
        learned=learned.T,
        seen=counts.T,
        signs=np.zeros((*y.shape, 0)),
    )


def spread_of(values: np.ndarray, learned: np.ndarray, least: np.ndarray | float) -> np.ndarray:
    """One robust standard deviation of each series (series by periods) by the periods before each, `least` at least."""
    by_period, floors = values.T, np.broadcast_to(least, values.shape).T
    spread, count = np.full(values.shape[0], np.nan), np.zeros(values.shape[0])
    result = np.empty(by_period.shape)
    for period, now in enumerate(by_period):
        known = np.maximum(np.where(np.isnan(spread), np.abs(now), spread), floors[period])
        result[period] = known
        limit = np.where(count < SETTLING, np.inf, CLIP * known)
        counts = learned.T[period] & np.isfinite(now)
        spread = _followed_spread(spread, now, counts, limit, count)
        count = count + counts
    return result.T


def _followed_spread(
    spread: np.ndarray, deviation: np.ndarray, learned: np.ndarray, limit: np.ndarray, count: np.ndarray
) -> np.ndarray:
    clipped = TO_DEVIATION * np.minimum(np.abs(deviation), limit)
    rate = np.maximum(SPREAD_RATE, 1 / (count + 1))
    followed = np.where(np.isnan(spread), clipped, spread + rate * (clipped - spread))
    return np.where(learned & np.isfinite(deviation), followed, spread)


class _Deviations(NamedTuple):
    expected: np.ndarray
    fast: np.ndarray
    slow: np.ndarray


class _Follower:
    """Two levels and a season of every series, as of the period before; a season of 1 is none."""

    def __init__(self, series: int, season: int) -> None:
        self.season = season
        self.fast, self.slow, self.error = np.zeros(series), np.zeros(series), np.zeros(series)
        self.phases = np.zeros((season, series))
        self.seen = np.zeros((season, series))

    def is_ready(self, period: int) -> np.ndarray:
        return (self.seen[period % self.season] >= SEASONS_NEEDED) & (self.season > 1)

    def deviations(self, x: np.ndarray, period: int) -> _Deviations:
        phase = self.phases[period % self.season]
        return _Deviations(self.fast + phase, x - self.fast - phase, x - self.slow - phase)

    def follow(
        self,
        x: np.ndarray,
        deviations: _Deviations,
        learned: np.ndarray,
        limit: np.ndarray,
        count: np.ndarray,
        period: int,
    ) -> None:
        """Move the levels and the phase towards a value; the younger the series, the further."""
        phase = period % self.season
        first, later = learned & (count == 0), learned & (count > 0)
        fast, slow = np.clip(deviations.fast, -limit, limit), np.clip(deviations.slow, -limit, limit)
        self.fast = np.where(later, self.fast + np.maximum(FAST, 1 / (count + 1)) * fast, self.fast)
        self.slow = np.where(later, self.slow + np.maximum(SLOW, 1 / (count + 1)) * slow, self.slow)
        self.fast, self.slow = np.where(first, x, self.fast), np.where(first, x, self.slow)
        rate = np.maximum(SPREAD_RATE, 1 / (count + 1))
        self.error = np.where(later, self.error + rate * (np.abs(fast) - self.error), self.error)
        if self.season > 1:
            gain = np.maximum(SEASONAL, 1 / (self.seen[phase] + 2))
            self.phases[phase] = np.where(later, self.phases[phase] + gain * fast, self.phases[phase])
        self.seen[phase] += learned
