"""What the tree model knows: a panel as arrays of series by periods, and the features of a (series, origin, step).

Levels are divided by the series' size at the origin, so that large and small series look alike.
"""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from ml.forecasting.forecaster import ForecastConfig
from ml.forecasting.period_means import around, at, group_mean, phase_means, ratio, trailing_mean, usual

DAY = pd.Timedelta(days=1)
YEARS_KEPT = 4  # of history: what lies further back says little of today
LEVELS = (1, 2, 4, 8, 13, 26, 52)  # units (weeks of a daily panel) that a level is the mean of
YEARS_BACK = (1, 2)
NEARNESS = ("before_holiday", "after_holiday")  # known-future columns that say how near a day is
PLANS_TOLD_APART = 24  # values of a known-future column; beyond, it is cut into classes
PARTS_OF_IDS = 3
GREATEST_EFFECT = 3.0


class Grid:
    """A panel as arrays of series by periods, all ending at the cutoff, with the calendar of the periods ahead.

    `y` is series by periods, NaN before a series begins; `plans` are the known-future columns, columns by series by
    periods with the horizon; `ds` are the periods with the horizon. A `unit` is the season, or a week where the
    season is a year; `year` is a whole number of units, so that it compares Mondays with Mondays.
    """

    def __init__(self, history: pd.DataFrame, future: pd.DataFrame, config: ForecastConfig) -> None:
        lengths = history.groupby("unique_id", sort=False).size()
        count, horizon = len(lengths), len(future) // len(lengths)
        longest = int(lengths.max())
        self.names, self.season, self.horizon = list(lengths.index), config.season, horizon
        rows = np.repeat(np.arange(count), lengths)
        periods = longest - np.repeat(lengths.to_numpy(), lengths) + history.groupby("unique_id").cumcount().to_numpy()
        dates = history["ds"].to_numpy()[rows == int(np.argmax(lengths))]
        self.ds = pd.DatetimeIndex(np.append(dates, future["ds"].to_numpy()[:horizon]))
        self.period = pd.Timedelta(np.median(np.diff(self.ds)))
        weeks = self.period <= 7 * DAY
        self.year = max(round((364 if weeks else 365) * DAY / self.period), 1)
        self.is_yearly = config.season > self.year // 4
        self.unit = max(self.year // 52, 1) if self.is_yearly else config.season
        kept = min(longest, YEARS_KEPT * self.year)
        self.length, self.ds = kept, self.ds[longest - kept :]
        self.y = np.full((count, longest), np.nan)
        self.y[rows, periods] = history["y"].to_numpy()
        self.y = self.y[:, longest - kept :]
        self.first = np.maximum(kept - lengths.to_numpy(), 0)
        self.is_nearness = np.isin(config.future_columns, NEARNESS)
        self.plans = np.full((len(config.future_columns), count, longest + horizon), np.nan)
        for plan, column in zip(self.plans, config.future_columns, strict=True):
            plan[rows, periods] = history[column].to_numpy()
            plan[:, longest:] = future[column].to_numpy().reshape(count, horizon)
        self.plans = self.plans[:, :, longest - kept :]


class Features:
    """The features of a grid. Nothing after the origin of a row is looked at, but its known-future columns."""

    def __init__(self, grid: Grid) -> None:
        self.grid, y, unit = grid, grid.y, grid.unit
        self.groups = _groups(grid.names)
        self.levels = {units: trailing_mean(y, units * unit) for units in LEVELS}
        so_far = trailing_mean(np.abs(y), y.shape[1], least=1)
        # a quiet month of a sparse series must not make its next sale look enormous
        size = np.fmax(
            np.fmax(trailing_mean(np.abs(y), 8 * unit), 0.3 * trailing_mean(np.abs(y), 52 * unit)), 0.1 * so_far
        )
        self.size = np.where(size > 0, size, 1.0)
        with np.errstate(invalid="ignore"):
            self.spread = np.sqrt(np.maximum(trailing_mean(y**2, 4 * unit) - self.levels[4] ** 2, 0))
        self.zeros = trailing_mean(np.where(np.isnan(y), np.nan, y == 0), 8 * unit)
        self.phases = {cycle: phase_means(y, cycle) for cycle in self._cycles()}
        self.near = around(y, unit)
        self.profiles = self._group_means(ratio(self.near, self.levels[52]))
        self.profile_levels = [trailing_mean(profile, 4 * unit) for _, profile in self.profiles]
        self.peers = [means for units in (1, 4) for means in self._group_means(self.levels[units] / self.size)]
        self.plan_means = [_PlanMeans(grid, codes) for codes in self._plan_codes()]
        self.easter, self.anniversaries = _anniversaries(grid.ds)
        if grid.period == DAY:
            effect = np.clip((y - usual(y, unit)) / self.size, -GREATEST_EFFECT, GREATEST_EFFECT)
            self.effects = [(np.arange(len(y)), effect), *self._group_means(effect)]

    def _group_means(self, values: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        """For each grouping the number of each series' group, and the means, groups by periods."""
        return [(code, group_mean(values, code)) for code in self.groups]

    def _cycles(self) -> list[int]:
        season, week = self.grid.season, round(7 * DAY / self.grid.period)
        cycles = [] if self.grid.is_yearly or season == 1 else [season]
        return cycles + ([week] if self.grid.period < DAY and week != season else [])

    def _plan_codes(self) -> list[np.ndarray]:
        """What is planned in each period as a number; the same with the phase of the season.

        Nearness is no part of it: hardly two periods would have the same plan.
        """
        plans = self.grid.plans[~self.grid.is_nearness]
        if not len(plans):
            return []
        codes = np.zeros(self.grid.plans.shape[1:], dtype=np.int64)
        for plan in np.nan_to_num(plans):
            values = np.unique(plan)
            if len(values) > PLANS_TOLD_APART:
                values = np.quantile(plan, (0.2, 0.4, 0.6, 0.8))
            code = np.searchsorted(values, plan)
            codes = codes * (code.max() + 1) + code
        phase = np.arange(codes.shape[1]) % (1 if self.grid.is_yearly else self.grid.season)
        return [codes, codes * (phase.max() + 1) + phase]

    def years_before(self, series: np.ndarray, origins: np.ndarray, steps: np.ndarray) -> np.ndarray:
        """The mean of a year and of two years before, in units of y, each times the change of the level since then.

        The change counts to the power of three quarters, for a part of it dies away. Where no year before is known,
        the level.
        """
        total, count = np.zeros(len(series)), np.zeros(len(series))
        for years in YEARS_BACK:
            change = ratio(
                at(self.levels[8], series, origins), at(self.levels[8], series, origins - years * self.grid.year)
            )
            change = np.clip(np.where(np.isnan(change), 1.0, change), 0.2, 5.0) ** 0.75
            then = at(self.near, series, origins + steps - years * self.grid.year) * change
            total += np.nan_to_num(then)
            count += ~np.isnan(then)
        return np.where(count > 0, total / np.maximum(count, 1), self.size[series, origins])

    def rows(self, series: np.ndarray, origins: np.ndarray, steps: np.ndarray) -> np.ndarray:
        """The features of rows: rows by features, NaN where unknown."""
        grid, targets, year = self.grid, origins + steps, self.grid.year
        size = self.size[series, origins]
        columns = [steps, np.log1p(size), grid.y[series, origins] / size, series]
        columns += [at(level, series, origins) / size for level in (*self.levels.values(), self.spread)]
        columns += [at(self.zeros, series, origins)]
        for cycle, means in self.phases.items():
            newest = targets - cycle * -(-steps // cycle)
            columns += [at(mean, series, newest) / size for mean in means]
        for years in YEARS_BACK:
            change = ratio(at(self.levels[4], series, origins), at(self.levels[4], series, origins - years * year))
            columns += [
                ratio(at(values, series, targets - years * year) * change, size) for values in (grid.y, self.near)
            ]
            columns.append(
                ratio(at(self.levels[13], series, origins), at(self.levels[13], series, origins - years * year))
            )
        for (code, profile), level in zip(self.profiles, self.profile_levels, strict=True):
            columns.append(ratio(at(profile, code[series], targets - year), at(level, code[series], origins - year)))
        columns += [at(means, code[series], origins) for code, means in self.peers]
        columns += [code[series] for code in self.groups[1:]]
        columns += [getattr(grid.ds, name).to_numpy()[targets] for name in self._calendar()]
        columns.append(self.easter[targets])
        if grid.period == DAY:
            for earlier in self.anniversaries:
                # an effect looks at the weeks around its day, so these must lie before the origin
                days = np.where(earlier[targets] + 5 * grid.unit <= origins, earlier[targets], -1)
                columns += [at(effect, code[series], days) for code, effect in self.effects]
        for plan in grid.plans:
            columns += [at(plan, series, targets + lead) for lead in (-1, 0, 1)]
        columns += [means.of(series, origins, targets) / size for means in self.plan_means]
        return np.column_stack([np.asarray(column, dtype=np.float32) for column in columns])

    def _calendar(self) -> list[str]:
        names = ["dayofyear"]
        if self.grid.period <= DAY:
            names += ["dayofweek", "day"]
        return names + (["hour"] if self.grid.period < DAY else [])


class _PlanMeans:
    """What a series was, in the year before an origin, in the periods that had the same plan as a target."""

    def __init__(self, grid: Grid, codes: np.ndarray) -> None:
        self.codes = pd.factorize(codes.ravel(), sort=True)[0].reshape(codes.shape)
        self.y, self.year = grid.y, grid.year

    def of(self, series: np.ndarray, origins: np.ndarray, targets: np.ndarray) -> np.ndarray:
        wanted, result = self.codes[series, targets], np.full(len(series), np.nan)
        known = self.codes[:, : self.y.shape[1]]
        for code in np.unique(wanted):
            same = (known == code) & ~np.isnan(self.y)
            total, count = np.cumsum(np.where(same, self.y, 0.0), axis=1), np.cumsum(same, axis=1)
            rows = np.flatnonzero(wanted == code)
            of, to = series[rows], origins[rows]
            since = np.maximum(to - self.year, 0)
            result[rows] = ratio(total[of, to] - total[of, since], count[of, to] - count[of, since], np.inf)
        return result


def _groups(names: list[str]) -> list[np.ndarray]:
    """Numbers for what series have in common: everything, and the parts of ids such as store|category."""
    groups = [np.zeros(len(names), dtype=int)]
    parts = [re.split(r"[^0-9A-Za-z]+", name) for name in names]
    if len({len(part) for part in parts}) > 1:
        return groups
    for part in zip(*parts, strict=True):
        code = np.unique(part, return_inverse=True)[1]
        if 1 <= code.max() < len(names) // 2 and not any(np.array_equal(code, other) for other in groups):
            groups.append(code)
    return groups[: PARTS_OF_IDS + 1]


def _anniversaries(ds: pd.DatetimeIndex) -> tuple[np.ndarray, list[np.ndarray]]:
    """Days from Easter; and for each day the position of the last one a year before, -1 if unknown: on the same date,
    the same weekday of the month, and as far from Easter. Feasts and customs keep to one of the three, whatever the
    country.
    """
    from dateutil.easter import easter

    position = {day: index for index, day in enumerate(ds)}
    feasts = {year: pd.Timestamp(easter(year)) for year in range(ds[0].year - 1, ds[-1].year + 2)}

    def from_easter(day: pd.Timestamp) -> int:
        return min(((day - feasts[day.year + years]).days for years in (-1, 0, 1)), key=abs)

    def same_weekday(day: pd.Timestamp) -> pd.Timestamp:
        first = pd.Timestamp(day.year - 1, day.month, 1)
        return first + DAY * ((day.dayofweek - first.dayofweek) % 7 + (day.day - 1) // 7 * 7)

    distance = np.array([from_easter(day) for day in ds])
    earlier = (
        [day - pd.DateOffset(years=1) for day in ds],
        [same_weekday(day) for day in ds],
        [feasts[day.year - 1] + (day - feasts[day.year]) for day in ds],
    )
    return np.clip(distance, -60, 60), [np.array([position.get(day, -1) for day in days]) for days in earlier]
