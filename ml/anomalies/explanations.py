"""What an alert looks like, and what was expected instead."""

from __future__ import annotations

import numpy as np

from ml.anomalies.innovations import Innovations, from_logarithms
from ml.anomalies.signs import OF_EXPECTATION

SPREADS = 2.0  # standard deviations on either side of what was expected


def drivers(signs: np.ndarray) -> np.ndarray:
    """The name of the sign of expectation that is furthest out, for each value (values by SIGNS)."""
    of_expectation = np.abs(signs[..., : len(OF_EXPECTATION)])
    return np.array(OF_EXPECTATION, dtype=object)[of_expectation.argmax(axis=-1)]


def kinds(innovations: Innovations, series: np.ndarray, periods: np.ndarray, driver: np.ndarray) -> np.ndarray:
    """The kind of some values, given their drivers: negative, flat_line, level_shift, zero, duplicate, spike or drop.

    A duplicate is an even count that lies within one standard deviation of twice what was expected.
    """
    y, fast, spread = (array[series, periods] for array in (innovations.y, innovations.fast, innovations.spread_fast))
    is_shift = np.isin(driver, [sign for sign in OF_EXPECTATION if sign.startswith("level")])
    doubled = (np.abs(fast - np.log(2)) <= spread) & (y % 2 == 0)
    return np.select(
        [y < 0, driver == "repeated value", is_shift, (y == 0) & (fast < 0), doubled, fast > 0],
        ["negative", "flat_line", "level_shift", "zero", "duplicate", "spike"],
        "drop",
    ).astype(object)


def expectations(innovations: Innovations, series: np.ndarray, periods: np.ndarray) -> dict[str, np.ndarray]:
    """What was expected of some values, in units of y: `expected` (with what the peers did), `expected_low` and
    `expected_high` (two standard deviations off), and `peer_ratio` (what the peers shared, as a factor: 1 is as usual).
    """
    shared = innovations.shared[series, periods]
    middle = innovations.expected[series, periods] + shared
    off = SPREADS * np.hypot(innovations.spread_fast, innovations.uneven)[series, periods]
    return {
        "expected": from_logarithms(middle),
        "expected_low": from_logarithms(middle - off),
        "expected_high": from_logarithms(middle + off),
        "peer_ratio": np.exp(shared),
    }
