from pathlib import Path

import pandas as pd

from ml.forecasting import forecast
from ml.frames import empty_forecasts


def model(dbt, session):
    dbt.config(materialized="table")
    settings = dbt.config.get("meta")
    panel = dbt.ref("int_store_category_panel").df()
    if panel.empty:
        return empty_forecasts()
    forecasters = dbt.ref("forecasters").df()
    newest = panel["ds"].max()
    return forecast(
        panel,
        models=list(forecasters.loc[forecasters["published"], "forecaster"]),
        cutoffs=[newest - pd.Timedelta(days=settings["horizon"] * back) for back in range(settings["windows"])],
        horizon=settings["horizon"],
        season=settings["season"],
        freq="D",
        seed=settings["seed"],
        cache_dir=Path(settings["cache_dir"]),
    )
