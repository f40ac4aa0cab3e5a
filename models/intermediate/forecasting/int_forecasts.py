from pathlib import Path

import pandas as pd

from ml.forecasting import forecast
from ml.forecasting.backtest import no_forecasts


def model(dbt, session):
    dbt.config(materialized="table", tags=["across_stores"])
    settings = dbt.config.get("meta")
    panel = dbt.ref("int_forecast_panel").df()
    if panel.empty:
        return no_forecasts().with_weights()
    forecasters = dbt.ref("forecasters").df()
    newest, horizon = panel.loc[panel["y"].notna(), "ds"].max(), pd.Timedelta(days=settings["horizon"])
    # a new day has one new cutoff: the earlier ones stay where the last build had them, so their fits are cached
    known = _earliest_cutoff(dbt.this, session) or newest
    judged = newest - horizon - (newest - known) % horizon
    known_future = panel.columns.drop(["unique_id", "ds", "y"])
    return forecast(
        panel,
        models=list(forecasters.loc[forecasters["published"] & (forecasters["looks_at"] == "panel"), "forecaster"]),
        cutoffs=[newest, *(judged - horizon * back for back in range(settings["windows"] - 1))],
        horizon=settings["horizon"],
        season=settings["season"],
        freq="D",
        seed=settings["seed"],
        # without a country or a file of holidays there is nothing to know
        future_columns=[column for column in known_future if panel[column].any()],
        cache_dir=Path(settings["cache_dir"]),
    ).with_weights()


def _earliest_cutoff(table, session):
    """The earliest cutoff of the last build, None before the first."""
    query = "select count(*) from duckdb_tables() where schema_name = ? and table_name = ?"
    (exists,) = session.execute(query, [table.schema, table.identifier]).fetchone()
    (cutoff,) = session.execute(f"select min(cutoff) from {table}").fetchone() if exists else (None,)
    return cutoff and pd.Timestamp(cutoff)
