"""Superset's assets against each other and against the dbt models, without a server."""

from __future__ import annotations

from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
import yaml

from dashboards.access.connection import TABLES_WITHOUT_STORE
from dashboards.apply import ASSETS, AssetError, read_assets
from publish.destinations.sqlite_schema import sqlite_column
from tests.conftest import ROOT

SEVERITY_COLOURS = {"critical": "#B2182B", "high": "#EF8A62", "medium": "#FDDBC7", "info": "#67A9CF"}


@pytest.fixture(scope="module")
def assets() -> dict[str, dict[str, Any]]:
    return read_assets(ASSETS)


def of_kind(assets: dict[str, dict[str, Any]], kind: str) -> dict[str, dict[str, Any]]:
    return {path: asset for path, asset in assets.items() if path.startswith(f"{kind}/")}


def serving_columns() -> dict[str, dict[str, str]]:
    """SQLite's type of every column of every serving model, as the models' YAML says."""
    return {
        model["name"]: {
            column["name"]: written.declared
            for column in model.get("columns", [])
            if (written := sqlite_column(model["name"], column["name"], column["data_type"].upper()))
        }
        for path in (ROOT / "models" / "serving").rglob("*.yml")
        for model in (yaml.safe_load(path.read_text()).get("models") or [])
    }


def test_datasets_have_the_models_columns_and_types(assets):
    models = serving_columns()
    for path, dataset in of_kind(assets, "datasets").items():
        model = models[dataset["table_name"]]
        for column in dataset["columns"]:
            name = column["column_name"]
            assert model.get(name) == column["type"], f"{path}: {name}"


def test_datasets_name_no_schema(assets):
    """With one, SQLite takes the name for the table and not for the view with the user's rows, and refuses."""
    assert [path for path, dataset in of_kind(assets, "datasets").items() if dataset["schema"] is not None] == []


def test_each_table_tells_its_rows_stores_or_is_listed():
    without_store = {table for table, columns in serving_columns().items() if "store_location" not in columns}
    assert without_store == TABLES_WITHOUT_STORE


def test_a_pages_exposure_lists_what_its_charts_and_filters_read(assets):
    datasets = {dataset["uuid"]: f"ref('{dataset['table_name']}')" for dataset in of_kind(assets, "datasets").values()}
    charts = {chart["uuid"]: chart["dataset_uuid"] for chart in of_kind(assets, "charts").values()}
    read = {
        f"/superset/dashboard/{page['slug']}/": {
            datasets[uuid]
            for uuid in [
                *(charts[part["meta"]["uuid"]] for name, part in page["position"].items() if name.startswith("CHART")),
                *(
                    target["datasetUuid"]
                    for entry in page["metadata"]["native_filter_configuration"]
                    for target in entry["targets"]
                    if target
                ),
            ]
        }
        for page in of_kind(assets, "dashboards").values()
    }
    exposures = yaml.safe_load((ROOT / "models/serving/_serving__exposures.yml").read_text())["exposures"]
    exposed = {
        exposure["url"].removeprefix("http://127.0.0.1:8088"): set(exposure["depends_on"])
        for exposure in exposures
        if exposure["type"] == "dashboard"
    }
    assert exposed == read


def test_metrics_are_over_columns_that_the_dataset_has(assets):
    sql_words = {"sum", "avg", "count", "case", "when", "then", "else", "end", "in", "null"}
    for path, dataset in of_kind(assets, "datasets").items():
        columns = {column["column_name"] for column in dataset["columns"]}
        for metric in dataset["metrics"]:
            unquoted = "".join(metric["expression"].split("'")[::2])  # text in quotes names no column
            for sign in "()*/=,":
                unquoted = unquoted.replace(sign, " ")
            words = {word for word in unquoted.split() if word[0].isalpha()}
            unknown = {word for word in words if word.lower() not in sql_words} - columns
            assert not unknown, f"{path}: {metric['metric_name']}"


def test_every_chart_is_on_a_page_under_its_own_name(assets):
    shown = {
        part["meta"]["uuid"]: part["meta"]["sliceName"]
        for page in of_kind(assets, "dashboards").values()
        for name, part in page["position"].items()
        if name.startswith("CHART")
    }
    charts = {chart["uuid"]: chart["slice_name"] for chart in of_kind(assets, "charts").values()}
    assert shown == charts


def test_rows_are_at_most_twelve_columns_wide(assets):
    for page in of_kind(assets, "dashboards").values():
        position = page["position"]
        for name, row in position.items():
            if name.startswith("ROW"):
                assert sum(position[child]["meta"]["width"] for child in row["children"]) <= 12, name


