from pathlib import Path

import pandas as pd
from duckdb import ColumnExpression, ConstantExpression

from ml.anomalies.stock_flows import FLOW_COLUMNS, empty_findings, find_unexplained_flows


def model(dbt, session):
    dbt.config(materialized="table")
    settings = dbt.config.get("meta")
    flows = dbt.ref("int_product_flows")
    # store by store: its products share its closed and busy days, and only one store need be in memory
    stores = [store for (store,) in flows.project("store_location").distinct().order("1").fetchall()]
    found = []
    for store in stores:
        of_store = flows.filter(ColumnExpression("store_location") == ConstantExpression(store))
        columns = of_store.project(", ".join(FLOW_COLUMNS)).df()
        found.append(find_unexplained_flows(columns, cache_dir=Path(settings["cache_dir"])))
    # text without rows, as object, would have no type in DuckDB
    return pd.concat(found or [empty_findings()], ignore_index=True).astype({"unique_id": "string", "kind": "string"})
