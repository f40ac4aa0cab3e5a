"""What managers may ask: a saved chart or the values of a filter, narrowed by filters."""

from __future__ import annotations

import json
import subprocess
from types import SimpleNamespace
from typing import Any

import pytest

from dashboards.access.queries import (
    MalformedQueryError,
    Offer,
    QueryRefusedError,
    chart_offer,
    check_query,
    check_shape,
    filter_offers,
)
from tests.conftest import ROOT

COLUMNS = {"store_location", "category", "severity", "event_date", "notification"}
SQL = "'x' UNION ALL SELECT notification FROM notification_episodes"
AXIS = {"columnType": "BASE_AXIS", "expressionType": "SQL", "label": "event_date", "sqlExpression": "event_date"}
AD_HOC = {"expressionType": "SQL", "label": "own", "sqlExpression": "sum(value_at_risk)"}
CHART = chart_offer([{"columns": [AXIS | {"timeGrain": "P1D"}, "severity"], "metrics": ["anomalies", AD_HOC]}])
STORE_FILTER = Offer(frozenset({"store_location"}), frozenset())


def query(**parts: Any) -> Any:
    """The parts of Superset's QueryObject that are looked at."""
    lists = ("columns", "series_columns", "orderby", "filter", "annotation_layers", "time_offsets", "post_processing")
    nothing: dict[str, Any] = {name: [] for name in lists}
    rest = {"metrics": None, "series_limit_metric": None, "granularity": None, "extras": {"where": "", "having": ""}}
    return SimpleNamespace(**(nothing | rest | parts))


@pytest.mark.parametrize(
    "parts",
    [
        {"columns": [AXIS | {"timeGrain": "P1W", "isColumnReference": True}, "severity"], "metrics": ["anomalies"]},
        {"columns": ["event_date"], "metrics": ["anomalies"], "orderby": [["anomalies", False]]},
        {"columns": ["severity"], "metrics": [AD_HOC]},  # an administrator saved it
        {"columns": ["store_location"], "orderby": [["store_location", True]]},
        {"columns": ["severity"], "filter": [{"col": "category", "op": "IN", "val": ["Toys", SQL]}]},
        {"columns": ["severity"], "filter": [{"col": "of another dataset", "op": "==", "val": 1}]},
        {"columns": ["severity"], "filter": [{"col": AXIS, "op": "TEMPORAL_RANGE", "val": "Last week"}]},
        {"metrics": ["anomalies"], "granularity": "event_date", "extras": {"time_grain_sqla": "P1D"}},
        {"metrics": ["anomalies"], "series_columns": ["severity"], "series_limit_metric": "anomalies"},
        {"metrics": ["anomalies"], "post_processing": [{"operation": "pivot"}, {"operation": "flatten"}]},
    ],
)
def test_a_saved_chart_narrowed_by_filters_is_answered(parts):
    check_query(query(**parts), COLUMNS, [CHART, STORE_FILTER])


def ad_hoc(sql: str) -> dict[str, str]:
    return {"expressionType": "SQL", "label": "own", "sqlExpression": sql}


@pytest.mark.parametrize(
    "parts",
    [
        {"columns": ["notification"]},
        {"columns": ["severity", "store_location"]},
        {"columns": [SQL]},
        {"columns": [ad_hoc(SQL)]},
        {"columns": [AXIS | {"sqlExpression": SQL}]},
        {"columns": [AXIS | {"sqlExpression": SQL, "label": SQL}]},
        {"columns": [AXIS | {"label": "other"}]},
        {"columns": [AXIS | {"unknown": 1}]},
        {"columns": [{"column_name": "severity", "expression": SQL}]},
        {"columns": [["severity"]]},
        {"columns": [None]},
        {"metrics": ["at_risk"]},
        {"metrics": [ad_hoc(SQL)]},
        {"metrics": [AD_HOC | {"sqlExpression": SQL}]},
        {"metrics": [{"expressionType": "SIMPLE", "aggregate": "MAX", "column": {"column_name": "notification"}}]},
        {"metrics": ["anomalies"], "orderby": [[ad_hoc(SQL), True]]},
        {"metrics": ["anomalies"], "orderby": [["notification", True]]},
        {"metrics": ["anomalies"], "series_columns": ["notification"]},
        {"metrics": ["anomalies"], "series_limit_metric": ad_hoc(SQL)},
        {"metrics": ["anomalies"], "filter": [{"col": ad_hoc(SQL), "op": "==", "val": 1}]},
        {
            "metrics": ["anomalies"],
            "filter": [{"col": AXIS | {"sqlExpression": SQL, "label": SQL}, "op": "==", "val": 1}],
        },
        {"metrics": ["anomalies"], "filter": [{"op": "==", "val": 1}]},
        {"metrics": ["anomalies"], "granularity": SQL},
        {"metrics": ["anomalies"], "extras": {"where": "1 = 1"}},
        {"metrics": ["anomalies"], "extras": {"having": SQL}},
        {"metrics": ["anomalies"], "annotation_layers": [{"value": 1}]},
        {"metrics": ["anomalies"], "time_offsets": ["1 week ago"]},
        {"metrics": ["anomalies"], "post_processing": [{"operation": "resample", "options": {"rule": "1ns"}}]},
        {"metrics": ["anomalies"], "post_processing": [{"operation": "prophet"}]},
    ],
)
def test_anything_else_is_refused(parts):
    with pytest.raises(QueryRefusedError):
        check_query(query(**parts), COLUMNS, [CHART, STORE_FILTER])


def test_nothing_is_answered_where_no_chart_is_saved():
    with pytest.raises(QueryRefusedError):
        check_query(query(columns=["severity"]), COLUMNS, [])


