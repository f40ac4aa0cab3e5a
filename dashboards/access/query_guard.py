"""Superset's security manager and its mutator of SQL, for `queries`."""

from __future__ import annotations

import json
from typing import Any

from flask import g

from dashboards.access.queries import (
    QUERIES_PER_REQUEST,
    RESULT_TYPES,
    ROW_COUNT,
    ROWS,
    Offer,
    QueryRefusedError,
    chart_offer,
    check_query,
    check_sql,
    filter_offers,
)
from dashboards.access.stores import asks_freely


class QueryGuard:
    """A part of a security manager: managers query saved charts and filters only, never SQL of their own.

    Superset calls raise_for_access for each way to its data, with keywords that name the way.
    """

    def raise_for_access(self, *arguments: Any, **ways: Any) -> None:
        super().raise_for_access(*arguments, **ways)  # type: ignore[misc]
        if _asks_freely(self):
            return
        # charts of the kind before Superset 1.0, and SQL Lab
        if any(ways.get(way) is not None for way in ("viz", "query", "sql", "table")):
            raise _refusal("Only saved charts may be asked for.")
        if ways.get("query_context") is not None:
            try:
                _check_context(ways["query_context"])
            except QueryRefusedError as error:
                raise _refusal(str(error)) from error


def refuse_combined_queries(sql: str, *, security_manager: Any, database: Any, **_: Any) -> str:
    """What Superset calls SQL_QUERY_MUTATOR: it gets the text of every query of a chart or filter, as it will run."""
    if "user" not in g or not _asks_freely(security_manager):
        try:
            check_sql(sql, "postgres" if database.backend == "postgresql" else "sqlite")
        except QueryRefusedError as error:
            raise _refusal(str(error)) from error
    return sql


def _asks_freely(security_manager: Any) -> bool:
    return asks_freely(role.name for role in security_manager.get_user_roles())


def _check_context(context: Any) -> None:
    if len(context.queries) > QUERIES_PER_REQUEST:
        raise QueryRefusedError(f"A request may hold {QUERIES_PER_REQUEST} queries.")
    dataset = context.datasource
    if dataset.type != "table":
        raise QueryRefusedError("Only a dataset may be asked.")
    columns = {column.column_name for column in dataset.columns}
    offers = [*_offers(dataset.id), ROW_COUNT]
    rows = Offer(frozenset(columns), frozenset())
    for query in context.queries:
        if query.datasource not in (None, dataset):
            raise QueryRefusedError("All queries of a request read the same dataset.")
        kind = str(query.result_type or context.result_type)
        if kind not in {*RESULT_TYPES, ROWS}:
            raise QueryRefusedError("This kind of result is not offered.")
        check_query(query, columns, [rows] if kind == ROWS else offers)


def _offers(dataset_id: int) -> list[Offer]:
    """What the saved charts of a dataset and the dashboards' filters on it offer."""
    from superset import db
    from superset.models.dashboard import Dashboard
    from superset.models.slice import Slice

    charts = db.session.query(Slice.query_context).filter_by(datasource_id=dataset_id, datasource_type="table")
    dashboards = db.session.query(Dashboard.json_metadata).filter(Dashboard.published)
    offers = [chart_offer(json.loads(context)["queries"]) for (context,) in charts if context]
    for (metadata,) in dashboards:
        offers += filter_offers(json.loads(metadata or "{}"), dataset_id)
    return offers


def _refusal(message: str) -> Exception:
    from superset.errors import ErrorLevel, SupersetError, SupersetErrorType
    from superset.exceptions import SupersetSecurityException

    return SupersetSecurityException(
        SupersetError(message, SupersetErrorType.QUERY_SECURITY_ACCESS_ERROR, ErrorLevel.WARNING)
    )
