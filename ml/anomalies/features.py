"""What a detector looks at: how far each value lies outside what its own series has shown before.

Every feature is signed and in units of the largest value of its sign that the series showed in the 26 seasons before:
within [-1, 1] a value is nothing new. So a restock as large as earlier ones, or a promotion like earlier ones, is not
unusual, and large, small, calm and lively series are alike. Nothing looks at a later period, and every baseline leaves
the tested value out.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.lib.stride_tricks import sliding_window_view

FEATURES = [
    "seasonal residual",
    "ratio to 7-period median",
    "ratio to 28-period median",
    "difference",
    "spread",
    "flat run",
    "level shift",
    "below zero",
]
SHORT, LONG = 7, 28
WARM_UP = 2 * LONG  # periods before which a series is too young to be unusual: much is then done for the first time
SEASONS_REMEMBERED = 26
PHASES = 6
# One anomaly must not set the measure for all that follow: it widens the range by a half at most.
WIDENING = 1.5
LIMIT = 50.0
SERIES_AT_A_TIME = 500


def panel_features(y: np.ndarray, lengths: np.ndarray, season: int) -> tuple[np.ndarray, np.ndarray]:
    """Features and expectations of many series, given one after the other in `y` (lengths: periods of each).

    Returns the features (periods by FEATURES, 0 while a series is younger than WARM_UP) and what each value's past
    suggests, in units of y: the seasonal median or the previous value, whichever has been nearer so far.
    """
    ends = np.cumsum(lengths)
    features, expected = [], []
    for first in range(0, len(lengths), SERIES_AT_A_TIME):
        chosen = range(first, min(first + SERIES_AT_A_TIME, len(lengths)))
        table = np.zeros((len(chosen), int(lengths[chosen].max())))
        for row, index in enumerate(chosen):
            table[row, : lengths[index]] = y[ends[index] - lengths[index] : ends[index]]
        valid = np.arange(table.shape[1]) < lengths[chosen][:, None]
        scaled, suggested = _table_features(table, season)
        features.append(scaled[valid])
        expected.append(suggested[valid])
    return np.concatenate(features), np.concatenate(expected)


def _table_features(y: np.ndarray, season: int) -> tuple[np.ndarray, np.ndarray]:
    """As `panel_features`, for a table of series by periods (filled up at the right)."""
    unit, size = _unit(y), _past_mean(np.abs(y))
    previous = _shifted(y, 1)
    seasonal = np.median([_shifted(y, season * back) for back in range(1, PHASES + 1)], axis=0)
    from_previous, from_before = y - previous, y - _shifted(y, 2)
    run = _run_lengths(y)
    # a week of hours is no spread of a day: at least seven periods
    spread = np.sqrt(np.maximum(_windows(y, max(season, SHORT), tested=True).var(axis=-1), 0))
    in_units = np.maximum(2 * unit, 0.1 * size)
    raw_and_floor = [
        (y - seasonal, in_units),
        (_log_ratio(y, np.median(_windows(y, SHORT), axis=-1), unit), 0.5),
        (_log_ratio(y, np.median(_windows(y, LONG), axis=-1), unit), 0.5),
        # a value that is back where it was before the last one is not a fall but a return
        (np.where(np.abs(from_before) < np.abs(from_previous), from_before, from_previous), in_units),
        # only a calm is told by the spread: what stirs a series up is told by the others
        (np.minimum(np.log((spread + unit) / (_past_mean(spread) + unit)), 0), 1.0),
        (np.log(run), np.log(SHORT)),
        (_level_shift(y, season, unit), 0.25),
        (np.minimum(y, 0) / unit, 0.2),
    ]
    features = np.stack(
        [_in_past_ranges(raw, floor, season * SEASONS_REMEMBERED) for raw, floor in raw_and_floor], axis=-1
    )
    features[:, :WARM_UP] = 0.0
    seasonal_is_nearer = _past_mean(np.abs(y - seasonal)) < _past_mean(np.abs(from_previous))
    return features, np.where(seasonal_is_nearer, seasonal, previous)


def _in_past_ranges(raw: np.ndarray, floor: np.ndarray | float, memory: int) -> np.ndarray:
    """Each value over the largest value of its sign in the periods before it."""
    periods = raw.shape[1]
    floors = np.broadcast_to(floor, raw.shape)
    scaled = np.zeros_like(raw)
    for sign in (1, -1):
        side = np.maximum(sign * raw, 0)
        tempered = np.zeros_like(side)
        for period in range(periods):
            past = tempered[:, max(period - memory, 0) : period]
            largest = np.maximum(past.max(axis=1, initial=0.0), floors[:, period])
            # the first weeks have nothing to be measured by, so they count in full
            limit = largest * WIDENING if period >= LONG else np.inf
            tempered[:, period] = np.minimum(side[:, period], limit)
            scaled[:, period] += sign * np.minimum(side[:, period] / largest, LIMIT)
    return scaled


def _unit(y: np.ndarray) -> np.ndarray:
    """The step below which a change means nothing: 1 where all values so far are whole, else 1 % of their size."""
    whole = np.logical_and.accumulate(y == np.round(y), axis=1)
    return np.where(whole, 1.0, np.maximum(0.01 * _past_mean(np.abs(y)), 1e-9))


def _level_shift(y: np.ndarray, season: int, unit: np.ndarray) -> np.ndarray:
    """How far the whole last season lies above (or below) all of the seasons before it that are remembered."""
    last = _windows(y, max(season, SHORT), tested=True)
    before = _windows(_shifted(y, max(season, SHORT)), LONG * 3, tested=True)
    above = np.maximum(_log_ratio(last.min(axis=-1), before.max(axis=-1), unit), 0)
    below = np.maximum(_log_ratio(before.min(axis=-1), last.max(axis=-1), unit), 0)
    return above - below


def _windows(y: np.ndarray, length: int, *, tested: bool = False) -> np.ndarray:
    """Per period the `length` values before it, or with `tested` up to it; the first value stands for earlier ones."""
    values = y if tested else _shifted(y, 1)
    padded = np.concatenate([np.repeat(y[:, :1], length - 1, axis=1), values], axis=1)
    return sliding_window_view(padded, length, axis=1)


def _shifted(y: np.ndarray, periods: int) -> np.ndarray:
    """The values `periods` before; the first value stands for earlier ones."""
    kept = max(y.shape[1] - periods, 0)
    return np.concatenate([np.repeat(y[:, :1], y.shape[1] - kept, axis=1), y[:, :kept]], axis=1)


def _past_mean(values: np.ndarray) -> np.ndarray:
    """Mean of all values before each."""
    before: np.ndarray = _shifted(np.cumsum(values, axis=1) / np.arange(1, values.shape[1] + 1), 1)
    return before


def _log_ratio(value: np.ndarray, level: np.ndarray, unit: np.ndarray) -> np.ndarray:
    ratio: np.ndarray = np.log((np.maximum(value, 0) + unit) / (np.maximum(level, 0) + unit))
    return ratio


def _run_lengths(y: np.ndarray) -> np.ndarray:
    """How many periods the value has stood unchanged, the period itself included."""
    positions = np.broadcast_to(np.arange(y.shape[1]), y.shape)
    starts = np.where(np.diff(y, axis=1, prepend=np.nan) != 0, positions, 0)
    run: np.ndarray = positions - np.maximum.accumulate(starts, axis=1) + 1
    return run


def drivers(features: np.ndarray) -> np.ndarray:
    """The name of the feature that is furthest out, per row."""
    return np.array(FEATURES, dtype=object)[np.abs(features).argmax(axis=1)]


def kinds(observed: pd.Series, expected: pd.Series, driver: pd.Series) -> np.ndarray:
    """What an alert looks like: negative, level_shift, flat_line, zero, spike or drop."""
    flat = (driver == "flat run") | (driver == "spread")
    return np.select(
        [observed < 0, driver == "level shift", flat, observed == 0, observed > expected],
        ["negative", "level_shift", "flat_line", "zero", "spike"],
        "drop",
    )
