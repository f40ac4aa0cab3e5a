"""What managers may ask of the data: a saved chart, the rows behind it, or the values of a dashboard's filter, narrowed
by filters.

None of it is SQL. Beneath that, no query of theirs combines queries or reads a second table, however it came about.
"""

from __future__ import annotations

import json
from collections.abc import Container, Iterable
from dataclasses import dataclass
from typing import Any

RESULT_TYPES = {"full", "results", "post_processed"}
ROWS = "drill_detail"  # the rows behind a number: all columns of the dataset, narrowed by filters
# the others fill gaps or fit models, which takes more time and memory the finer the steps that are asked for
POST_PROCESSING = {
    "aggregate",
    "compare",
    "contribution",
    "cum",
    "diff",
    "flatten",
    "pivot",
    "rank",
    "rename",
    "rolling",
    "select",
    "sort",
}
# how Superset writes that a chart's axis is a column of the dataset, and in which steps of time
AXIS_KEYS = {"columnType", "expressionType", "isColumnReference", "label", "sqlExpression", "timeGrain"}
QUERIES_PER_REQUEST = 5
LISTS = {"IN", "NOT IN"}
TIME_RANGE = "TEMPORAL_RANGE"


class MalformedQueryError(ValueError):
    """A query that says nothing; the message says what is wrong with it."""


class QueryRefusedError(ValueError):
    """A query that its user may not ask; the message says what is wrong with it."""


@dataclass(frozen=True)
class Offer:
    """The columns and metrics of a saved chart or of a dashboard's filter."""

    columns: frozenset[str]
    metrics: frozenset[str]


# how Superset counts the rows behind a number
ROW_COUNT = Offer(
    frozenset(),
    frozenset(
        {json.dumps({"expressionType": "SQL", "label": "COUNT(*)", "sqlExpression": "COUNT(*)"}, sort_keys=True)}
    ),
)


def chart_offer(queries: Iterable[dict[str, Any]]) -> Offer:
    """What a chart offers whose saved queries these are."""
    columns, metrics = set(), set()
    for query in queries:
        columns |= {_name(column) for column in query.get("columns") or []}
        metrics |= {_name(metric) for metric in query.get("metrics") or []}
        columns |= {_name(order[0]) for order in query.get("orderby") or []}
    return Offer(frozenset(columns), frozenset(metrics))


def filter_offers(dashboard: dict[str, Any], dataset_id: int) -> list[Offer]:
    """What the filters of a dashboard, whose metadata this is, offer of a dataset."""
    return [
        Offer(frozenset({target["column"]["name"]}), frozenset({part["sortMetric"]} if part.get("sortMetric") else ()))
        for part in dashboard.get("native_filter_configuration") or []
        for target in part.get("targets") or []
        if target.get("datasetId") == dataset_id and "column" in target
    ]


def check_shape(context: Any, time_grains: Container[str]) -> None:
    """Raise MalformedQueryError unless a query context, as it was sent, has the shapes that Superset takes for granted.

    Superset's schema checks all other parts.
    """
    if not isinstance(context, dict) or not {"datasource", "queries"} <= context.keys():
        raise MalformedQueryError("A request names a datasource and queries.")
    if not isinstance(context.get("form_data") or {}, dict):
        raise MalformedQueryError("The form of a chart must be an object.")
    for query in _list(context["queries"]):
        if not isinstance(query, dict):
            raise MalformedQueryError("A query must be an object.")
        if "datasource" in query:
            raise MalformedQueryError("The datasource belongs beside the queries, not in one.")
        if not all(_has_name(part) for kind in ("columns", "groupby", "metrics") for part in _list(query.get(kind))):
            raise MalformedQueryError("A column or metric must be a name or an object with a label.")
        for condition in _list(query.get("filters")):
            if isinstance(condition, dict):
                _check_condition(condition, time_grains)


