"""A page: the content of `pages/<page>.yaml`, and Superset's dashboard for it.

A page has rows of charts, each with its width out of twelve, and tabs with rows of their own. Its filters are named in
`filters.yaml`; a filter reaches the charts whose dataset has its column.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dashboards.assets.charts import period_column
from dashboards.assets.identity import uuid_of
from dashboards.assets.kinds import HEIGHTS, MARKS

Parts = dict[str, Any]
COLUMNS = 12
MENU_HEIGHT = 6


def address(name: str) -> str:
    """Where a page is served, by its file's name."""
    return f"/superset/dashboard/{slug(name)}/"


def slug(name: str) -> str:
    return name.replace("_", "-")


def page_charts(described: Parts) -> list[str]:
    """The charts of a page in the order in which they are read."""
    return [chart for _, row in _rows(described) for chart in row]


def page(name: str, described: Parts, titles: dict[str, str], charts: Parts, filters: Parts) -> Parts:
    """Superset's dashboard.

    `described` is the content of the page's file, `titles` are those of all pages in their order, `charts` the contents
    of the charts' files, and `filters` that of `filters.yaml` with the uuid and the columns of their datasets.
    """
    numbers = {chart: number for number, chart in enumerate(page_charts(described), 1)}
    return {
        "dashboard_title": described["title"],
        "description": described["description"],
        "css": _style(described, charts),
        "slug": slug(name),
        "published": True,
        "uuid": uuid_of("page", name),
        "position": _position(name, described, titles, charts, numbers),
        "metadata": {
            "color_scheme": "inventory",
            "label_colors": MARKS,
            "shared_label_colors": [],
            "refresh_frequency": 300,
            "cross_filters_enabled": True,
            "timed_refresh_immune_slices": [],
            "expanded_slices": {},
            "default_filters": "{}",
            "filter_bar_orientation": "HORIZONTAL",
            "native_filter_configuration": [
                _filter(
                    each,
                    filters[each],
                    [n for chart, n in numbers.items() if not _reaches(filters[each], charts[chart])],
                )
                for each in described.get("filters", [])
            ],
        },
        "version": "1.0.0",
    }


def _rows(described: Parts) -> Iterator[tuple[str | None, dict[str, int]]]:
    """Each row with the tab that it stands in."""
    for row in described["rows"]:
        yield None, row
    for tab, rows in described.get("tabs", {}).items():
        for row in rows:
            yield tab, row


def _position(name: str, described: Parts, titles: dict[str, str], charts: Parts, numbers: dict[str, int]) -> Parts:
    position: Parts = {
        "DASHBOARD_VERSION_KEY": "v2",
        "ROOT_ID": {"type": "ROOT", "id": "ROOT_ID", "children": ["GRID_ID"]},
        "HEADER_ID": {"type": "HEADER", "id": "HEADER_ID", "meta": {"text": described["title"]}},
        "GRID_ID": {"type": "GRID", "id": "GRID_ID", "children": [], "parents": ["ROOT_ID"]},
    }

    def add(kind: str, key: str, parent: str, **meta: Any) -> str:
        part = f"{kind}-{key}"
        parents = [*position[parent].get("parents", []), parent]
        position[part] = {"type": kind, "id": part, "children": [], "parents": parents, "meta": meta}
        position[parent]["children"].append(part)
        return part

    menu = add("ROW", "menu", "GRID_ID", background="BACKGROUND_TRANSPARENT")
    links = "&ensp;·&ensp;".join(
        f"**{title}**" if other == name else f"[{title}]({address(other)})" for other, title in titles.items()
    )
    add("MARKDOWN", "menu", menu, width=COLUMNS, height=MENU_HEIGHT, code=links)
    for number, (tab, row) in enumerate(_rows(described), 1):
        parent = "GRID_ID"
        if tab:
            if "TABS-tabs" not in position:
                add("TABS", "tabs", "GRID_ID")
            parent = f"TAB-{tab}"
            if parent not in position:
                add("TAB", tab, "TABS-tabs", text=tab)
        holder = add("ROW", str(number), parent, background="BACKGROUND_TRANSPARENT")
        height = max(charts[chart].get("height", HEIGHTS[charts[chart]["kind"]]) for chart in row)
        for chart, width in row.items():
            add(
                "CHART",
                chart,
                holder,
                uuid=uuid_of("chart", chart),
                chartId=numbers[chart],
                sliceName=charts[chart]["title"],
                width=width,
                height=height,
            )
    return position


def _reaches(described: Parts, chart: Parts) -> bool:
    if described.get("over") == "time":
        return period_column(chart) is not None
    return described["column"] in chart["dataset_columns"]


def _filter(name: str, described: Parts, excluded: list[int]) -> Parts:
    is_time = described.get("over") == "time"
    value = described.get("default")
    mask = (
        {"extraFormData": {"time_range": value}, "filterState": {"value": value}}
        if value
        else {"extraFormData": {}, "filterState": {}}
    )
    target = {} if is_time else {"column": {"name": described["column"]}, "datasetUuid": described["dataset_uuid"]}
    select = {"multiSelect": True, "defaultToFirstItem": False, "inverseSelection": False, "searchAllOptions": False}
    return {
        "id": f"NATIVE_FILTER-{name}",
        "name": described["label"],
        "filterType": "filter_time" if is_time else "filter_select",
        "type": "NATIVE_FILTER",
        "description": described.get("description", ""),
        "targets": [target],
        "controlValues": {"enableEmptyFilter": False} | ({} if is_time else select),
        "defaultDataMask": mask | {"ownState": {}},
        "cascadeParentIds": [],
        "scope": {"rootPath": ["ROOT_ID"], "excluded": excluded},
        "sortMetric": None,
    }


def _style(described: Parts, charts: Parts) -> str:
    """What an empty chart says instead of Superset's `No results were returned for this query`."""
    return "\n".join(
        f'[data-test-chart-name="{charts[chart]["title"]}"] .ant-empty-description::after '
        f'{{ content: "{charts[chart]["when_empty"]}"; }}'
        for chart in page_charts(described)
        if "when_empty" in charts[chart]
    )
