"""Forecasts of panels: several models over several cutoffs, with intervals."""

from ml.forecasting.backtest import FORECASTERS, forecast

__all__ = ["FORECASTERS", "forecast"]
