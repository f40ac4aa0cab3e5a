"""Gradient-boosted trees over all series at once (Chen and Guestrin, "XGBoost", 2016).

One model forecasts every series and every step ahead. Each training row is a (series, origin, step): what was known at
the origin, and the calendar and known-future columns of the target period. All levels are taken relative to the mean
of the last same-phase values and divided by the series' size at the origin, so that large and small series look alike.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from ml.forecasting.forecaster import ForecastConfig, repeat_season

PHASES = 4  # same-phase values that make the base
ROWS_WANTED = 60_000  # more rows cost time and hardly move the forecast
TARGET_LIMIT = 10.0  # one wild value weighs no more than ten times the size of its series
PARAMETERS = {
    "objective": "reg:squarederror",
    "max_depth": 6,
    "eta": 0.05,
    "subsample": 0.8,
    "colsample_bytree": 0.8,
    "min_child_weight": 20,
    "lambda": 2.0,
    "tree_method": "hist",
    "max_bin": 64,
    "nthread": 1,  # on a busy machine two threads spin on each other's barriers and are slower than one
}
ROUNDS = 150


def forecast(history: pd.DataFrame, future: pd.DataFrame, config: ForecastConfig) -> pd.DataFrame:
    """See `Forecaster`."""
    import xgboost as xgb

    needed = config.season * (PHASES + 1)
    series = dict(tuple(history.groupby("unique_id", sort=False)))
    horizon = int(future.groupby("unique_id").size().max())
    long_enough = [name for name, frame in series.items() if len(frame) >= needed + horizon]
    rows_of_all = sum(len(series[name]) - needed - horizon + 1 for name in long_enough) * horizon
    stride = max(1, round(rows_of_all / ROWS_WANTED))
    train = [_training_rows(series[name], config, horizon, needed, stride) for name in long_enough]

    booster = None
    if train:
        features, target = (np.concatenate(part) for part in zip(*train, strict=True))
        booster = xgb.train(PARAMETERS | {"seed": config.seed}, xgb.DMatrix(features, target), num_boost_round=ROUNDS)
    parts = []
    for name, ahead in future.groupby("unique_id", sort=False):
        y = series[name]["y"].to_numpy()
        simple = np.maximum(repeat_season(y, len(ahead), config.season), 0)
        reason: str | None = None
        forecast = simple
        if booster is None or len(y) < needed:
            reason = f"only {len(y)} periods of history"
        elif np.ptp(y) == 0:
            reason = "constant history"
        else:
            known = np.concatenate([_known(series[name], config), _known(ahead, config)])
            features, base, size = _features(y, known, len(y) - 1, np.arange(1, len(ahead) + 1), config)
            forecast = np.maximum(base + size * booster.predict(xgb.DMatrix(features)), 0)
        parts.append(ahead[["unique_id", "ds"]].assign(y_hat=forecast.astype(float), fallback_reason=reason))
    return pd.concat(parts, ignore_index=True)


def _training_rows(
    frame: pd.DataFrame, config: ForecastConfig, horizon: int, needed: int, stride: int
) -> tuple[np.ndarray, np.ndarray]:
    y = frame["y"].to_numpy()
    known = _known(frame, config)
    steps = np.arange(1, horizon + 1)
    blocks, targets = [], []
    # newest origins first, so that thinning keeps the most recent one
    for origin in range(len(y) - horizon - 1, needed - 2, -stride):
        features, base, size = _features(y, known, origin, steps, config)
        blocks.append(features)
        targets.append(np.clip((y[origin + steps] - base) / size, -TARGET_LIMIT, TARGET_LIMIT))
    return np.concatenate(blocks), np.concatenate(targets)


def _known(frame: pd.DataFrame, config: ForecastConfig) -> np.ndarray:
    """Calendar and known-future columns of each period."""
    ds = frame["ds"].dt
    calendar = [ds.dayofweek, ds.day, ds.dayofyear, ds.hour]
    return np.column_stack([*calendar, *(frame[column] for column in config.future_columns)]).astype(float)


def _features(
    y: np.ndarray, known: np.ndarray, origin: int, steps: np.ndarray, config: ForecastConfig
) -> tuple[np.ndarray, np.ndarray, float]:
    """Features of the steps ahead of an origin (steps by features), the base of each step, and the series' size.

    Of `y` only values up to the origin are looked at; `known` reaches as far as the last step.
    """
    season = config.season
    seen = y[: origin + 1]
    recent = seen[-season * PHASES :]
    longest = seen[-season * PHASES * 4 :]
    # a quiet month of a sparse series must not make its next sale look enormous
    size = max(float(np.abs(longest).mean()), 0.1 * float(np.abs(seen).max())) or 1.0
    # the newest period in phase with the step that was known at the origin, and those a season apart before it
    newest = origin + steps - season * np.ceil(steps / season).astype(int)
    positions = newest[:, None] - season * np.arange(PHASES)
    phases = y[positions]
    base = phases.mean(axis=1)
    # a base that was sold on promotion says something else of the target than one that was not
    planned = known[:, known.shape[1] - len(config.future_columns) :]
    plan_change = planned[origin + steps] - planned[positions].mean(axis=1)
    plan_before = planned[newest]
    levels = np.array(
        [seen[-1], recent[-season:].mean(), np.median(recent), recent.min(), recent.max(), longest.mean()]
    )
    relative = (np.column_stack([phases, np.tile(levels, (len(steps), 1))]) - base[:, None]) / size
    shape = np.array([recent.std() / size, (recent == 0).mean(), (recent[-1] - recent[-2]) / size])
    return (
        np.column_stack(
            [steps, relative, np.tile(shape, (len(steps), 1)), known[origin + steps], plan_change, plan_before]
        ),
        base,
        size,
    )
