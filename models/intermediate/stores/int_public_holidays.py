import pandas as pd

from ml.forecasting.public_holidays import public_holidays


def model(dbt, session):
    dbt.config(materialized="table", tags=["across_stores"])
    settings = dbt.config.get("meta")
    countries = dbt.ref("int_stores").filter("country is not null").project("country").distinct().df()
    as_of = dbt.ref("int_as_of").df()
    if as_of.empty:
        return public_holidays([], pd.Timestamp(0), pd.Timestamp(0))
    today = as_of["as_of"].iloc[0].normalize()
    return public_holidays(
        countries["country"],
        today - pd.Timedelta(days=settings["history_days"]),
        # a forecast knows of a holiday that comes soon after its last day
        today + pd.Timedelta(days=settings["horizon"] + settings["near_days"]),
    )
