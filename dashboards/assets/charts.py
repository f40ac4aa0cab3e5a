"""A chart: the content of `charts/<chart>.yaml`, and Superset's chart for it.

A file names its `kind`, its `dataset` and what the kind needs of it; `params` are Superset's own, for what is special
to one chart. How a kind looks is written once, in `kinds.py`.
"""

from __future__ import annotations

from typing import Any

from dashboards.assets.identity import uuid_of
from dashboards.assets.kinds import KINDS
from dashboards.assets.serving_models import Column

NEVER_KEPT = -1  # Superset's word for a chart whose answers are not cached

Parts = dict[str, Any]


def chart(name: str, described: Parts, dataset: Parts, shown_columns: dict[str, Column]) -> Parts:
    """Superset's chart.

    `described` is the content of its file with the currency, `dataset` Superset's dataset, and `shown_columns` says how
    its columns are shown.
    """
    viz_type, make = KINDS[described["kind"]]
    params = {"viz_type": viz_type, "time_range": "No filter", "color_scheme": "inventory"}
    params |= make(described, dataset, shown_columns) | {"adhoc_filters": _conditions(described)}
    if "metrics_b" in params:  # a second query, with conditions of its own
        params["adhoc_filters_b"] = params["adhoc_filters"]
    return {
        "slice_name": described["title"],
        "description": described["description"],
        "viz_type": viz_type,
        "params": params | described.get("params", {}),
        "cache_timeout": None if described.get("kept", True) else NEVER_KEPT,
        "uuid": uuid_of("chart", name),
        "version": "1.0.0",
        "dataset_uuid": dataset["uuid"],
    }


def period_column(described: Parts) -> str | None:
    """The column by which a page's period narrows a chart: the one it names, else its axis in time; None for none."""
    column: str | None = described.get("period", described.get("over"))
    return column


def used(described: Parts) -> tuple[set[str], set[str]]:
    """The columns and the metrics that a chart's file names."""
    columns = {
        *described.get("columns", []),
        *described.get("where", {}),
        *(described[part] for part in ("over", "by", "x", "y") if part in described),
        *([period] if (period := period_column(described)) else []),
    }
    metrics = {*described.get("metrics", []), *(described[part] for part in ("metric", "begins") if part in described)}
    # what sums rows up is sorted by a metric
    (metrics if metrics else columns).update(name.lstrip("-") for name in described.get("sort", []))
    return columns, metrics


def _conditions(described: Parts) -> list[Parts]:
    conditions = [
        _condition(column, "IN" if isinstance(value, list) else "==", value)
        for column, value in described.get("where", {}).items()
    ]
    if period := period_column(described):
        conditions.append(_condition(period, "TEMPORAL_RANGE", "No filter"))
    return conditions


def _condition(column: str, operator: str, value: Any) -> Parts:
    return {
        "expressionType": "SIMPLE",
        "subject": column,
        "operator": operator,
        "comparator": value,
        "clause": "WHERE",
    }
