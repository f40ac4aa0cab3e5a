"""The seasonal naive: tomorrow is as it was a season ago. The yardstick of all others."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ml.forecasting.forecaster import ForecastConfig, repeat_season


def forecast(history: pd.DataFrame, future: pd.DataFrame, config: ForecastConfig) -> pd.DataFrame:
    """See `Forecaster`."""
    ys = {name: series["y"].to_numpy() for name, series in history.groupby("unique_id", sort=False)}
    parts = [
        ahead[["unique_id", "ds"]].assign(
            y_hat=np.maximum(repeat_season(ys[name], len(ahead), config.season), 0),
            fallback_reason=None if len(ys[name]) >= config.season else f"only {len(ys[name])} periods of history",
        )
        for name, ahead in future.groupby("unique_id", sort=False)
    ]
    return pd.concat(parts, ignore_index=True)
