"""All assets, checked against each other and against the serving models: what `apply` imports."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from dashboards.assets import charts, datasets, pages
from dashboards.assets.serving_models import Model, read_models
from ingest.currency import currency
from serving_database import serving_database

HERE = Path(__file__).parents[1]
# what a page and each kind of chart must have, and what it may have
CHART = ({"title", "description", "kind", "dataset"}, {"where", "period", "height", "params", "when_empty", "kept"})
PAGE = ({"title", "description", "rows"}, {"place", "filters", "tabs"})
KINDS = {
    "tile": ({"metric"}, {"note"}),
    "trend": ({"metric", "over"}, {"compared", "is_bad"}),
    "table": ({"columns", "sort"}, {"metrics", "widths", "page_length", "search", "bars"}),
    "lines": ({"metrics", "over"}, {"by", "grain"}),
    "forecast": ({"metrics", "over", "begins"}, set()),
    "stacked_bars": ({"metrics", "over"}, {"by", "grain"}),
    "bars": ({"metrics", "x"}, {"by"}),
    "heat_map": ({"metric", "x", "y", "full"}, set()),
}

Parts = dict[str, Any]
Described = dict[str, Parts]


class AssetError(ValueError):
    """Assets that cannot work; the message names each file."""


def source_files(dashboards: Path) -> list[Path]:
    """All files that assets are made from."""
    models = dashboards.parent / "models"
    return [
        *(path for folder in ("pages", "charts", "datasets") for path in sorted((dashboards / folder).glob("*.yaml"))),
        dashboards / "filters.yaml",
        *sorted((models / "serving").glob("*/_*__models.yml")),
        *sorted((models / "docs").glob("*.md")),
    ]


def read_assets(dashboards: Path = HERE) -> Described:
    """Superset's assets by the paths of its import. Raises AssetError, which lists all faults."""
    page_files, chart_files, dataset_files = (_read(dashboards / kind) for kind in ("pages", "charts", "datasets"))
    filters = yaml.safe_load((dashboards / "filters.yaml").read_text())
    models = read_models(dashboards.parent)
    faults = [
        *_dataset_faults(dataset_files, models),
        *_chart_faults(chart_files, dataset_files, models),
        *_page_faults(page_files, chart_files, filters),
    ]
    if faults:
        raise AssetError("; ".join(faults))
    made: Described = {"metadata.yaml": {"version": "1.0.0", "timestamp": "2026-01-01T00:00:00+00:00"}}
    for name in sorted({models[name].database for name in dataset_files}):
        made[f"databases/{name}.yaml"] = datasets.database(name, on_postgresql=serving_database() is not None)
    by_table = {name: datasets.dataset(models[name], each, currency()) for name, each in dataset_files.items()}
    for name, each in by_table.items():
        made[f"datasets/{models[name].database}/{name}.yaml"] = each
    for name, each in chart_files.items():
        made[f"charts/{name}.yaml"] = charts.chart(
            name, each | {"currency": currency()}, by_table[each["dataset"]], models[each["dataset"]].columns
        )
    titles = {name: each["title"] for name, each in page_files.items()}
    placed = {
        name: each | {"dataset_columns": {part["column_name"] for part in by_table[each["dataset"]]["columns"]}}
        for name, each in chart_files.items()
    }
    known = {
        name: each | ({"dataset_uuid": by_table[each["dataset"]]["uuid"]} if "dataset" in each else {})
        for name, each in filters.items()
    }
    for name, each in page_files.items():
        made[f"dashboards/{name}.yaml"] = pages.page(name, each, titles, placed, known)
    return made


def tables_of_pages(dashboards: Path = HERE) -> dict[str, set[str]]:
    """The served tables that the charts and filters of each page read, by the page's address."""
    chart_files, filters = _read(dashboards / "charts"), yaml.safe_load((dashboards / "filters.yaml").read_text())
    return {
        pages.address(name): {chart_files[chart]["dataset"] for chart in pages.page_charts(each)}
        | {filters[used]["dataset"] for used in each.get("filters", []) if "dataset" in filters[used]}
        for name, each in _read(dashboards / "pages").items()
    }


def _read(folder: Path) -> Described:
    """The files of a folder by name. Pages stand in the order of their `place`."""
    files = {path.stem: yaml.safe_load(path.read_text()) or {} for path in sorted(folder.glob("*.yaml"))}
    return dict(sorted(files.items(), key=lambda item: item[1].get("place", 0)))


def _key_faults(each: Parts, what: str, *kinds: tuple[set[str], set[str]]) -> list[str]:
    needed, allowed = (set().union(*parts) for parts in zip(*kinds, strict=True))
    return [f"{key} must be there" for key in sorted(needed - each.keys())] + [
        f"{key} is nothing that a {what} has" for key in sorted(each.keys() - needed - allowed)
    ]


def _dataset_faults(files: Described, models: dict[str, Model]) -> Iterator[str]:
    for name, each in files.items():
        if name not in models:
            yield f"datasets/{name}.yaml: no serving model has this name"
            continue
        yield from (f"datasets/{name}.yaml: {fault}" for fault in datasets.faults(models[name], each))


def _chart_faults(files: Described, dataset_files: Described, models: dict[str, Model]) -> Iterator[str]:
    titles: dict[str, str] = {}
    for name, each in files.items():
        path = f"charts/{name}.yaml"
        if each.get("kind") not in KINDS:
            yield f"{path}: the kind {each.get('kind')} is none of {', '.join(KINDS)}"
            continue
        if faults := _key_faults(each, each["kind"], CHART, KINDS[each["kind"]]):
            yield from (f"{path}: {fault}" for fault in faults)
            continue
        if each["title"] in titles:
            yield f"{path}: has the title of {titles[each['title']]}"
        titles[each["title"]] = path
        if each["dataset"] not in dataset_files or each["dataset"] not in models:
            yield f"{path}: datasets/{each['dataset']}.yaml does not exist"
            continue
        dataset = dataset_files[each["dataset"]]
        columns, metrics = charts.used(each)
        for column in sorted(columns - models[each["dataset"]].columns.keys() - dataset.get("columns", {}).keys()):
            yield f"{path}: {each['dataset']} has no column {column}"
        for metric in sorted(metrics - dataset.get("metrics", {}).keys()):
            yield f"{path}: {each['dataset']} has no metric {metric}"


def _page_faults(files: Described, chart_files: Described, filters: Described) -> Iterator[str]:
    shown: set[str] = set()
    for name, each in files.items():
        path = f"pages/{name}.yaml"
        if faults := _key_faults(each, "page", PAGE):
            yield from (f"{path}: {fault}" for fault in faults)
            continue
        listed = pages.page_charts(each)
        yield from (f"{path}: charts/{chart}.yaml does not exist" for chart in listed if chart not in chart_files)
        yield from (f"{path}: shows {chart} twice" for chart in sorted(set(listed)) if listed.count(chart) > 1)
        for row in [*each["rows"], *(row for rows in each.get("tabs", {}).values() for row in rows)]:
            if sum(row.values()) > pages.COLUMNS:
                yield f"{path}: the row of {next(iter(row))} is wider than {pages.COLUMNS}"
        unknown = [used for used in each.get("filters", []) if used not in filters]
        yield from (f"{path}: filters.yaml has no filter {used}" for used in unknown)
        shown |= set(listed)
    yield from (f"charts/{name}.yaml: no page shows it" for name in sorted(chart_files.keys() - shown))