def test_a_dashboards_filters_offer_their_columns():
    dashboard = {
        "native_filter_configuration": [
            {"targets": [{"column": {"name": "store_location"}, "datasetId": 2}], "sortMetric": None},
            {"targets": [{"column": {"name": "category"}, "datasetId": 2}], "sortMetric": "items"},
            {"targets": [{"column": {"name": "severity"}, "datasetId": 3}]},
            {"targets": [{}]},
        ]
    }
    assert filter_offers(dashboard, 2) == [STORE_FILTER, Offer(frozenset({"category"}), frozenset({"items"}))]
    assert filter_offers({}, 2) == []


ONE_TABLE = [
    "SELECT severity AS severity, count(*) AS n FROM t WHERE a IN ('x UNION SELECT 1') GROUP BY severity LIMIT 5",
    "SELECT DATETIME(event_date, 'start of day', -strftime('%w', event_date) || ' days') AS \"UNION\" FROM t",
    "SELECT a FROM t JOIN (SELECT a AS a__ FROM t GROUP BY a LIMIT 5) AS series_limit ON a = a__",
    "SELECT COUNT(*) AS rowcount FROM (SELECT a FROM t WHERE (store_location IN ('Store_A'))) AS rowcount_qry",
]
COMBINED = [
    *(
        f"SELECT {{0}} {operation} SELECT b FROM u".format("a FROM t")
        for operation in ("UNION", "UNION ALL", "EXCEPT", "INTERSECT")
    ),
    "SELECT ('x' UNION SELECT b FROM t) FROM t",
    "SELECT (SELECT 'x' UNION ALL SELECT b FROM t LIMIT 1) FROM t",
    "SELECT a FROM t, u",
    "SELECT a FROM t JOIN u",
    "SELECT a FROM t JOIN other.t",
    "SELECT (SELECT b FROM u) FROM t",
    "SELECT a FROM t WHERE a IN (SELECT b FROM u)",
    "SELECT a FROM t WHERE a IN u",
    "SELECT a FROM t WHERE a NOT IN main.u",
    "SELECT a FROM t WHERE a IN json_each('[1]')",
    "SELECT a FROM t ORDER BY (SELECT b FROM u)",
    "WITH w AS (SELECT a FROM t) SELECT a FROM w",
    "SELECT a FROM (WITH w AS (SELECT a FROM t) SELECT a FROM w)",
    "SELECT a FROM t, pragma_database_list",
    "SELECT a FROM t, json_each('[1]')",
    "SELECT 1",
    "SELECT a FROM t; SELECT b FROM u",
    "VALUES (1)",
    "PRAGMA database_list",
    "DELETE FROM t",
    "SELECT a FROM t WHERE (((",
    "SELECT a FROM 't' UNION SELECT b FROM t",
]


@pytest.fixture(scope="module")
def refused() -> set[str]:
    """The queries that are refused. Superset's environment has the parser."""
    program = """
import json, sys
from dashboards.access.queries import QueryRefusedError, check_sql
refused = []
for sql in json.load(sys.stdin):
    try:
        check_sql(sql)
    except QueryRefusedError:
        refused.append(sql)
print(json.dumps(refused))
"""
    asked = subprocess.run(
        [ROOT / ".venv-superset/bin/python", "-c", program],
        cwd=ROOT,
        input=json.dumps(ONE_TABLE + COMBINED),
        capture_output=True,
        text=True,
        check=True,
    )
    return set(json.loads(asked.stdout))


@pytest.mark.parametrize("sql", ONE_TABLE)
def test_a_query_of_one_table_is_taken(refused, sql):
    assert sql not in refused


@pytest.mark.parametrize("sql", COMBINED)
def test_combined_queries_are_refused(refused, sql):
    assert sql in refused


# ------------------------------------------------------------------ shapes


def context(**parts: Any) -> dict[str, Any]:
    return {"datasource": {"id": 1, "type": "table"}, "queries": [{"columns": ["severity"]} | parts]}


def filtered(**condition: Any) -> dict[str, Any]:
    return context(filters=[{"col": "category", "op": "==", "val": "Toys"} | condition])


@pytest.mark.parametrize(
    "sent",
    [
        context(columns=["severity", AXIS], metrics=["anomalies", AD_HOC], filters=[]),
        context(columns=None, filters=None) | {"form_data": None},
        filtered(val=None),
        filtered(val=[1.5, True, None, "Toys"]),
        filtered(op="IN", val=["Toys", SQL]),
        filtered(op="in", val=[]),
        filtered(op="TEMPORAL_RANGE", val="Last week", grain="P1D"),
        filtered(op="IS NOT NULL", grain=None),
    ],
)
def test_what_dashboards_send_has_the_right_shape(sent):
    check_shape(sent, {"P1D"})


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        ({}, "names a datasource and queries"),
        (5, "names a datasource and queries"),
        (context() | {"form_data": 5}, "form of a chart"),
        (context() | {"queries": ["x"]}, "query must be an object"),
        (context(datasource=None), "beside the queries"),
        (context(columns=[5]), "column or metric"),
        (context(metrics=[{}]), "column or metric"),
        (filtered(op="IN", val=None), "IN needs a list"),
        (filtered(op="not in", val={"a": 1}), "NOT IN needs a list"),
        (filtered(op="IN", val=[{"a": 1}]), "values of a filter"),
        (filtered(val=[[1]]), "values of a filter"),
        (filtered(val={"x": 1}), "values of a filter"),
        (filtered(op="TEMPORAL_RANGE", val=["a"]), "time range"),
        (filtered(grain="junk"), "time grain"),
        (filtered(grain={}), "time grain"),
    ],
)
def test_a_wrong_shape_is_named(sent, message):
    with pytest.raises(MalformedQueryError, match=message):
        check_shape(sent, {"P1D"})
