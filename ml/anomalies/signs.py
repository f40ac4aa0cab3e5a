"""The signs of something unusual that detectors look at, in standard deviations or what is as rare."""

from __future__ import annotations

import numpy as np

from ml.anomalies.innovations import Innovations, spread_of
from ml.anomalies.sparse_demand import rarity_of_sales

OF_EXPECTATION = ["value", "level of 7 periods", "level of 14 periods", "repeated value"]
OF_PAST = ["whole past", "whole past of 24 periods", "turbulence of 24 periods"]
SIGNS = OF_EXPECTATION + OF_PAST
SHIFT_PERIODS = (7, 14)
SHIFT_LARGEST = 3.0  # one value alone is no shift
USUAL = 1.5  # standard deviations; less is nothing unusual
LARGEST = 50.0
RARE_DIGITS = 3
FEWEST_REPEATS = 3
SETTLING = 28
LONG_RATE = 0.002
LONG_CLIP = 4.0
LONG_SETTLING = 30
LONG_PERIODS = 24
TURBULENCE_LARGEST = 8.0
RARE_SHARE = 0.003  # as rare as three standard deviations of a normal distribution
FIRST_BLOCK, BLOCK_GROWTH = 200, 1.3  # fewer values do not show what is rare


def with_signs(innovations: Innovations) -> Innovations:
    """Innovations with their signs: positive where a value is high. Nothing looks at a later period."""
    found = [_deviation(innovations), *(_shift(innovations, periods) for periods in SHIFT_PERIODS)]
    found.append(_repeated(innovations.y, innovations.learned))
    is_sparse, rare = rarity_of_sales(innovations.y, innovations.learned, SHIFT_PERIODS)
    found = [np.where(is_sparse, *signs) for signs in zip(rare, found, strict=True)]
    past = _from_whole_past(innovations)
    turbulence = np.minimum(np.abs(innovations.fast / innovations.spread_fast), TURBULENCE_LARGEST)
    found += [
        _in_own_rarity(sign, innovations.begun)
        for sign in (past, _mean(past, LONG_PERIODS), _mean(turbulence, LONG_PERIODS))
    ]
    read = np.isfinite(innovations.y)[..., None]
    signs = np.where(read, np.clip(np.stack(found, axis=-1), -LARGEST, LARGEST), 0.0)
    return innovations._replace(signs=signs)


def _deviation(innovations: Innovations) -> np.ndarray:
    """How far a value lies from what the quick level expects.

    A value that the slow level finds usual is a return, and counts for little.
    """
    fast = innovations.fast / np.hypot(innovations.spread_fast, innovations.uneven)
    slow = innovations.slow / np.hypot(innovations.spread_slow, innovations.uneven)
    nearer = np.sign(fast) * np.minimum(np.abs(fast), np.abs(slow) + USUAL)
    return np.where(fast * slow > 0, nearer, 0.0)


def _shift(innovations: Innovations, periods: int) -> np.ndarray:
    """Moving mean of the deviations from the slow level (MOSUM), in its own standard deviations."""
    largest = SHIFT_LARGEST * innovations.spread_slow
    slow = np.clip(innovations.slow, -largest, largest)
    mean = _mean(slow, periods)
    spread = spread_of(mean, innovations.learned, innovations.spread_slow / periods)
    return np.nan_to_num(mean / spread)


def _repeated(y: np.ndarray, learned: np.ndarray) -> np.ndarray:
    """How rare a run of equal values is, if repeats go on to come as often as so far, in standard deviations.

    A chance of 10^-d is as rare as a normal value beyond about 2.15 times the root of d.
    """
    same = np.zeros(y.shape, dtype=bool)
    same[:, 1:] = y[:, 1:] == y[:, :-1]
    run, repeats, pairs = np.zeros(len(y)), np.zeros(len(y)), np.zeros(len(y))
    digits = np.zeros(y.shape)
    for period in range(y.shape[1]):
        run = np.where(same[:, period], run + 1, 0)
        # a series that has never changed is not frozen, and three equal values in a row mean nothing
        is_run = (pairs > repeats) & (run >= FEWEST_REPEATS)
        digits[:, period] = np.where(is_run, -run * np.log10((repeats + 1) / (pairs + 2)), 0)
        # a rare run may be an anomaly, so it does not count as usual
        counts = learned[:, period] & ((digits[:, period] < RARE_DIGITS) | (pairs < SETTLING))
        repeats, pairs = repeats + (counts & (run > 0)), pairs + counts
    return 2.15 * np.sqrt(np.maximum(digits, 0))


def _from_whole_past(innovations: Innovations) -> np.ndarray:
    """How far a value lies from the mean of all before it, in their standard deviations."""
    y, learned = innovations.y.T, innovations.learned.T
    mean, square, count = (np.zeros(y.shape[1]) for _ in range(3))
    result = np.zeros(y.shape)
    for period, now in enumerate(y):
        spread = np.sqrt(square)
        off = now - np.where(count > 0, mean, now)
        is_settled = count > LONG_SETTLING
        result[period] = np.where(is_settled & (spread > 0), off / np.where(spread > 0, spread, 1), 0)
        off = np.where(is_settled, np.clip(off, -LONG_CLIP * spread, LONG_CLIP * spread), off)
        rate = np.maximum(LONG_RATE, 1 / (count + 1))
        mean = np.where(learned[period], np.where(count > 0, mean + rate * off, now), mean)
        square = np.where(learned[period], square + rate * (off**2 - square), square)
        count = count + learned[period]
    return result.T


def _in_own_rarity(values: np.ndarray, begun: np.ndarray) -> np.ndarray:
    """Values scaled so that the share RARE_SHARE of those before a block exceed 3; blocks grow. 0 for a series that has
    begun fewer than FIRST_BLOCK periods before its block."""
    sizes = np.where(begun, np.abs(np.nan_to_num(values)), np.nan)
    result = np.zeros(values.shape)
    start = FIRST_BLOCK
    while start < values.shape[1]:
        end = round(start * BLOCK_GROWTH)
        rare = np.zeros((len(values), 1))
        is_settled = begun[:, :start].sum(axis=1) >= FIRST_BLOCK
        rare[is_settled, 0] = np.nanquantile(sizes[is_settled, :start], 1 - RARE_SHARE, axis=1)
        result[:, start:end] = np.where(rare > 0, 3 * values[:, start:end] / np.where(rare > 0, rare, 1), 0)
        start = end
    return result


def _mean(values: np.ndarray, periods: int) -> np.ndarray:
    """The mean of each value and those before it, `periods` in all; one that was not read counts as 0."""
    total = np.cumsum(np.pad(np.nan_to_num(values), ((0, 0), (periods, 0))), axis=1)
    mean: np.ndarray = (total[:, periods:] - total[:, :-periods]) / periods
    return mean
