"""Forecasts of panels: several models over several cutoffs, with intervals."""

from ml.forecasting.backtest import forecast

__all__ = ["forecast"]
