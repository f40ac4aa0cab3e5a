"""Seasonal ARIMA, one model a series (Box and Jenkins), as in statsmodels' SARIMAX."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd

from ml.forecasting.forecaster import ForecastConfig, each_series

SEASONS_KEPT = 40  # more history slows the fit and hardly moves it
LONGEST_SEASONAL_STATE = 24  # a seasonal moving average keeps one state a period: too many beyond this
SEASONS_FOR_AVERAGE = 4  # a seasonal moving average cannot be estimated from fewer
ITERATIONS = 10  # forty of them gain .01 of the seasonal naive's error for twice the time


def forecast(history: pd.DataFrame, future: pd.DataFrame, config: ForecastConfig) -> pd.DataFrame:
    """See `Forecaster`. ARIMA(1,0,1)(0,1,1) with the season; known-future columns are regressors.

    Where the season is long, such as the 52 weeks of a year, or the history short: ARIMA(1,0,1)(0,1,0).
    """
    return each_series(_fit, history, future, config, seasons_needed=2)


def _fit(history: pd.DataFrame, future: pd.DataFrame, config: ForecastConfig) -> np.ndarray:
    kept = history.tail(SEASONS_KEPT * config.season)
    y, season = kept["y"].to_numpy(), config.season
    known = pd.concat([kept, future])[list(config.future_columns)].to_numpy()
    if season == 1:
        return _sarimax(y, known, len(future), (1, 1, 1), (0, 0, 0, 0))
    if season <= LONGEST_SEASONAL_STATE and len(y) >= SEASONS_FOR_AVERAGE * season:
        return _sarimax(y, known, len(future), (1, 0, 1), (0, 1, 1, season))
    # the difference to the season before, taken by hand: statsmodels would carry a state for each period of the season
    changes = _sarimax(y[season:] - y[:-season], known[season:] - known[:-season], len(future), (1, 0, 1), (0, 0, 0, 0))
    forecast = np.append(y, changes)
    for period in range(len(y), len(forecast)):
        forecast[period] += forecast[period - season]
    return forecast[len(y) :]


def _sarimax(
    y: np.ndarray,
    known: np.ndarray,
    horizon: int,
    order: tuple[int, int, int],
    seasonal_order: tuple[int, int, int, int],
) -> np.ndarray:
    from statsmodels.tsa.statespace.sarimax import SARIMAX

    known = known[:, np.ptp(known[: len(y)], axis=0) > 0]
    regressors = {"exog": known[: len(y)]} if known.shape[1] else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = SARIMAX(y, order=order, seasonal_order=seasonal_order, concentrate_scale=True, **regressors)
        # nobody reads the covariance of the parameters, which takes longer than the fit
        fitted = model.fit(disp=False, maxiter=ITERATIONS, cov_type="none")
        ahead = {"exog": known[len(y) :]} if regressors else {}
        return np.asarray(fitted.forecast(horizon, **ahead))
