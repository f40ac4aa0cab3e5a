"""Gradient-boosted trees over all series at once (Chen and Guestrin, "XGBoost", 2016).

One model forecasts every series and every step ahead. A training row is a (series, origin, step): what was known at
the origin, and the calendar and known-future columns of the target (ml/forecasting/features.py). Two fits are averaged:
one of the absolute error, which is close to the median, and one of the squared error, which is close to the mean and
weighted to large series.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from ml.forecasting.features import Features, Grid
from ml.forecasting.forecaster import ForecastConfig, repeat_season

ROWS, ROWS_OF_A_SERIES = 100_000, 2_500  # more cost time and hardly move the forecast
UNITS_NEEDED = 4  # of history before the first origin
TARGET_LIMIT = 10.0  # one wild value weighs no more than ten times the size of its series
PARAMETERS = {
    "tree_method": "hist",
    "grow_policy": "lossguide",
    "max_leaves": 31,
    "max_depth": 0,
    "max_bin": 64,
    "eta": 0.14,
    "subsample": 0.8,
    "colsample_bynode": 0.5,
    "nthread": 1,  # on a busy machine two threads spin on each other's barriers and are slower than one
}
ROUNDS = 100  # 250 smaller steps cost twice the time and are no better on any panel
TRUST_IN_YEARS = 0.35  # most of what trees learn from two or three yearly seasons is noise

Rows = tuple[np.ndarray, np.ndarray, np.ndarray]  # series, origins and steps


def forecast(history: pd.DataFrame, future: pd.DataFrame, config: ForecastConfig) -> pd.DataFrame:
    """See `Forecaster`."""
    grid = Grid(history, future, config)
    features = Features(grid)
    made = _fit_and_predict(grid, features, config)
    parts = []
    for index, (name, ahead) in enumerate(future.groupby("unique_id", sort=False)):
        y = grid.y[index, grid.first[index] :]
        reason: str | None = None
        if made is None or len(y) < UNITS_NEEDED * grid.unit + 1:
            reason = f"only {len(y)} periods of history"
        elif np.ptp(y) == 0:
            reason = "constant history"
        values = np.maximum(repeat_season(y, len(ahead), config.season), 0) if made is None or reason else made[index]
        parts.append(pd.DataFrame({"unique_id": name, "ds": ahead["ds"], "y_hat": values, "fallback_reason": reason}))
    return pd.concat(parts, ignore_index=True)


def _fit_and_predict(grid: Grid, features: Features, config: ForecastConfig) -> np.ndarray | None:
    """Forecasts, series by steps; None where no series is long enough to learn from."""
    import xgboost as xgb

    rows = _training_rows(grid, config.seed)
    if not len(rows[0]):
        return None
    series, origins, steps = rows
    size, base = features.size[series, origins], _base(features, rows)
    target = np.clip((grid.y[series, origins + steps] - base) / size, -TARGET_LIMIT, TARGET_LIMIT)
    known = features.rows(*rows)
    count = len(grid.names)
    ahead = (
        np.repeat(np.arange(count), grid.horizon),
        np.full(count * grid.horizon, grid.length - 1),
        np.tile(np.arange(1, grid.horizon + 1), count),
    )
    to_forecast = xgb.DMatrix(features.rows(*ahead), nthread=1)
    grown = np.zeros(len(ahead[0]))
    # a leaf of twenty rows is too coarse where a single short series is all there is
    parameters = PARAMETERS | {"min_child_weight": min(20, len(target) // 50), "seed": config.seed}
    for objective, weight in (("reg:absoluteerror", None), ("reg:squarederror", np.sqrt(size))):
        data = xgb.QuantileDMatrix(known, target, weight=weight, max_bin=PARAMETERS["max_bin"], nthread=1)
        booster = xgb.train(parameters | {"objective": objective}, data, num_boost_round=ROUNDS)
        grown += booster.predict(to_forecast) / 2
    trust = TRUST_IN_YEARS if grid.is_yearly else 1.0
    made = _base(features, ahead) + trust * grown * features.size[ahead[0], ahead[1]]
    return np.maximum(made, 0).reshape(count, grid.horizon)


def _base(features: Features, rows: Rows) -> np.ndarray:
    """What the trees start from: nothing, but in a yearly season the years before."""
    return features.years_before(*rows) if features.grid.is_yearly else np.zeros(len(rows[0]))


def _training_rows(grid: Grid, seed: int) -> Rows:
    """Series, origins and steps, drawn from all that there are."""
    random = np.random.default_rng(seed)
    needed = UNITS_NEEDED * grid.unit
    if grid.is_yearly:
        # what is learned where no year before is known does not hold where one is
        needed = grid.year + UNITS_NEEDED if grid.length > 1.2 * grid.year else max(grid.length // 2, 1)
    earliest = grid.first + needed
    choices = np.maximum(grid.length - 1 - earliest, 0)
    total = int(choices.sum()) * grid.horizon
    if not total:
        return (np.zeros(0, dtype=int),) * 3
    series = random.choice(
        len(choices), size=min(ROWS, ROWS_OF_A_SERIES * len(choices), total), p=choices / choices.sum()
    )
    steps = random.integers(1, grid.horizon + 1, size=len(series))
    origins = earliest[series] + (random.random(len(series)) * (grid.length - steps - earliest[series])).astype(int)
    inside = (origins + steps < grid.length) & (origins >= earliest[series])
    return series[inside], origins[inside], steps[inside]
