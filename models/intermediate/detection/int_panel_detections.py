from ml.anomalies import detect


def model(dbt, session):
    dbt.config(materialized="table")
    settings = dbt.config.get("meta")
    detectors = dbt.ref("detectors").df()
    return detect(
        dbt.ref("int_product_panel").df(),
        detectors=list(detectors.loc[detectors["published"], "detector"]),
        season=settings["season"],
        seed=settings["seed"],
        alert_budget=settings["alert_budget"],
    )
