"""What a detector looks at: how each value compares with its own series' past.

Every feature of a period uses that period and earlier ones only, and every baseline leaves the tested value out.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.lib.stride_tricks import sliding_window_view

SHORT, LONG = 7, 28
FEATURES = [
    "seasonal residual",
    "ratio to 7-period median",
    "ratio to 28-period median",
    "difference",
    "spread",
    "flat run",
]


def series_features(y: np.ndarray, season: int) -> pd.DataFrame:
    """The features of one series (periods by FEATURES, 0 where there is too little past) and `expected`, the value
    that its past suggests, in units of y."""
    count = len(y)
    previous = np.concatenate([[y[0]], y[:-1]])
    short, long = _past(y, SHORT), _past(y, LONG)
    short_median, long_median = np.nanmedian(short, axis=1), np.nanmedian(long, axis=1)
    long_high = np.nanmax(long, axis=1)
    phases = np.stack([_shifted(y, season * back) for back in range(1, 5)], axis=1)
    expected = np.where(np.isnan(phases).all(axis=1), previous, _nanmedian(phases, previous))

    difference = y - previous
    # a restock is as large as restocks of this series have been: steps are measured by the largest of the past
    usual_step = np.fmax(
        _shifted(pd.Series(np.abs(difference)).rolling(LONG * 2, min_periods=1).max().to_numpy(), 1), 1
    )
    scale = np.fmax(long_high - np.nanmin(long, axis=1), 1)
    spread = pd.Series(y).rolling(SHORT, min_periods=2).std().fillna(0).to_numpy()
    run = _run_lengths(y)
    longest_run = np.fmax(_shifted(np.maximum.accumulate(run), 1), 1)
    features = pd.DataFrame(
        {
            "seasonal residual": (y - expected) / np.fmax(scale, usual_step),
            "ratio to 7-period median": _log_ratio(y, short_median),
            "ratio to 28-period median": _log_ratio(y, np.fmax(long_median, np.where(y > long_median, long_high, 0))),
            "difference": difference / usual_step,
            "spread": np.log((spread + 1) / (_past_mean(spread) + 1)),
            "flat run": np.log(np.fmax(run, 1) / longest_run),
        }
    )
    features[np.arange(count) < LONG] = 0.0
    return features.assign(expected=short_median)


def _past(y: np.ndarray, length: int) -> np.ndarray:
    """Row t holds the `length` values before t; NaN where there are none, but for the first row's own value."""
    padded = np.concatenate([np.full(length - 1, np.nan), y[:1], y[:-1]])
    return sliding_window_view(padded, length)[: len(y)]


def _shifted(values: np.ndarray, periods: int) -> np.ndarray:
    return np.concatenate([np.full(min(periods, len(values)), np.nan), values[: max(len(values) - periods, 0)]])


def _nanmedian(values: np.ndarray, otherwise: np.ndarray) -> np.ndarray:
    filled = np.where(np.isnan(values).all(axis=1)[:, None], otherwise[:, None], values)
    median: np.ndarray = np.nanmedian(filled, axis=1)
    return median


def _past_mean(values: np.ndarray) -> np.ndarray:
    return np.nan_to_num(_shifted(pd.Series(values).rolling(LONG, min_periods=1).mean().to_numpy(), 1))


def _log_ratio(y: np.ndarray, level: np.ndarray) -> np.ndarray:
    """log((y + 1) / (level + 1)), carried on evenly below zero, where stock cannot be."""
    ratio: np.ndarray = np.log(np.fmax(y, 0) + 1) - np.log(np.fmax(level, 0) + 1) + np.fmin(y, 0)
    return ratio


def _run_lengths(y: np.ndarray) -> np.ndarray:
    """How many periods the value has stood unchanged, the period itself included."""
    starts = np.concatenate([[True], y[1:] != y[:-1]])
    positions = np.arange(len(y))
    run: np.ndarray = positions - np.maximum.accumulate(np.where(starts, positions, 0)) + 1
    return run
