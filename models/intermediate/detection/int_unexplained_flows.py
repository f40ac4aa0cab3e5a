from functools import partial
from pathlib import Path

import pandas as pd
from duckdb import ColumnExpression, ConstantExpression

from ml.anomalies.stock_flows import FLOW_COLUMNS, empty_findings, find_unexplained_flows
from ml.parallel import spread


def model(dbt, session):
    dbt.config(materialized="table")
    settings = dbt.config.get("meta")
    flows = dbt.ref("int_product_flows")
    # store by store: its products share its closed and busy days
    stores = [store for (store,) in flows.project("store_location").distinct().order("1").fetchall()]

    def read(store):
        is_of_store = ColumnExpression("store_location") == ConstantExpression(store)
        return (flows.filter(is_of_store).project(", ".join(FLOW_COLUMNS)).df(),)

    found = spread(partial(find_unexplained_flows, cache_dir=Path(settings["cache_dir"])), stores, read)
    # text without rows, as object, would have no type in DuckDB
    return pd.concat(found or [empty_findings()], ignore_index=True).astype({"unique_id": "string", "kind": "string"})