def _check_condition(condition: dict[str, Any], time_grains: Container[str]) -> None:
    operator, value = str(condition.get("op")).upper(), condition.get("val")
    if operator in LISTS and not isinstance(value, list):
        raise MalformedQueryError(f"A filter with {operator} needs a list of values.")
    if operator == TIME_RANGE and not isinstance(value, str | None):
        raise MalformedQueryError("A time range must be text.")
    # bool is an int
    if not all(isinstance(part, str | int | float | None) for part in (value if isinstance(value, list) else [value])):
        raise MalformedQueryError("The values of a filter must be text, numbers, true, false or null.")
    grain = condition.get("grain")
    if grain is not None and not (isinstance(grain, str) and grain in time_grains):
        raise MalformedQueryError("The time grain of a filter is not offered.")


def _has_name(part: Any) -> bool:
    # Superset's schema refuses null
    return isinstance(part, str | None) or (isinstance(part, dict) and isinstance(part.get("label"), str))


def _list(value: Any) -> list[Any]:
    """A list; of what is none, nothing: Superset's schema refuses it."""
    return value if isinstance(value, list) else []


def check_query(query: Any, dataset_columns: set[str], offers: list[Offer]) -> None:
    """Raise QueryRefusedError unless the query (Superset's QueryObject) is one of the offers, narrowed by filters."""
    for condition in query.filter:
        # Superset leaves out filters on names that the dataset lacks: a dashboard sends its filters to all charts
        if not isinstance(condition.get("col"), str) and _name(condition.get("col")) not in dataset_columns:
            raise QueryRefusedError("A filter must name a column.")
    if query.granularity and query.granularity not in dataset_columns:
        raise QueryRefusedError("The time column must be a column of the dataset.")
    if query.extras.get("where") or query.extras.get("having"):
        raise QueryRefusedError("Filters may not be SQL.")
    if query.annotation_layers or query.time_offsets:
        raise QueryRefusedError("Annotations and comparisons with other times are not offered.")
    if not {step.get("operation") for step in query.post_processing} <= POST_PROCESSING:
        raise QueryRefusedError("This way of processing the result is not offered.")
    columns = {_name(column) for column in [*query.columns, *query.series_columns]}
    metrics = {_name(metric) for metric in query.metrics or []}
    either = {_name(order[0]) for order in query.orderby}
    if query.series_limit_metric:
        either.add(_name(query.series_limit_metric))
    for offer in offers:
        if columns <= offer.columns and metrics <= offer.metrics and either <= offer.columns | offer.metrics:
            return
    raise QueryRefusedError("Only the columns and metrics of a saved chart may be asked for.")


def _name(part: Any) -> str:
    """The name of a column or metric; what is no name as JSON, so that only an equal part of a saved chart matches."""
    if isinstance(part, str):
        return part
    if isinstance(part, dict) and part.get("columnType") == "BASE_AXIS" and part.keys() <= AXIS_KEYS:
        column = part.get("sqlExpression")
        if isinstance(column, str) and part.get("label") == column:
            return column
    return json.dumps(part, sort_keys=True, default=str)


def check_sql(sql: str, dialect: str = "sqlite") -> None:
    """Raise QueryRefusedError unless the text is one query that reads one table and combines it with no other."""
    import sqlglot
    from sqlglot import exp

    try:
        statements = sqlglot.parse(sql, dialect=dialect)
    except (sqlglot.ParseError, sqlglot.TokenError, RecursionError) as error:
        raise QueryRefusedError("The query cannot be read as SQL.") from error
    if len(statements) != 1 or not isinstance(statements[0], exp.Select):
        raise QueryRefusedError("Only a single query may be asked.")
    if statements[0].find(exp.SetOperation, exp.With):
        raise QueryRefusedError("Queries may not be combined.")
    if any(part.args.get("field") for part in statements[0].find_all(exp.In)):
        raise QueryRefusedError("A list must be in brackets.")  # SQLite takes a bare name for a table
    tables = {(table.db, table.name) if table.name else table.sql() for table in statements[0].find_all(exp.Table)}
    if len(tables) != 1:
        raise QueryRefusedError("A query reads exactly one table.")
