"""The kinds of charts: how each looks, its colours, and the height that it needs."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from dashboards.assets.datasets import money
from dashboards.assets.serving_models import Column

# always beside the word; medium is too light for a line or a bar, so those have darker shades of their own
SEVERITIES = {"critical": "#B2182B", "high": "#EF8A62", "medium": "#FDDBC7", "info": "#67A9CF"}
MARKS = {"critical": "#B2182B", "high": "#D6604D", "medium": "#A6761D", "info": "#4393C3"}
# a forecast is a line and its band, which Superset colours one by one
MARKS |= {"Stock": "#2166AC", "Reorder line": "#4D4D4D", "Earlier forecast": "#8C6D31", "Forecast begins": "#8E8E8E"}
MARKS |= dict.fromkeys(("Forecast", "Forecast__yhat", "Forecast__yhat_lower", "Forecast__yhat_upper"), "#5E4FA2")
MARKS |= {"good": "#2166AC", "failed": MARKS["critical"], "did not end": MARKS["high"]}  # builds
STATUSES = {
    "out of stock": SEVERITIES["critical"],
    "runs out before delivery": SEVERITIES["high"],
    "reorder": SEVERITIES["medium"],
}
BLUE, RED = {"r": 33, "g": 102, "b": 172, "a": 1}, {"r": 178, "g": 24, "b": 43, "a": 1}
SENTENCES = ("message", "description", "reason")  # a phone would otherwise show a word a line
COLOURED = {"urgency": {f"{rank} {name}": colour for rank, (name, colour) in enumerate(SEVERITIES.items(), 1)}}
OUTCOMES = {"failed": SEVERITIES["critical"], "did not end": SEVERITIES["high"]}
COLOURED |= {"severity": SEVERITIES, "status": STATUSES, "outcome": OUTCOMES}
COLOURED |= {"freshness": {"out of date": SEVERITIES["critical"], "some old": SEVERITIES["high"]}}

Parts = dict[str, Any]


def _format_of(metric: str, dataset: Parts) -> Parts:
    (found,) = [each for each in dataset["metrics"] if each["metric_name"] == metric]
    return {"y_axis_format": found["d3format"], "currency_format": found["currency"] or {}}


def _tile(described: Parts, dataset: Parts, _: Parts) -> Parts:
    return {
        "metric": described["metric"],
        "subheader": described.get("note", ""),
        "header_font_size": 0.4,
        "subheader_font_size": 0.15,
        **_format_of(described["metric"], dataset),
    }


def _trend(described: Parts, dataset: Parts, _: Parts) -> Parts:
    compared = {"compare_lag": 7, "compare_suffix": "against a week before"} if described.get("compared", True) else {}
    return {
        "metric": described["metric"],
        "x_axis": described["over"],
        "time_grain_sqla": "P1D",
        "show_trend_line": True,
        "start_y_axis_at_zero": True,
        "header_font_size": 0.4,
        "subheader_font_size": 0.125,
        "show_timestamp": False,
        "rolling_type": "None",
        "time_format": "%d %b %Y",
        "color_picker": RED if described.get("is_bad") else BLUE,
        **compared,
        **_format_of(described["metric"], dataset),
    }


def _table(described: Parts, dataset: Parts, shown_columns: dict[str, Column]) -> Parts:
    columns, metrics = described["columns"], described.get("metrics", [])
    widths = dict.fromkeys(SENTENCES, 220) | {"product": 200} | described.get("widths", {})
    config: dict[str, Parts] = {}
    for column in columns:
        config[column] = {}
        if shown := shown_columns.get(column):
            if shown.number_format:
                config[column]["d3NumberFormat"] = shown.number_format
            if shown.is_money:
                config[column]["currencyFormat"] = money(described["currency"])
            if shown.time_format:
                config[column]["d3TimeFormat"] = "%d %b %Y %H:%M" if "%H" in shown.time_format else "%d %b %Y"
        if column in widths:
            config[column]["columnWidth"] = widths[column]
    sort = [(name.lstrip("-"), not name.startswith("-")) for name in described.get("sort", [])]
    rows: Parts
    if metrics:
        (ordered_by, ascending), *_rest = sort
        rows = {
            "query_mode": "aggregate",
            "groupby": columns,
            "metrics": metrics,
            "timeseries_limit_metric": ordered_by,
            "order_desc": not ascending,
        }
    else:
        # rows that sort alike always come in the same order
        ties = [(name, True) for name in columns if name in shown_columns and name not in dict(sort)]
        rows = {
            "query_mode": "raw",
            "all_columns": columns,
            "order_by_cols": [json.dumps(list(each)) for each in [*sort, *ties]],
        }
    return {
        **rows,
        "allow_render_html": False,
        "row_limit": 1000,
        "page_length": described.get("page_length", 0),
        "include_search": described.get("search", False),
        "show_cell_bars": described.get("bars", False),
        "color_pn": False,
        "column_config": {column: each for column, each in config.items() if each},
        "conditional_formatting": [
            {"column": column, "operator": "=", "targetValue": value, "colorScheme": colour}
            for column in [*columns, *metrics]
            for value, colour in COLOURED.get(column, {}).items()
        ],
    }


def _series(described: Parts, dataset: Parts, _: Parts) -> Parts:
    return {
        "x_axis": described["over"],
        "time_grain_sqla": described.get("grain", "P1D"),
        "x_axis_sort_asc": True,
        "metrics": described["metrics"],
        "groupby": [described["by"]] if "by" in described else [],
        "row_limit": 10_000,
        "show_legend": True,
        "rich_tooltip": True,
        "x_axis_time_format": "%d %b",
        "truncate_metric": True,
        "show_empty_columns": True,
        "markerEnabled": False,
        **_format_of(described["metrics"][0], dataset),
    }


def _forecast(described: Parts, dataset: Parts, shown_columns: Parts) -> Parts:
    """Lines and bands, and a bar on the day when the forecast begins."""
    lines = _series(described, dataset, shown_columns)
    bar = {"metrics_b": [described["begins"]], "groupby_b": []}
    return (
        lines | bar | {"row_limit_b": lines["row_limit"], "seriesType": "line", "seriesTypeB": "bar", "yAxisIndexB": 0}
    )


def _stacked_bars(described: Parts, dataset: Parts, shown_columns: Parts) -> Parts:
    return _series(described, dataset, shown_columns) | {"stack": "Stack"}


def _bars(described: Parts, dataset: Parts, _: Parts) -> Parts:
    """A bar for each value of a column, the longest first."""
    return {
        "x_axis": described["x"],
        "metrics": described["metrics"],
        "groupby": [described["by"]] if "by" in described else [],
        "orientation": "horizontal",
        "x_axis_sort": described["metrics"][0],
        "x_axis_sort_asc": True,
        "stack": "Stack" if "by" in described else None,
        "row_limit": 1000,
        "show_legend": "by" in described or len(described["metrics"]) > 1,
        "truncate_metric": True,
        "rich_tooltip": True,
        **_format_of(described["metrics"][0], dataset),
    }


def _heat_map(described: Parts, dataset: Parts, _: Parts) -> Parts:
    return {
        "x_axis": described["x"],
        "groupby": described["y"],
        "metric": described["metric"],
        "linear_color_scheme": "inventory_risk",
        "normalize_across": "heatmap",
        "sort_x_axis": "alpha_asc",
        "sort_y_axis": "alpha_desc",
        "show_values": True,
        "value_bounds": [0, described["full"]],
        "left_margin": "auto",
        "bottom_margin": 50,
        "xscale_interval": 1,
        "yscale_interval": 1,
        "legend_type": "continuous",
        "show_legend": False,
        "border_color": {"r": 255, "g": 255, "b": 255, "a": 1},
        "row_limit": 1000,
        **_format_of(described["metric"], dataset),
    }


KINDS: dict[str, tuple[str, Callable[[Parts, Parts, Any], Parts]]] = {
    "tile": ("big_number_total", _tile),
    "trend": ("big_number", _trend),
    "table": ("table", _table),
    "lines": ("echarts_timeseries_line", _series),
    "forecast": ("mixed_timeseries", _forecast),
    "stacked_bars": ("echarts_timeseries_bar", _stacked_bars),
    "bars": ("echarts_timeseries_bar", _bars),
    "heat_map": ("heatmap_v2", _heat_map),
}
# rows of eight pixels that a chart needs to be read, on a wide screen and a phone
HEIGHTS = {
    "tile": 19,
    "trend": 24,
    "table": 66,
    "lines": 50,
    "forecast": 50,
    "stacked_bars": 50,
    "bars": 50,
    "heat_map": 66,
}
