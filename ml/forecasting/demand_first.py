"""Demand first: forecast what goes out of each product, and roll its level forward with the deliveries it usually gets.

A model of the level sees deliveries as shocks. Here they follow from what is on the shelf: the lower a level, counted
in days of its own demand, the likelier a delivery, by what came to the category's products at such levels before. Each
store learns from itself alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from ml.cache import cached_file

CODE = Path(__file__).parent
LIBRARIES = ("numpy", "pandas")
SEASON = 7
HISTORY_DAYS = 365  # older deliveries say little about today's rules
PACE_DAYS = 21  # three whole weeks: more of them lag behind a season, fewer are noisy
PROFILE_DAYS = 182  # weekdays, promotions and deliveries change slowly
COVER_BINS = 16  # more would be too fine for a store whose products seldom sell
PATHS = 32  # of each product; a category's sum needs few
SHRINKAGE = 20.0  # product-days of a category at which its own deliveries weigh as much as everybody's
OWN_DELIVERIES = 2.0  # deliveries of a product at which it weighs as much as its category
LEAST_PACE = 0.02  # units a day: whoever sells less has no days of supply to count in
FLOW_COLUMNS = ["unique_id", "category", "ds", "units_out", "units_in", "opening_level"]
ROLLED_COLUMNS = ["unique_id", "ds", "cutoff", "units_out", "level"]


def roll_forward(
    store: str,
    flows: pd.DataFrame,
    promotions: pd.DataFrame,
    *,
    cutoffs: Sequence[pd.Timestamp],
    horizon: int,
    seed: int,
    cache_dir: Path,
) -> list[Path]:
    """Expected units out and level of each product of a store on each day of the horizon, at each cutoff.

    `flows` has a row per product and day with a reading: `unique_id, category, ds, units_out, units_in` (units since
    the reading before) and `opening_level`. `promotions` has `unique_id, ds` for each day on promotion, past and
    planned. Returns a Parquet file of the cache for each cutoff that has a reading before it, since all stores'
    forecasts may not fit into memory: ROLLED_COLUMNS, in units, for the products that were read by the cutoff; the same
    bytes for the same arguments. What a cutoff yields depends on no later reading, so a later build finds its file.
    """
    flows = flows[FLOW_COLUMNS].sort_values(["unique_id", "ds"], ignore_index=True)
    promotions = promotions[["unique_id", "ds"]].sort_values(["unique_id", "ds"])
    files = []
    for cutoff in sorted(cutoffs):
        known = _known(flows, cutoff)
        if known.empty:
            continue
        last = cutoff + pd.Timedelta(days=horizon)
        planned = promotions[promotions["ds"].between(known["ds"].min(), last)]
        planned = planned[planned["unique_id"].isin(known["unique_id"])]
        roll = partial(_roll, store, known, planned, cutoff, horizon, seed)
        parameters = ("demand first", store, cutoff, horizon, seed)
        files.append(cached_file(cache_dir, parameters, [known, planned], roll, code=CODE, libraries=LIBRARIES))
    return files


def no_forecasts() -> pd.DataFrame:
    """What `roll_forward` makes, without rows."""
    # DuckDB gives a column of objects no type where there is no row
    types = {"unique_id": "string", "ds": "datetime64[ns]", "cutoff": "datetime64[ns]"}
    return pd.DataFrame({name: pd.Series(dtype=types.get(name, "float64")) for name in ROLLED_COLUMNS})


def _known(flows: pd.DataFrame, cutoff: pd.Timestamp) -> pd.DataFrame:
    """The flows of HISTORY_DAYS up to the cutoff, and each product's last ones before them: its level holds since."""
    since = cutoff - pd.Timedelta(days=HISTORY_DAYS)
    before = flows[flows["ds"] < since].drop_duplicates("unique_id", keep="last")
    recent = flows[flows["ds"].between(since, cutoff)]
    return pd.concat([before, recent]).sort_values(["unique_id", "ds"], ignore_index=True)


