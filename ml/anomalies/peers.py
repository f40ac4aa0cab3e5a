"""Takes away what the series of a panel share on a day: a holiday is no anomaly of any of them."""

from __future__ import annotations

import numpy as np

from ml.anomalies.innovations import CLIP, Innovations, least_spread, spread_of

FEWEST = 2  # peers; fewer share nothing
OWN_COUNTS_UP_TO = 20  # members of a group; among more, a series' own value hardly moves the median
# a series may have so much more or less of what its peers share: that is uncertainty
UNEVEN = 0.3
FORGETTING = 0.003
LEARNED_PEERS = 5
LEAST_CORRELATION = 0.2
CHANCE = 3.0  # standard deviations that a correlation may reach by chance among many pairs
LARGEST = 4.0  # standard deviations; without it one day would decide a correlation


def without_group(
    innovations: Innovations, own: np.ndarray, others: Innovations, theirs: np.ndarray, is_same: np.ndarray
) -> Innovations:
    """Take away what the members of each series' group share.

    `own` and `theirs` number the groups of `innovations` and of `others` (-1: none). `is_same` holds for each series
    its row in `others`, -1 if it has none.
    """
    fast, slow = np.full(innovations.y.shape, np.nan), np.full(innovations.y.shape, np.nan)
    for group in np.unique(own[own >= 0]):
        members = np.flatnonzero(theirs == group)
        series = np.flatnonzero(own == group)
        if len(members) > OWN_COUNTS_UP_TO:
            fast[series], slow[series] = cautious_median(others.fast[members]), cautious_median(others.slow[members])
            continue
        for row in series:
            rest = members[members != is_same[row]]
            if len(rest) >= FEWEST:
                fast[row], slow[row] = cautious_median(others.fast[rest]), cautious_median(others.slow[rest])
    return _without(innovations, fast, slow)


def without_learned(
    innovations: Innovations, others: Innovations, is_same: np.ndarray, blocks: list[tuple[int, int]]
) -> Innovations:
    """Take away what the five series share that have so far moved most alike. `blocks`:
    the spans of periods, each judged by the correlations before it."""
    fast, slow = np.full(innovations.y.shape, np.nan), np.full(innovations.y.shape, np.nan)
    own, theirs = _standardised(innovations), _standardised(others)
    for start, end in blocks:
        correlation = _correlation(own[:, :start], theirs[:, :start])
        has_row = is_same >= 0
        correlation[np.flatnonzero(has_row), is_same[has_row]] = -1
        nearest = np.argsort(-correlation, axis=1, kind="stable")[:, :LEARNED_PEERS]
        alike = np.take_along_axis(correlation, nearest, axis=1) >= max(LEAST_CORRELATION, CHANCE / np.sqrt(start))
        for row in np.flatnonzero(alike.sum(axis=1) >= FEWEST):
            chosen = nearest[row, alike[row]]
            fast[row, start:end] = cautious_median(others.fast[chosen, start:end])
            slow[row, start:end] = cautious_median(others.slow[chosen, start:end])
    return _without(innovations, fast, slow)


def cautious_median(values: np.ndarray) -> np.ndarray:
    """Median of each column; of two middle values the one nearer to 0, and 0 where they point in opposite directions.

    So an anomaly of one of two peers does not count as shared. NaN for fewer than FEWEST values.
    """
    ordered = np.sort(values, axis=0)  # NaN goes last
    count = np.isfinite(ordered).sum(axis=0)
    lower, upper = np.maximum((count - 1) // 2, 0), np.minimum(count // 2, len(values) - 1)
    low, high = (np.take_along_axis(ordered, at[None], axis=0)[0] for at in (lower, upper))
    nearer = np.where(low * high > 0, np.sign(low) * np.minimum(np.abs(low), np.abs(high)), 0.0)
    return np.where(count >= FEWEST, np.where(lower == upper, low, nearer), np.nan)


def _without(innovations: Innovations, fast: np.ndarray, slow: np.ndarray) -> Innovations:
    """Take away of what is shared as much as each series had of it so far (least squares)."""
    fast, slow = np.nan_to_num(fast), np.nan_to_num(slow)
    of_fast = _share(innovations.fast, fast, innovations.spread_fast, innovations.learned) * fast
    of_slow = _share(innovations.slow, slow, innovations.spread_slow, innovations.learned) * slow
    rest_fast, rest_slow = innovations.fast - of_fast, innovations.slow - of_slow
    least = least_spread(innovations.expected)
    return innovations._replace(
        fast=rest_fast,
        slow=rest_slow,
        spread_fast=spread_of(rest_fast, innovations.learned, least),
        spread_slow=spread_of(rest_slow, innovations.learned, least),
        shared=innovations.shared + of_fast,
        uneven=np.hypot(innovations.uneven, UNEVEN * fast),
    )


def _share(values: np.ndarray, common: np.ndarray, spread: np.ndarray, learned: np.ndarray) -> np.ndarray:
    """How much of what is shared each series had so far, before each period: 0 to 1.5, near 0 at first.

    Days on which much was shared count most. What a series did beyond that counts up to CLIP deviations.
    """
    moved, squares = np.zeros(len(values)), np.zeros(len(values))
    shares = np.empty(values.shape)
    for period in range(values.shape[1]):
        value, shared, one = values[:, period], common[:, period], spread[:, period]
        shares[:, period] = np.clip(moved / (squares + 3 * one**2), 0, 1.5)
        counts = learned[:, period] & np.isfinite(value)
        together = (shared + np.clip(value - shared, -CLIP * one, CLIP * one)) * shared
        moved = np.where(counts, (1 - FORGETTING) * moved + together, moved)
        squares = np.where(counts, (1 - FORGETTING) * squares + shared**2, squares)
    return shares


def _standardised(innovations: Innovations) -> np.ndarray:
    ratio = np.clip(innovations.fast / innovations.spread_fast, -LARGEST, LARGEST)
    return np.where(innovations.learned, np.nan_to_num(ratio), 0.0)


def _correlation(own: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """Of each row with each; -1 for a constant row."""
    left, right = (rows - rows.mean(axis=1, keepdims=True) for rows in (own, theirs))
    sizes = np.outer(np.sqrt((left**2).sum(axis=1)), np.sqrt((right**2).sum(axis=1)))
    return np.where(sizes > 0, (left @ right.T) / np.where(sizes > 0, sizes, 1), -1.0)