def test_a_filter_reaches_exactly_the_charts_that_have_its_column(assets):
    datasets = {dataset["uuid"]: dataset for dataset in of_kind(assets, "datasets").values()}
    charts = {chart["uuid"]: chart for chart in of_kind(assets, "charts").values()}
    for path, page in of_kind(assets, "dashboards").items():
        filters = {entry["name"]: entry for entry in page["metadata"]["native_filter_configuration"]}
        assert list(filters) in (["Store", "Category", "Period"], []), path
        for name, part in page["position"].items():
            if not name.startswith("CHART"):
                continue
            chart = charts[part["meta"]["uuid"]]
            columns = {column["column_name"] for column in datasets[chart["dataset_uuid"]]["columns"]}
            adhoc = chart["params"].get("adhoc_filters", [])
            has = {
                "Store": "store_location" in columns,
                "Category": "category" in columns,
                "Period": any(entry["operator"] == "TEMPORAL_RANGE" for entry in adhoc),
            }
            for filter_name, is_reached in has.items():
                reaches = filters and part["meta"]["chartId"] not in filters[filter_name]["scope"]["excluded"]
                assert bool(reaches) == is_reached, f"{filter_name}: {chart['slice_name']}"


def test_colours_are_the_agreed_ones_and_stand_beside_a_word(assets):
    dashboard = assets["dashboards/inventory.yaml"]
    assert SEVERITY_COLOURS.items() <= dashboard["metadata"]["label_colors"].items()
    params = assets["charts/open_notifications.yaml"]["params"]
    shown = {entry["targetValue"]: entry["colorScheme"] for entry in params["conditional_formatting"]}
    assert shown == SEVERITY_COLOURS
    assert "severity" in params["all_columns"]


def test_no_value_becomes_a_link(assets):
    """Tables would show HTML in a feed's values as such. No chart of these kinds may, nor one that is made for it."""
    settings = {"table": "allow_render_html", "pivot_table_v2": "allowRenderHtml"}
    for path, chart in of_kind(assets, "charts").items():
        assert chart["viz_type"] not in {"handlebars", "iframe", "markup"}, path
        if setting := settings.get(chart["viz_type"]):
            assert chart["params"].get(setting) is False, path


def test_times_are_read_as_the_models_write_them(assets):
    for path, dataset in of_kind(assets, "datasets").items():
        for column in dataset["columns"]:
            name = column["column_name"]
            is_time = name.endswith(("_date", "_at", "_timestamp")) or name == "as_of"
            assert column["is_dttm"] == is_time, f"{path}: {name}"
            if is_time:
                wanted = "%Y-%m-%d" if name.endswith("_date") else "%Y-%m-%d %H:%M:%S"
                assert column["python_date_format"] == wanted, f"{path}: {name}"


def test_sources_are_opened_read_only(assets):
    for path, database in of_kind(assets, "databases").items():
        assert "mode=ro" in database["sqlalchemy_uri"], path
        assert not database["allow_dml"], path
        assert not database["allow_file_upload"], path


@pytest.mark.parametrize(
    ("file", "right", "wrong", "message"),
    [
        ("charts/stock_value.yaml", "metric: stock_value", "metric: sales", "has no metric sales"),
        ("charts/stock_value.yaml", "x_axis: event_date", "x_axis: week", "has no column week"),
        ("charts/stock_value.yaml", "dataset_uuid: 8", "dataset_uuid: 0", "its dataset is in no file"),
        ("datasets/inventory_metrics/daily_stock.yaml", "database_uuid: 1", "database_uuid: 0", "database is in no"),
        ("dashboards/inventory.yaml", "uuid: 8cbf67f6", "uuid: 00000000", "CHART-needs_you_today shows a chart that"),
        ("databases/inventory.yaml", "be2dff05-ebc2-54bb-83fd-02628e867170", "1f3233b1-31f4-5ae1-becf-fa77a0fc772e",
         "has the uuid of databases/inventory.yaml"),
    ],
)  # fmt: skip
def test_a_fault_is_reported_with_its_file(tmp_path: Path, file: str, right: str, wrong: str, message: str):
    copytree(ASSETS, tmp_path / "assets")
    path = tmp_path / "assets" / file
    text = path.read_text()
    assert right in text
    path.write_text(text.replace(right, wrong))
    with pytest.raises(AssetError, match=message):
        read_assets(tmp_path / "assets")