class _Days:
    """Products (rows) by day (columns): units `out` a day, NaN after the last reading, `into`, and closing `level`."""

    def __init__(self, flows: pd.DataFrame, products: pd.Index, days: pd.DatetimeIndex) -> None:
        gap = flows.groupby("unique_id")["ds"].diff().dt.days.fillna(1)
        flows = flows.assign(
            rate=flows["units_out"] / gap, closing=flows["opening_level"] - flows["units_out"] + flows["units_in"]
        )
        recent = flows[flows["ds"] >= days[0]]

        def matrix(column: str) -> pd.DataFrame:
            return recent.pivot(index="unique_id", columns="ds", values=column).reindex(index=products, columns=days)

        # what goes out between two readings is spread evenly over the time between them
        self.out = matrix("rate").bfill(axis=1).to_numpy()
        self.into = np.nan_to_num(matrix("units_in").to_numpy())
        before = flows[flows["ds"] < days[0]].groupby("unique_id")["closing"].last().reindex(products)
        closing = matrix("closing")
        closing.iloc[:, 0] = closing.iloc[:, 0].fillna(before)
        self.level = np.maximum(closing.ffill(axis=1).to_numpy(), 0)


def _promoted(promotions: pd.DataFrame, products: pd.Index, calendar: pd.DatetimeIndex) -> np.ndarray:
    promoted = np.zeros((len(products), len(calendar)), dtype=bool)
    row, column = products.get_indexer(promotions["unique_id"]), calendar.get_indexer(promotions["ds"])
    inside = (row >= 0) & (column >= 0)
    promoted[row[inside], column[inside]] = True
    return promoted


def _roll(
    store: str, known: pd.DataFrame, promotions: pd.DataFrame, cutoff: pd.Timestamp, horizon: int, seed: int
) -> pd.DataFrame:
    """The forecasts at one cutoff, from what is known at it."""
    products = known.drop_duplicates("unique_id", keep="last").set_index("unique_id")
    days = pd.date_range(max(known["ds"].min(), cutoff - pd.Timedelta(days=HISTORY_DAYS)), cutoff)
    history = _Days(known, products.index, days)
    calendar = pd.date_range(days[0], periods=len(days) + horizon)
    promoted = _promoted(promotions, products.index, calendar)
    category = pd.factorize(products["category"])[0]
    weekday = calendar.dayofweek.to_numpy()
    # each store draws numbers of its own, or their sum would stray like one store
    random = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, cutoff.toordinal(), *store.encode()])))
    out, into, level = history.out, history.into, history.level
    past = slice(max(0, len(days) - PROFILE_DAYS), len(days))

    lift = _lift(out[:, past], promoted[:, past], level[:, past], category)[category]
    factor = np.where(promoted, lift[:, None], 1.0)
    # an empty shelf sells nothing, whatever is asked for
    demand = np.where(level > 0, out, np.nan) / factor[:, : len(days)]
    pace = np.nan_to_num(_mean(demand[:, -PACE_DAYS:], axis=1))
    profile = _weekday_profile(demand[:, past], weekday[past], category)
    ahead = slice(len(days), len(days) + horizon)
    expected = pace[:, None] * profile[category][:, weekday[ahead]] * factor[:, ahead]

    usual = pd.DataFrame(demand.T).rolling(PACE_DAYS, min_periods=SEASON).mean().to_numpy().T
    edges, chance, size, low = _deliveries(level, into, np.maximum(usual, LEAST_PACE), past, category)
    on_weekdays = _delivery_weekdays(into[:, past], weekday[past])
    unit = np.maximum(pace, LEAST_PACE)[:, None]
    levels = np.repeat(level[:, -1:], PATHS, axis=1)
    mean_levels = np.empty_like(expected)
    for step in range(horizon):
        hazard = chance[category[:, None], np.searchsorted(edges, levels / unit / low[:, None])]
        arrives = random.random(levels.shape) < hazard * on_weekdays[weekday[len(days) + step]]
        sold = random.poisson(np.repeat(expected[:, step : step + 1], PATHS, axis=1))
        levels = np.maximum(levels - sold, 0) + np.where(arrives, size[:, None] * unit, 0)
        mean_levels[:, step] = levels.mean(axis=1)
    return pd.DataFrame(
        {
            "unique_id": np.repeat(products.index, horizon),
            "ds": np.tile(calendar[ahead], len(products)),
            "cutoff": cutoff.as_unit("ns"),
            "units_out": expected.ravel(),
            "level": mean_levels.ravel(),
        }
    )


