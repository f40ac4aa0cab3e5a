"""Seasonal ARIMA, one model a series (Box and Jenkins), as in statsmodels' SARIMAX."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd

from ml.forecasting.forecaster import ForecastConfig, each_series

SEASONS_KEPT = 40  # more history slows the fit and hardly moves it
LONGEST_SEASONAL_STATE = 24  # a seasonal moving average keeps one state a period: too many beyond this


def forecast(history: pd.DataFrame, future: pd.DataFrame, config: ForecastConfig) -> pd.DataFrame:
    """See `Forecaster`. ARIMA(1,0,1)(0,1,1) with the season; known-future columns are regressors."""
    return each_series(_fit, history, future, config, seasons_needed=3)


def _fit(history: pd.DataFrame, future: pd.DataFrame, config: ForecastConfig) -> np.ndarray:
    from statsmodels.tsa.statespace.sarimax import SARIMAX

    kept = history.tail(SEASONS_KEPT * config.season)
    columns = [column for column in config.future_columns if kept[column].nunique() > 1]
    seasonal = (0, 1, int(config.season <= LONGEST_SEASONAL_STATE), config.season) if config.season > 1 else (0,) * 4
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = SARIMAX(
            kept["y"].to_numpy(),
            exog=kept[columns].to_numpy() if columns else None,
            order=(1, 0, 1) if config.season > 1 else (1, 1, 1),
            seasonal_order=seasonal,
            enforce_stationarity=True,
            concentrate_scale=True,
        )
        fitted = model.fit(disp=False, maxiter=40)
        return np.asarray(fitted.forecast(len(future), exog=future[columns].to_numpy() if columns else None))
