"""Means of periods before and around each, and of groups: arrays of series by periods, NaN where unknown."""

from __future__ import annotations

import numpy as np
import pandas as pd

PHASES = (1, 2, 4, 8, 13)  # periods of the same phase, such as Mondays, that a mean is taken over
GREATEST_RATIO = 20.0  # a wild ratio says no more than this
GREATEST_PULL = 3.0  # usual differences between a value and its neighbours


def group_mean(values: np.ndarray, code: np.ndarray) -> np.ndarray:
    """The mean over the series of each group."""
    total, count = (np.zeros((code.max() + 1, values.shape[1])) for _ in range(2))
    np.add.at(total, code, np.nan_to_num(values))
    np.add.at(count, code, ~np.isnan(values))
    return ratio(total, count, np.inf)


def at(values: np.ndarray, series: np.ndarray, periods: np.ndarray) -> np.ndarray:
    """Values of the rows' series and periods; NaN outside of what is known."""
    inside = (periods >= 0) & (periods < values.shape[1])
    return np.where(inside, values[series, np.where(inside, periods, 0)], np.nan)


def ratio(above: np.ndarray, below: np.ndarray, greatest: float = GREATEST_RATIO) -> np.ndarray:
    """In single precision: these arrays are most of what many series need of memory."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.clip(np.where(below > 0, above / below, np.nan), -greatest, greatest).astype(np.float32)


def trailing_mean(values: np.ndarray, width: int, least: int | None = None) -> np.ndarray:
    """The mean of the last `width` periods of each, where at least half of them (or `least`) are known."""
    total, count = np.cumsum(np.nan_to_num(values), axis=1), np.cumsum(~np.isnan(values), axis=1)
    total[:, width:], count[:, width:] = total[:, width:] - total[:, :-width], count[:, width:] - count[:, :-width]
    return np.where(count >= (least or (width + 1) // 2), ratio(total, count, np.inf), np.nan)


def shift(values: np.ndarray, periods: int) -> np.ndarray:
    """The values of so many periods before; after, if negative."""
    result = np.full_like(values, np.nan)
    if abs(periods) < values.shape[1]:
        if periods > 0:
            result[:, periods:] = values[:, :-periods]
        else:
            result[:, : values.shape[1] + periods] = values[:, -periods:]
    return result


def phase_means(y: np.ndarray, cycle: int) -> list[np.ndarray]:
    """The means of the last PHASES values of the same phase."""
    means, total, count = [], np.zeros_like(y), np.zeros_like(y)
    for back in range(max(PHASES)):
        earlier = shift(y, back * cycle)
        total += np.nan_to_num(earlier)
        count += ~np.isnan(earlier)
        if back + 1 in PHASES:
            means.append(np.where(2 * count >= back + 1, ratio(total, count, np.inf), np.nan))
    return means


def around(y: np.ndarray, unit: int) -> np.ndarray:
    """Values smoothed over the unit around them: a year later, what was exactly that day's is gone.

    A single period is drawn towards its neighbours, but a peak keeps its height: a feast comes again.
    """
    if unit > 1:
        return shift(trailing_mean(y, unit), -(unit // 2))
    pulls = [shift(y, 1) - y, shift(y, -1) - y]
    usual = pd.DataFrame(np.abs(np.hstack(pulls))).median(axis=1).to_numpy()[:, None]
    return y + 0.15 * sum(np.nan_to_num(np.clip(pull, -GREATEST_PULL * usual, GREATEST_PULL * usual)) for pull in pulls)


def usual(y: np.ndarray, cycle: int) -> np.ndarray:
    """The mean of the same phase in the four seasons before and after, without the greatest and the least."""
    total, count = np.zeros_like(y), np.zeros_like(y)
    greatest, least = np.full_like(y, -np.inf), np.full_like(y, np.inf)
    for back in (-4, -3, -2, -1, 1, 2, 3, 4):
        other = shift(y, cycle * back)
        total += np.nan_to_num(other)
        count += ~np.isnan(other)
        greatest, least = np.fmax(greatest, other), np.fmin(least, other)
    inner = np.where(count > 2, total - np.where(count > 2, greatest, 0) - np.where(count > 2, least, 0), np.nan)
    return ratio(inner, count - 2, np.inf)
