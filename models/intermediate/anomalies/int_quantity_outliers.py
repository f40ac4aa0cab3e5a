from ml.anomalies.isolation_forest import detect


def model(dbt, session):
    dbt.config(materialized="table")
    settings = dbt.config.meta_get
    panel = dbt.ref("int_product_stock_daily").df()
    return detect(
        panel, season=settings("season"), seed=settings("seed"), alert_budget=settings("alert_budget")
    )
