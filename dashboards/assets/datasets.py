"""A dataset: a served table with its columns, and what `datasets/<table>.yaml` computes from them.

The file lists `metrics`, and seldom `columns`, each with a label and its SQL.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from dashboards.assets.identity import uuid_of
from dashboards.assets.serving_models import NUMBER_FORMATS, Column, Model

KEYS = ("label", "sql", "format", "description")
SQL_WORDS = {"sum", "avg", "count", "max", "min", "nullif", "case", "when", "then", "else", "end", "in", "null", "and"}
SQL_WORDS |= {"distinct", "or", "is", "not", "abs", "replace", "date", "coalesce", "substr", "length", "cast", "as"}
SQL_WORDS |= {"text", "current_timestamp", "sqrt"}


def database(name: str, *, on_postgresql: bool) -> dict[str, Any]:
    """A published file, opened read-only, or a schema of the serving database. The configuration says where it is."""
    return {
        "database_name": name,
        "sqlalchemy_uri": f"postgresql:///{name}" if on_postgresql else f"sqlite:///file:{name}.db?mode=ro&uri=true",
        "cache_timeout": None,
        "expose_in_sqllab": True,
        "allow_run_async": False,
        "allow_ctas": False,
        "allow_cvas": False,
        "allow_dml": False,
        "allow_file_upload": False,
        "extra": {"allows_virtual_table_explore": True},
        "uuid": uuid_of("database", name),
        "version": "1.0.0",
    }


def dataset(model: Model, described: dict[str, Any], currency: str) -> dict[str, Any]:
    """Superset's dataset of a served table; `described` is the content of its file."""
    times = [name for name, column in model.columns.items() if column.time_format]
    return {
        "table_name": model.name,
        "main_dttm_col": next(iter(times), None),
        "description": model.description,
        "schema": None,  # with one, SQLite takes the name for the table and not for the view with the user's rows
        "sql": None,
        "filter_select_enabled": True,
        "uuid": uuid_of("dataset", model.name),
        "database_uuid": uuid_of("database", model.database),
        "columns": [
            *(_column(name, column) for name, column in model.columns.items()),
            *(_computed_column(name, column) for name, column in described.get("columns", {}).items()),
        ],
        "metrics": [_metric(name, metric, currency) for name, metric in described.get("metrics", {}).items()],
        "version": "1.0.0",
    }


def faults(model: Model, described: dict[str, Any]) -> Iterator[str]:
    """What is wrong with a dataset's file."""
    for kind in ("metrics", "columns"):
        for name, each in described.get(kind, {}).items():
            yield from (f"{name}: {word} is none of {', '.join(KEYS)}" for word in sorted(each.keys() - set(KEYS)))
            expression = re.sub(r"'[^']*'", "", each["sql"])  # text in quotes names no column
            words = {word for word in re.findall(r"[A-Za-z_]\w*", expression) if word.lower() not in SQL_WORDS}
            yield from (f"{name}: {model.name} has no column {word}" for word in sorted(words - model.columns.keys()))
            if each.get("format", "money") not in NUMBER_FORMATS:
                yield f"{name}: the format is none of {', '.join(NUMBER_FORMATS)}"


def _column(name: str, column: Column) -> dict[str, Any]:
    return {
        "column_name": name,
        "verbose_name": column.label,
        "description": column.description,
        "is_dttm": column.time_format is not None,
        "type": column.declared,
        "groupby": True,
        "filterable": True,
        "python_date_format": column.time_format,
    }


def _computed_column(name: str, column: dict[str, Any]) -> dict[str, Any]:
    return {
        "column_name": name,
        "verbose_name": column["label"],
        "description": column.get("description"),
        "is_dttm": False,
        "type": "TEXT",
        "groupby": True,
        "filterable": True,
        "expression": column["sql"],
        "python_date_format": None,
    }


def _metric(name: str, metric: dict[str, Any], currency: str) -> dict[str, Any]:
    form = metric.get("format", "BIGINT")
    return {
        "metric_name": name,
        "verbose_name": metric.get("label"),
        "description": metric.get("description"),
        "expression": metric["sql"],
        "d3format": NUMBER_FORMATS[form],
        "currency": money(currency) if form == "money" else None,
    }


def money(currency: str) -> dict[str, str]:
    """How Superset writes an amount."""
    return {"symbol": currency, "symbolPosition": "prefix"}
