"""Prophet, one model a series (Taylor and Letham, "Forecasting at scale", 2018)."""

from __future__ import annotations

import logging

import numpy as np
import pandas as pd

from ml.forecasting.forecaster import ForecastConfig, each_series

SEASONS_KEPT = 110  # two years of weeks: what the yearly season needs
RECENT_SEASONS = 4  # by whose errors the forecast is moved
TRUST_IN_RECENT = 0.7


def forecast(history: pd.DataFrame, future: pd.DataFrame, config: ForecastConfig) -> pd.DataFrame:
    """See `Forecaster`. Known-future columns are regressors; the intervals are made elsewhere, so none are sampled."""
    return each_series(_fit, history, future, config, seasons_needed=2)


def _fit(history: pd.DataFrame, future: pd.DataFrame, config: ForecastConfig) -> np.ndarray:
    # each sets a level of its own when it is imported or first logs
    for name in ("prophet", "prophet.plot", "cmdstanpy"):
        logging.getLogger(name).disabled = True
    from prophet import Prophet

    kept = history.tail(SEASONS_KEPT * config.season)
    changing = [column for column in config.future_columns if kept[column].nunique() > 1]
    # under names of our own: Prophet takes no regressor called holidays, trend or season
    columns = [f"known_{place}" for place in range(len(changing))]
    kept = kept[["ds", "y", *changing]].set_axis(["ds", "y", *columns], axis=1)
    future = future[["ds", *changing]].set_axis(["ds", *columns], axis=1)
    period = pd.Timedelta(kept["ds"].diff().median())
    span = kept["ds"].iloc[-1] - kept["ds"].iloc[0]
    days = period * config.season / pd.Timedelta(days=1)
    waves = max(min(config.season // 2, 10), 1)
    is_yearly = abs(days - 365) < 15  # twelve months, or 52 weeks, are a year of 365.25 days
    model = Prophet(
        # where the season is not the week, such as a day of hours, the week counts as well
        weekly_seasonality=3 if period < pd.Timedelta(days=1) and span >= pd.Timedelta(days=14) else False,
        daily_seasonality=False,
        # within its first year a yearly wave looks like a trend
        yearly_seasonality=(waves if is_yearly else 6) if span >= pd.Timedelta(days=540) else False,
        # weekdays, promotions and the time of the year move a shop's sales by shares, not by units
        seasonality_mode="multiplicative",
        uncertainty_samples=0,
    )
    if config.season > 1 and not is_yearly:
        model.add_seasonality("season", period=days, fourier_order=waves)
    for column in columns:
        model.add_regressor(column)
    model.fit(kept, seed=config.seed)
    # the trend is stiff, so what the last weeks were off mostly stays
    recent = kept.tail(RECENT_SEASONS * (1 if is_yearly else config.season))
    made = model.predict(pd.concat([recent, future])[["ds", *columns]])["yhat"].to_numpy()
    off = recent["y"].to_numpy() - made[: len(recent)]
    return np.asarray(made[len(recent) :] + TRUST_IN_RECENT * off.mean())
