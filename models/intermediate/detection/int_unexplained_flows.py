import pandas as pd
from duckdb import ColumnExpression, ConstantExpression

from ml.anomalies.stock_flows import empty_findings, find_unexplained_flows


def model(dbt, session):
    dbt.config(materialized="table")
    flows = dbt.ref("int_product_flows")
    # store by store: its products share its closed and busy days, and only one store need be in memory
    stores = [store for (store,) in flows.project("store_location").distinct().order("1").fetchall()]
    found = [
        find_unexplained_flows(flows.filter(ColumnExpression("store_location") == ConstantExpression(store)).df())
        for store in stores
    ]
    # text without rows, as object, would have no type in DuckDB
    return pd.concat(found or [empty_findings()], ignore_index=True).astype({"unique_id": "string", "kind": "string"})
