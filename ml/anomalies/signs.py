"""The signs of something unusual that detectors look at, each in standard deviations or what is as rare."""

from __future__ import annotations

import numpy as np

from ml.anomalies.innovations import Innovations, spread_of

SIGNS = ["value", "level of 5 periods", "level of 10 periods", "repeated value"]
SHIFT_PERIODS = (5, 10)
SHIFT_LARGEST = 4.0  # one value alone is no shift
USUAL = 1.5  # standard deviations within which nobody would look twice
LARGEST = 50.0
RARE_DIGITS = 3
SETTLING = 28


def with_signs(innovations: Innovations) -> Innovations:
    """Innovations with their signs: positive where a value is high. Nothing looks at a later period."""
    found = [_deviation(innovations)]
    found += [_shift(innovations, periods) for periods in SHIFT_PERIODS]
    found.append(_repeated(innovations.y, innovations.learned))
    read = np.isfinite(innovations.y)[..., None]
    signs = np.where(read, np.clip(np.stack(found, axis=-1), -LARGEST, LARGEST), 0.0)
    return innovations._replace(signs=signs)


def _deviation(innovations: Innovations) -> np.ndarray:
    """How far a value lies from what the quick level led to expect.

    A value that the slow level finds usual is a return, and counts for little.
    """
    fast = innovations.fast / np.hypot(innovations.spread_fast, innovations.uneven)
    slow = innovations.slow / np.hypot(innovations.spread_slow, innovations.uneven)
    nearer = np.sign(fast) * np.minimum(np.abs(fast), np.abs(slow) + USUAL)
    return np.where(fast * slow > 0, nearer, 0.0)


def _shift(innovations: Innovations, periods: int) -> np.ndarray:
    """Moving sum of what the slow level did not expect (MOSUM), in its own standard deviations."""
    largest = SHIFT_LARGEST * innovations.spread_slow
    slow = np.nan_to_num(np.clip(innovations.slow, -largest, largest))
    total = np.cumsum(np.pad(slow, ((0, 0), (periods, 0))), axis=1)
    mean = (total[:, periods:] - total[:, :-periods]) / periods
    spread = spread_of(mean, innovations.learned, innovations.spread_slow / periods)
    return np.nan_to_num(mean / spread)


def _repeated(y: np.ndarray, learned: np.ndarray) -> np.ndarray:
    """How rare a run of the same value is, if repeats come as often as they did so far, as a standard deviation.

    A chance of 10^-d is as rare as a normal value beyond about 2.15 times the root of d.
    """
    same = np.zeros(y.shape, dtype=bool)
    same[:, 1:] = y[:, 1:] == y[:, :-1]
    run, repeats, pairs = np.zeros(len(y)), np.zeros(len(y)), np.zeros(len(y))
    digits = np.zeros(y.shape)
    for period in range(y.shape[1]):
        run = np.where(same[:, period], run + 1, 0)
        # a series that has never changed is no frozen one
        digits[:, period] = np.where(pairs > repeats, -run * np.log10((repeats + 1) / (pairs + 2)), 0)
        # a rare run may be the anomaly, and is no measure for others
        counts = learned[:, period] & ((digits[:, period] < RARE_DIGITS) | (pairs < SETTLING))
        repeats, pairs = repeats + (counts & (run > 0)), pairs + counts
    return 2.15 * np.sqrt(np.maximum(digits, 0))
