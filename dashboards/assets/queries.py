"""The queries of a chart, for the server: a browser writes them only when somebody saves the chart by hand."""

from __future__ import annotations

import json
from typing import Any

Parts = dict[str, Any]


def queries(params: Parts) -> list[Parts]:
    """What Superset asks the database for a chart with these parameters."""
    if params["viz_type"] == "mixed_timeseries":
        second = {key.removesuffix("_b"): value for key, value in params.items() if key.endswith("_b")}
        return [_query(params), _query(params | second)]
    return [_query(params)]


def _query(params: Parts) -> Parts:
    groupby = params.get("groupby", [])
    columns: list[Any] = list(params.get("all_columns", []))
    if "x_axis" in params and "time_grain_sqla" in params:
        columns.append(
            {
                "timeGrain": params["time_grain_sqla"],
                "columnType": "BASE_AXIS",
                "sqlExpression": params["x_axis"],
                "label": params["x_axis"],
                "expressionType": "SQL",
            }
        )
    elif "x_axis" in params:
        columns.append(params["x_axis"])
    columns += [groupby] if isinstance(groupby, str) else groupby
    metrics = [params["metric"]] if "metric" in params else list(params.get("metrics", []))
    ordered_by = params.get("timeseries_limit_metric")
    return {
        "columns": columns,
        "metrics": metrics or None,
        "filters": [
            {"col": condition["subject"], "op": condition["operator"], "val": condition["comparator"]}
            for condition in params.get("adhoc_filters", [])
        ],
        "orderby": [json.loads(order) for order in params.get("order_by_cols", [])]
        or ([[ordered_by, not params["order_desc"]]] if ordered_by else []),
        "row_limit": params.get("row_limit", 10_000),
    }
