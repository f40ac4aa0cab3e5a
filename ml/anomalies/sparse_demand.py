"""How rare sales are where most periods sell nothing.

There, a deviation from what was expected says little: every sale is far from a level near 0. So a sale is compared with
earlier sales. Their sizes are taken for exponential with an unknown mean, which gives a Lomax distribution: the fewer
sales are known, the longer its tail. Numbers of sales are taken for beta-binomial, since sales come in clusters.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import special

SPARSE = 0.2  # chance of a sale in a period, below which a series is sparse
REMEMBERED_SALES = 20  # with more, the tail would be that of an exponential distribution: too short for real sales
REMEMBERED_PERIODS = 365
FIRST_UNITS = 1.0  # one more sale of so many units, as long as few are known
LARGEST_TIMES = 4.0  # the mean size: a larger sale counts so much, since an anomaly must not become usual
KNOWN_PERIODS = 30.0  # from which the chance of a sale is taken to be known: the fewer, the more do sales cluster


def rarity_of_sales(y: np.ndarray, learned: np.ndarray, windows: Sequence[int]) -> tuple[np.ndarray, list[np.ndarray]]:
    """Which values belong to a sparse series; and how rare are the size of each, the number of sales in each of the
    windows that it ends, and the time without a sale before it (series by periods).

    In standard deviations: a chance of 10^-d is as rare as a normal value beyond about 2.15 times the root of d. No
    value depends on a later period.
    """
    is_sale = np.nan_to_num(y) != 0
    chance, size_digits = _chances(y, is_sale, learned)
    sizes = np.where(is_sale, size_digits - np.log10(chance), 0.0)
    total, ends = np.cumsum(is_sale, axis=1), np.arange(y.shape[1])
    sales = []
    for window in windows:
        starts = np.maximum(ends - window + 1, 0)
        count = total - total[:, starts] + is_sale[:, starts]
        sales.append(-np.log10(_so_many(count, window, chance[:, starts])))
    a, b = KNOWN_PERIODS * chance, KNOWN_PERIODS * (1 - chance)
    none = (special.betaln(a, b) - special.betaln(a, b + _periods_since(is_sale, np.isfinite(y)))) / np.log(10)
    sign = np.sign(np.nan_to_num(y))
    digits = [sizes, *sales, np.maximum(none, 0)]
    rarities = [2.15 * np.sqrt(each) for each in digits]
    return chance < SPARSE, [sign * rarities[0], *rarities[1:]]


def _chances(y: np.ndarray, is_sale: np.ndarray, learned: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The chance of a sale in each period; and of one at least as large as the value, as -log10."""
    periods, sales, share, mean = (np.zeros(len(y)) for _ in range(4))
    chances, digits = np.zeros(y.shape), np.zeros(y.shape)
    for period, size in enumerate(np.abs(np.nan_to_num(y)).T):
        known = np.minimum(sales, REMEMBERED_SALES)
        units = known * mean + FIRST_UNITS
        chances[:, period] = np.clip(share, 1 / (periods + 3), 1 - 1 / (periods + 3))
        digits[:, period] = (known + 1) * np.log10(1 + size / units)
        counts = learned[:, period]
        sold = counts & is_sale[:, period]
        tempered = np.minimum(size, LARGEST_TIMES * units / (known + 1))
        mean = np.where(sold, mean + (tempered - mean) / (known + 1), mean)
        rate = np.maximum(1 / REMEMBERED_PERIODS, 1 / (periods + 1))
        share = np.where(counts, share + rate * (sold - share), share)
        periods, sales = periods + counts, sales + sold
    return chances, digits


def _so_many(count: np.ndarray, window: int, chance: np.ndarray) -> np.ndarray:
    """The chance of at least so many sales in a window, by the beta-binomial distribution."""
    a, b = KNOWN_PERIODS * chance, KNOWN_PERIODS * (1 - chance)
    exactly = np.exp(special.betaln(a, b + window) - special.betaln(a, b))
    fewer = np.zeros(count.shape)
    for number in range(window):
        fewer += np.where(number < count, exactly, 0)
        exactly *= (window - number) / (number + 1) * (a + number) / (b + window - number - 1)
    return np.clip(1 - fewer, np.finfo(float).eps, 1)


def _periods_since(is_sale: np.ndarray, is_read: np.ndarray) -> np.ndarray:
    """Periods that were read since the last sale, 0 before the first."""
    read = np.cumsum(is_read, axis=1)
    since: np.ndarray = read - np.maximum.accumulate(np.where(is_sale, read, 0), axis=1)
    return np.where(since < read, since, 0)
