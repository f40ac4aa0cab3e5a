from pathlib import Path

from ml.forecasting import forecast


def model(dbt, session):
    dbt.config(materialized="table")
    settings = dbt.config.meta_get
    panel = dbt.ref("int_group_stock_daily").df()
    return forecast(
        panel,
        models=settings("models"),
        cutoffs=None,
        windows=settings("windows"),
        horizon=settings("horizon"),
        season=settings("season"),
        freq="D",
        seed=settings("seed"),
        cache_dir=Path(settings("cache_dir")),
    )