def _mean(values: np.ndarray, axis: int) -> np.ndarray:
    """The mean of what is there, NaN where nothing is."""
    counts = (~np.isnan(values)).sum(axis=axis)
    return np.divide(np.nansum(values, axis=axis), counts, out=np.full(counts.shape, np.nan), where=counts > 0)


def _lift(out: np.ndarray, promoted: np.ndarray, level: np.ndarray, category: np.ndarray) -> np.ndarray:
    """By how much a promotion multiplies what goes out, by category: against each product's own other days."""
    sold = np.where(level > 0, out, np.nan)
    usual = _mean(np.where(promoted, np.nan, sold), axis=1)
    on = promoted & ~np.isnan(sold) & ~np.isnan(usual)[:, None]
    count = category.max() + 1
    without = np.bincount(category, np.nan_to_num(usual) * on.sum(axis=1), count)
    with_promotion = np.bincount(category, np.where(on, sold, 0).sum(axis=1), count)
    # as if a week's sales of one unit a day had not moved at all
    return (with_promotion + SEASON) / (without + SEASON)


def _weekday_profile(demand: np.ndarray, weekday: np.ndarray, category: np.ndarray) -> np.ndarray:
    """What goes out on each weekday, relative to the category's mean day."""
    count = category.max() + 1
    daily = np.stack([np.bincount(category, column, count) for column in np.nan_to_num(demand).T], axis=1)
    profile = np.stack([_mean(daily[:, weekday == day], axis=1) for day in range(SEASON)], axis=1)
    usual = np.nanmean(np.nan_to_num(profile), axis=1, keepdims=True)
    return np.where(np.isnan(profile) | (usual == 0), 1.0, profile / np.where(usual == 0, 1, usual))


def _deliveries(
    level: np.ndarray, into: np.ndarray, usual: np.ndarray, past: slice, category: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """When and how much is delivered.

    Returns the edges of classes of cover, each category's chance of a delivery in each class, and for each product the
    usual delivery and the level before it, both in days of its demand. Cover is a level relative to the latter: by it
    products that are ordered early and late look alike.
    """
    since = slice(max(past.start, 1), past.stop)
    before, usual = (values[:, since.start - 1 : since.stop - 1] for values in (level, usual))
    into = into[:, since]
    seen = ~np.isnan(before) & ~np.isnan(usual)
    arrived = (into > 0) & seen
    count = category.max() + 1

    def typical(values: np.ndarray) -> np.ndarray:
        """Days of demand at deliveries: the product's own, the fewer the more the category's."""
        # a mean of ratios would be led by the days on which little was usual
        units, paces = (np.where(arrived, of, 0).sum(axis=1) for of in (values, usual))
        all_units, all_paces = (np.bincount(category, of, count) for of in (units, paces))
        shared = np.divide(all_units, all_paces, out=np.zeros(count), where=all_paces > 0)[category]
        weight = OWN_DELIVERIES * np.divide(paces, arrived.sum(axis=1), out=np.ones(len(paces)), where=paces > 0)
        return (units + weight * shared) / (paces + weight)

    size, low = typical(into), np.maximum(typical(before), 1.0)
    if not arrived.any():
        return np.zeros(COVER_BINS - 1), np.zeros((count, COVER_BINS)), size, low
    cover = before / usual / low[:, None]
    edges = np.quantile(cover[seen], np.linspace(0, 1, COVER_BINS + 1)[1:-1])
    cell = (category[:, None] * COVER_BINS + np.searchsorted(edges, np.nan_to_num(cover)))[seen]
    cells = count * COVER_BINS
    days = np.bincount(cell, minlength=cells).reshape(count, COVER_BINS)
    deliveries = np.bincount(cell, arrived[seen], cells).reshape(count, COVER_BINS)
    everybody = deliveries.sum(axis=0) / np.maximum(days.sum(axis=0), 1)
    return edges, (deliveries + SHRINKAGE * everybody) / (days + SHRINKAGE), size, low


def _delivery_weekdays(into: np.ndarray, weekday: np.ndarray) -> np.ndarray:
    """How likely a delivery is on each weekday, relative to the mean day."""
    arrived = np.array([(into[:, weekday == day] > 0).sum() for day in range(SEASON)]) + 1.0
    relative: np.ndarray = arrived / arrived.mean()
    return relative
