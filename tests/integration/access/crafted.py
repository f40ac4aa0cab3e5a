"""Requests that a curious manager could write: every place of a query where SQL goes in, every trick to read more.

No payload holds the name of a store, so that a name in an answer comes from the data.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle
from typing import Any
from urllib.parse import quote

from dashboards.today.lists import FILTERS, LISTS

NOTES = "SELECT store_location || ' ' || notification FROM notification_episodes"
READS = {
    "named main": "SELECT store_location || ' ' || notification FROM main.notification_episodes WHERE 1",
    "other table": "SELECT store_location || ' ' || product_id FROM current_stock",
    "no dataset": "SELECT store_location || ' ' || product_id FROM late_events",
    "no dataset in main": "SELECT store_location || ' ' || product_id FROM main.late_events",
    "other file": "SELECT store_location FROM inventory.inventory",
    "view": "SELECT store_location || ' ' || model_name FROM numerical_anomalies",
    "view in main": "SELECT store_location || ' ' || model_name FROM main.numerical_anomalies",
    "schema": "SELECT sql FROM sqlite_master",
    "own schema": "SELECT sql FROM sqlite_temp_master",
    "pages": "SELECT name FROM dbstat",
    "path": "SELECT file FROM pragma_database_list",
    "columns": "SELECT name FROM pragma_table_info('late_events')",
    "forged name": "SELECT * FROM (WITH metrics AS (SELECT store_location FROM main.metrics) SELECT * FROM metrics)",
}
# expressions: what Superset writes after one (`AS own FROM …`) belongs to the last query of a compound
TRICKS = {
    "union": f"'x' UNION {NOTES} UNION SELECT 'y'",
    "union all": f"'x' UNION ALL {NOTES} UNION ALL SELECT 'y'",
    "except": f"'x' EXCEPT SELECT 'z' UNION ALL {NOTES} UNION ALL SELECT 'y'",
    "intersect": f"'x' INTERSECT SELECT 'x' UNION ALL {NOTES} UNION ALL SELECT 'y'",
    **{name: f"'x' UNION ALL {read} UNION ALL SELECT 'y'" for name, read in READS.items()},
    "subquery": f"({NOTES} ORDER BY store_location DESC LIMIT 1)",
    "aggregate": "group_concat(store_location)",
    "filtered": "max(store_location) FILTER (WHERE 1)",
    "window": "max(store_location) OVER ()",
    "tokenizer": "fts3_tokenizer('simple')",
    "tokenizer set": "fts3_tokenizer('simple', X'00')",
    "memory": "max(length(randomblob(200000000)))",
    "file": "readfile('/etc/passwd')",
    "extension": "load_extension('x')",
}
SET_OPERATIONS = ("union", "union all", "except", "intersect")


@dataclass(frozen=True)
class Request:
    """A request; `saved` ones are what dashboards ask, all others ask for what is not offered."""

    name: str
    method: str
    path: str
    json: Any = None
    form: dict[str, str] | None = None
    saved: bool = False


@dataclass(frozen=True)
class Site:
    """The numbers that Superset gave: to the database, to datasets, by their table, and to charts, by their name.

    A chart has the number of its dataset and its saved queries as well.
    """

    database: int
    datasets: dict[str, int]
    charts: dict[str, tuple[int, int, list[dict[str, Any]]]]
    episodes: dict[str, str]  # a notification of each store


def _ad_hoc(sql: str) -> dict[str, Any]:
    return {"expressionType": "SQL", "sqlExpression": sql, "label": "own"}


def _axis(sql: str) -> dict[str, Any]:
    return _ad_hoc(sql) | {"columnType": "BASE_AXIS", "timeGrain": "P1D"}


# where SQL goes into a query
PLACES: dict[str, Any] = {
    "metric": lambda sql: {"metrics": [_ad_hoc(sql)]},
    "column": lambda sql: {"columns": [_ad_hoc(sql)]},
    "base axis": lambda sql: {"columns": [_axis(sql)], "metrics": ["notifications"]},
    "renamed axis": lambda sql: {"columns": [_axis(sql) | {"label": sql}], "metrics": ["notifications"]},
    "group by": lambda sql: {"groupby": [_ad_hoc(sql)], "metrics": ["notifications"]},
    "order": lambda sql: {"columns": ["severity"], "orderby": [[_ad_hoc(sql), True]]},
    "filter": lambda sql: {"columns": ["severity"], "filters": [{"col": _ad_hoc(sql), "op": "!=", "val": "x"}]},
    "where": lambda sql: {"columns": ["severity"], "extras": {"where": f"1 = 1 OR severity = {sql}"}},
    "having": lambda sql: {
        "metrics": ["notifications"],
        "columns": ["severity"],
        "extras": {"having": f"1 OR '' = {sql}"},
    },
    "series": lambda sql: {"columns": ["severity", _ad_hoc(sql)], "series_columns": [_ad_hoc(sql)], "series_limit": 5},
    "limit metric": lambda sql: {
        "columns": ["severity"],
        "series_limit_metric": _ad_hoc(sql),
        "metrics": ["notifications"],
    },
    "column name": lambda sql: {"columns": [sql]},
    "metric name": lambda sql: {"metrics": [sql]},
    "granularity": lambda sql: {"metrics": ["notifications"], "granularity": sql, "time_range": "Last year"},
    "simple metric": lambda sql: {
        "metrics": [{"expressionType": "SIMPLE", "aggregate": "MAX", "label": "own", "column": {"column_name": sql}}]
    },
}
FORMATS = cycle(["json", "json", "csv", "xlsx"])


def _chart_data(dataset: int, *queries: dict[str, Any], **rest: Any) -> dict[str, Any]:
    whole = {"row_limit": 5000, "filters": [], "extras": {"where": "", "having": ""}}
    return {
        "datasource": {"id": dataset, "type": "table"},
        "queries": [whole | query for query in queries],
        "result_format": "json",
        "result_type": "full",
        "force": True,
    } | rest


def crafted(site: Site) -> Iterator[Request]:
    """All of them."""
    yield from _tricks_in_places(site)
    yield from _other_parts_of_charts(site)
    yield from _other_endpoints(site)
    yield from _saved(site)


def _tricks_in_places(site: Site) -> Iterator[Request]:
    notes = site.datasets["notification_episodes"]
    for place, put in PLACES.items():
        tricks = TRICKS if place in {"metric", "column"} else {name: TRICKS[name] for name in SET_OPERATIONS}
        for trick, sql in tricks.items():
            body = _chart_data(notes, put(sql), result_format=next(FORMATS))
            yield Request(f"{trick} as {place}", "POST", "/api/v1/chart/data", body)


def _other_parts_of_charts(site: Site) -> Iterator[Request]:
    """Queries without SQL that reach for more than a saved chart has."""
    notes, stock = site.datasets["notification_episodes"], site.datasets["current_stock"]
    columns = ["store_location", "episode_id", "notification"]
    for name, body in {
        "other columns": _chart_data(notes, {"columns": columns}),
        "samples": _chart_data(notes, {}, result_type="samples"),
        "detail of SQL": _chart_data(notes, {"columns": [_ad_hoc(NOTES)]}, result_type="drill_detail"),
        "detail by SQL": _chart_data(notes, {"extras": {"where": "1 OR 1"}}, result_type="drill_detail"),
        "detail of another column": _chart_data(notes, {"columns": ["reading_count"]}, result_type="drill_detail"),
        "detail with a metric": _chart_data(
            notes, {"metrics": [_ad_hoc("max(notification)")]}, result_type="drill_detail"
        ),
        "another count": _chart_data(notes, {"metrics": [_ad_hoc("COUNT(*)")]}),
        "samples of one query": _chart_data(notes, {"columns": ["severity"], "result_type": "samples"}),
        "the text of a query": _chart_data(notes, {"columns": ["severity"]}, result_type="query"),
        "another dataset": _chart_data(stock, {"columns": columns}),
        "a query as dataset": _chart_data(notes, {"columns": columns}, datasource={"id": 1, "type": "query"}),
        "another chart's name": _chart_data(notes, {"columns": columns}, form_data={"slice_id": 1, "dashboardId": 1}),
        "a filter's name": _chart_data(
            notes,
            {"columns": columns},
            form_data={"native_filter_id": "NATIVE_FILTER-store", "type": "NATIVE_FILTER", "dashboardId": 1},
        ),
        "columns of a tooltip": _chart_data(notes, {"columns": ["severity"]}, form_data={"tooltip_contents": columns}),
        "an annotation": _chart_data(
            notes,
            {
                "columns": ["severity"],
                "annotation_layers": [
                    {
                        "name": "n",
                        "annotationType": "EVENT",
                        "sourceType": "table",
                        "value": 1,
                        "show": True,
                        "showMarkers": True,
                    }
                ],
            },
        ),
        "another time": _chart_data(notes, {"metrics": ["notifications"], "time_offsets": ["1 week ago"]}),
        "many queries": _chart_data(notes, *[{"columns": ["severity"]}] * 50),
        "made-up rows": _chart_data(
            notes,
            {
                "columns": ["severity"],
                "post_processing": [{"operation": "resample", "options": {"rule": "1s", "method": "ffill"}}],
            },
        ),
    }.items():
        yield Request(name, "POST", "/api/v1/chart/data", body)


def _other_endpoints(site: Site) -> Iterator[Request]:
    """Every other way by which Superset reaches the data or what describes it."""
    notes = site.datasets["notification_episodes"]
    for trick in ("no dataset", "schema", "path", "named main"):
        expression, statement = TRICKS[trick], READS[trick]
        body = json.dumps(_chart_data(notes, {"metrics": [_ad_hoc(expression)]}))
        legacy = json.dumps({"datasource": f"{notes}__table", "viz_type": "table", "metrics": [_ad_hoc(expression)]})
        chart = {"slice_name": trick, "datasource_id": notes, "datasource_type": "table", "params": legacy}
        condition = {"filters": [], "extras": {"where": f"1 OR '' = {expression}"}}
        for path, sent in {
            "/api/v1/sqllab/execute/": {"database_id": site.database, "sql": statement, "schema": "main"},
            "/api/v1/sqllab/estimate/": {"database_id": site.database, "sql": statement, "template_params": {}},
            f"/api/v1/database/{site.database}/validate_sql/": {"sql": statement, "schema": "main"},
            f"/api/v1/datasource/table/{notes}/validate_expression/": {
                "expression": expression,
                "expression_type": "metric",
            },
            "/api/v1/dataset/": {"database": site.database, "table_name": trick, "schema": None, "sql": statement},
            "/api/v1/chart/": chart,
            f"/datasource/samples?datasource_type=table&datasource_id={notes}": condition,
        }.items():
            yield Request(f"{trick} by {path}", "POST", path, json=sent)
        for path, form in {
            "/api/v1/chart/data": {"form_data": body},
            "/api/v1/query/": {"query_context": body},
            "/superset/explore_json/": {"form_data": legacy},
            "/superset/explore_json/?csv=true": {"form_data": legacy},
        }.items():
            yield Request(f"{trick} by {path} as a form", "POST", path, form=form)
    for path in (
        f"/api/v1/datasource/table/{notes}/column/store_location/values/",
        f"/api/v1/datasource/table/{notes}/column/notification/values/",
        f"/datasource/samples?datasource_type=table&datasource_id={notes}",
        f"/datasource/get/table/{notes}/",
        f"/datasource/external_metadata/table/{notes}/",
        f"/api/v1/database/{site.database}/table_metadata/?name=late_events",
        f"/api/v1/database/{site.database}/select_star/late_events/",
        f"/api/v1/database/{site.database}/tables/?q=(schema_name:main)",
        f"/api/v1/database/{site.database}/connection",
        f"/api/v1/database/{site.database}",
        "/api/v1/rowlevelsecurity/",
        "/api/v1/security/users/",
        "/api/v1/security/roles/",
        "/api/v1/sqllab/",
        "/api/v1/query/",
        "/api/v1/log/",
        "/sqllab/",
    ):
        yield Request(path, "POST" if "samples" in path else "GET", path)


LARGE = 10**20  # more than SQLite counts to
# what a filter on a column of the dataset may not be
CONDITIONS = [
    {"op": "IN"},
    {"op": "IN", "val": None},
    {"op": "IN", "val": {"a": 1}},
    {"op": "IN", "val": [{"a": 1}]},
    {"op": "IN", "val": [LARGE]},
    {"op": "NOT IN", "val": "x"},
    {"op": "==", "val": [[1]]},
    {"op": "==", "val": {"x": 1}},
    {"op": ">", "val": {}},
    {"op": "TEMPORAL_RANGE", "val": ["a"]},
    {"op": "TEMPORAL_RANGE", "val": 3},
    {"op": "==", "val": "x", "grain": "junk"},
    {"op": "==", "val": "x", "grain": {"a": 1}},
]
# what no query may hold
QUERY_PARTS = [
    {"datasource": {"id": 1, "type": "table"}},
    {"datasource": None},
    {"columns": [5]},
    {"columns": [["severity"]]},
    {"metrics": [5]},
    {"metrics": [{}]},
    {"row_limit": LARGE},
    {"post_processing": [{"operation": "pivot"}]},
    {"post_processing": [{"operation": "pivot", "options": {"a": 1}}]},
    {"post_processing": [{"operation": "sort", "options": {"by": 5}}]},
]
ADDRESSES = [
    *(f"/api/v1/time_range/{parameters}" for parameters in ("", "?q=", "?q=5", "?q=(a:1)", "?q=(')")),
    *(f"/api/v1/{kind}/?q=(((" for kind in ("dashboard", "chart", "dataset")),
    *(f"/api/v1/{kind}/{LARGE}{rest}" for kind in ("dashboard", "chart", "dataset") for rest in ("", "/", "/data/")),
    f"/api/v1/dashboard/{LARGE}/charts",
    f"/api/v1/dashboard/{LARGE}/datasets",
    f"/api/v1/dashboard/{LARGE}/filter_state/x",
    f"/api/v1/chart/favorite_status/?q=!({LARGE})",
    f"/superset/dashboard/{LARGE}/",
    "/api/v1/chart/zz",
    "/api/v1/dashboard/permalink/zz",
    "/superset/dashboard/p/zz/",
    "/superset/language_pack/xx/",
    "/api/v1/me/?form_data=5",
    "/api/v1/async_event/",
    "/api/v1/database/oauth2/",
    "/api/v1/database/oauth2/?state=x&code=y",
    "/superset/fetch_datasource_metadata?datasourceKey=x",
    "/superset/fetch_datasource_metadata?datasourceKey=1__junk",
    "/api/v1/explore/?datasource_type=junk&datasource_id=1",
]


def malformed(site: Site) -> Iterator[Request]:
    """Requests that make no sense to whoever sends them."""
    _, dataset, queries = site.charts["What needs attention, most urgent first"]
    stock = site.datasets["current_stock"]
    sent = {
        **{str(body): body for body in ({}, [], 5, "x", {"queries": []}, {"datasource": {"id": 1, "type": "table"}})},
        **{
            f"a filter {condition}": _chart_data(
                dataset, *[query | {"filters": [{"col": "store_location"} | condition]} for query in queries]
            )
            for condition in CONDITIONS
        },
        **{f"a query with {part}": _chart_data(dataset, *[query | part for query in queries]) for part in QUERY_PARTS},
        "a text as query": _chart_data(dataset) | {"queries": ["x"]},
        "a number as form": _chart_data(dataset, *queries, form_data=5),
        "a large chart": _chart_data(dataset, *queries, form_data={"slice_id": LARGE}),
        "a large dataset": _chart_data(LARGE, {"columns": ["store_location"]}),
        "a filter of a filter": _chart_data(
            stock, {"columns": ["category"], "filters": [{"col": "category", "op": "IN", "val": None}]}
        ),
    }
    for name, body in sent.items():
        yield Request(name, "POST", "/api/v1/chart/data", json=body)
        yield Request(f"{name} as a form", "POST", "/api/v1/chart/data", form={"form_data": json.dumps(body)})
    for path in ADDRESSES:
        yield Request(path, "GET", path)
    for people in ("users", "roles", "groups"):
        yield Request(f"an action on {people}", "POST", f"/{people}/action/junk/1")
        yield Request(f"an action on many {people}", "POST", f"/{people}/action_post", form={"action": "junk"})
    yield Request("a number as account", "PUT", "/api/v1/me/", json=5)
    yield Request("another name", "PUT", "/api/v1/me/", json={"first_name": "Mallory"})


NEEDED = {"day": "event_date=2026-06-30", "lost-sales": "weeks_ago=0"}
TODAY = [
    "/today/",
    *(
        f"/today/notifications/?status={status}"
        for status in ("waiting", "open", "acknowledged", "snoozed", "resolved")
    ),
    *(f"/today/list/{name}{ending}?{NEEDED.get(name, '')}" for name in LISTS for ending in ("", ".csv")),
]
PARAMETERS = [
    "/today/?store=",
    "/today/notifications/?store=",
    "/today/notifications/?status=",
    "/today/notifications/",
    "/today/list/",
    *(f"/today/list/stock{ending}?{name}=" for name in FILTERS for ending in ("", ".csv")),
    "/today/list/day?event_date=",
    "/today/list/lost-sales?weeks_ago=",
]


def today(site: Site) -> Iterator[Request]:
    """The pages of /today, SQL in each of their parameters, and actions on the notifications of each store."""
    for path in TODAY:
        yield Request(path, "GET", path, saved=True)
    # the parameters are bound, so a few of the tricks speak for all
    for trick in ("union", "named main", "subquery", "schema", "file"):
        for start in PARAMETERS:
            yield Request(f"{trick} as {start}", "GET", f"{start}{quote(TRICKS[trick])}")
    for store, episode in site.episodes.items():
        path = f"/today/notifications/{episode}"
        yield Request(f"the notification of {store}", "GET", path)
        for action in ("acknowledge", "assign", "snooze", "resolve", "expected", "reopen"):
            form = {"action": action, "assignee": "me", "days": "1", "back": "//elsewhere.example/"}
            yield Request(f"{action} that of {store}", "POST", path, form=form)


def _saved(site: Site) -> Iterator[Request]:
    """What the dashboards ask, in each form, and with filters that name what they like."""
    for name, (chart, dataset, queries) in site.charts.items():
        shown = {"form_data": {"slice_id": chart}}
        for kind in ("json", "csv", "xlsx"):
            body = _chart_data(dataset, *queries, result_format=kind, **shown)
            yield Request(f"{name} as {kind}", "POST", "/api/v1/chart/data", body, saved=True)
        yield Request(f"{name} by its number", "GET", f"/api/v1/chart/{chart}/data/?force=true", saved=True)
        body = _chart_data(dataset, *queries, result_type="results", **shown)
        yield Request(f"{name} as a table", "POST", "/api/v1/chart/data", body, saved=True)
        body = _chart_data(dataset, *queries, **shown)
        path = "/api/v1/chart/data?form_data=%7B%22slice_id%22%3A1%7D&dashboard_id=1"
        yield Request(f"{name} as a dashboard asks", "POST", path, body, saved=True)
    stock = site.datasets["current_stock"]
    for column in ("store_location", "category"):
        body = _chart_data(stock, {"columns": [column], "orderby": [[column, True]]})
        yield Request(f"values of the filter {column}", "POST", "/api/v1/chart/data", body, saved=True)
    for table in ("notification_episodes", "current_stock", "inventory", "pipeline_status"):
        rows = f"/datasource/samples?datasource_type=table&datasource_id={site.datasets[table]}&per_page=50&page=1"
        for name, filters in {"all": [], "of others": [{"col": "store_location", "op": "!=", "val": "x"}]}.items():
            yield Request(f"rows of {table}, {name}", "POST", rows, json={"filters": filters}, saved=True)
        path = f"/api/v1/dataset/{site.datasets[table]}/drill_info/?q=(dashboard_id:1)"
        yield Request(f"names of the columns of {table}", "GET", path, saved=True)
        body = _chart_data(site.datasets[table], {}, result_type="drill_detail")
        yield Request(f"rows of {table} as a chart", "POST", "/api/v1/chart/data", body, saved=True)
    chart, dataset, queries = site.charts["What needs attention, most urgent first"]
    for condition in (
        {"op": "IS NOT NULL"},
        {"op": "!=", "val": "x"},
        {"op": "LIKE", "val": "%"},
        {"op": "IN", "val": ["x' OR 1 = 1 --", "N/A", TRICKS["union"]]},
        {"op": "NOT IN", "val": ["x') UNION SELECT 1 --"]},
        {"op": ">", "val": ""},
        {"col": "of_another_dataset", "op": "==", "val": "x"},
        {"col": TRICKS["union"], "op": "==", "val": "x"},
    ):
        filtered = [
            query | {"filters": [*query["filters"], {"col": "store_location"} | condition]} for query in queries
        ]
        body = _chart_data(dataset, *filtered, form_data={"slice_id": chart})
        yield Request(f"notifications where the store is {condition}", "POST", "/api/v1/chart/data", body, saved=True)


# What somebody could send to PostgreSQL who got past Superset: statements of any kind, several at once, in a session
# that may write.
STATEMENTS = {
    **{name: f"SELECT {sql}" for name, sql in TRICKS.items() if name in {*SET_OPERATIONS, "other table", "view"}},
    "other schema": "SELECT store_location FROM inventory.inventory",
    "all columns": "SELECT * FROM notification_episodes",
    "join": "SELECT b.store_location FROM stores AS a RIGHT JOIN notification_episodes AS b ON true",
    "lateral": "SELECT x.* FROM stores, LATERAL (SELECT store_location FROM notification_episodes OFFSET 0) AS x",
    "expression": "WITH seen AS MATERIALIZED (SELECT * FROM notification_episodes) SELECT store_location FROM seen",
    "table": "TABLE notification_episodes",
    "own view": "CREATE TEMP VIEW seen AS SELECT * FROM notification_episodes; SELECT store_location FROM seen",
    "own copy": "CREATE TEMP TABLE seen AS SELECT * FROM notification_episodes; SELECT store_location FROM seen",
    "cheap function": (
        "CREATE FUNCTION pg_temp.tell(text) RETURNS boolean LANGUAGE plpgsql COST 0.0001 AS "
        "'BEGIN RAISE NOTICE ''%'', $1; RETURN true; END'; "
        "SELECT * FROM notification_episodes WHERE pg_temp.tell(store_location)"
    ),
    "failing cast": "SELECT * FROM notification_episodes WHERE CAST(store_location || notification AS integer) = 1",
    "writable": "UPDATE notification_episodes SET comment = 'x' RETURNING store_location",
    "policies": "SELECT pg_get_expr(polqual, polrelid) FROM pg_policy",
    "statistics": "SELECT most_common_vals, histogram_bounds FROM pg_stats WHERE schemaname <> 'pg_catalog'",
    "raw statistics": "SELECT stavalues1 FROM pg_statistic",
    "rules": "SELECT * FROM inventory_serving.row_rules",
    "queries of others": "SELECT query FROM pg_stat_activity",
    "settings of others": "SELECT setconfig FROM pg_db_role_setting",
    "passwords": "SELECT rolpassword FROM pg_authid",
    "without policies": "SET row_security = off; SELECT store_location FROM notification_episodes",
    "no force": "ALTER TABLE notification_episodes NO FORCE ROW LEVEL SECURITY; TABLE notification_episodes",
    "own policy": "CREATE POLICY mine ON notification_episodes USING (true); TABLE notification_episodes",
    "own rule": "INSERT INTO inventory_serving.row_rules SELECT session_user, 'x'; TABLE notification_episodes",
    "role of the publisher": "SET ROLE inventory; TABLE notification_episodes",
    "role of a group": "SELECT set_config('role', '{database}_company', false); TABLE notification_episodes",
    "role of another": 'SET ROLE "{database}:regional"; TABLE notification_episodes',
    "session of another": 'SET SESSION AUTHORIZATION "{database}:regional"; TABLE notification_episodes',
    "session by a setting": "SELECT set_config('session_authorization', '{database}:regional', false)",
    "superuser": "SELECT set_config('is_superuser', 'on', false); TABLE notification_episodes",
    "membership": 'GRANT "{database}_company" TO "{database}:store_a"; TABLE notification_episodes',
    "copy": "COPY (SELECT * FROM notification_episodes) TO STDOUT",
    "copy a table": "COPY notification_episodes TO STDOUT",
    "copy to a file": "COPY notification_episodes TO '/tmp/seen'",
    "copy a file": "CREATE TEMP TABLE seen (line text); COPY seen FROM '/etc/passwd'; TABLE seen",
    "program": "COPY notification_episodes TO PROGRAM 'cat'",
    "file": "SELECT pg_read_file('/etc/passwd')",
    "folder": "SELECT pg_ls_dir('/')",
    "large object": "SELECT lo_import('/etc/passwd')",
    "block": (
        "DO $$ BEGIN RAISE EXCEPTION '%', (SELECT string_agg(store_location, ' ') FROM notification_episodes); END $$"
    ),
    "prepared": "PREPARE seen AS SELECT store_location FROM notification_episodes; EXECUTE seen",
    "cursor": "DECLARE seen CURSOR FOR SELECT store_location FROM notification_episodes; FETCH ALL FROM seen",
    "xml": "SELECT query_to_xml('SELECT * FROM notification_episodes', true, false, '')",
    "extension": "CREATE EXTENSION dblink; SELECT * FROM dblink('', 'TABLE notification_episodes') AS t(x text)",
    "untrusted language": "CREATE FUNCTION pg_temp.f() RETURNS text LANGUAGE c AS 'libc', 'system'",
}
