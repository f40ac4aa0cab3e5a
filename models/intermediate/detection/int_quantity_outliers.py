from ml.anomalies.isolation_forest import detect


def model(dbt, session):
    dbt.config(materialized="table")
    settings = dbt.config.get("meta")
    return detect(
        dbt.ref("int_product_panel").df(),
        season=settings["season"],
        seed=settings["seed"],
        alert_budget=settings["alert_budget"],
    )
