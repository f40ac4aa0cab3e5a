"""Pages, charts and datasets against each other and against the serving models, without a server."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
import yaml

from dashboards.access.connection import TABLES_WITHOUT_STORE
from dashboards.assets.bundle import AssetError, read_assets, tables_of_pages
from dashboards.assets.kinds import MARKS, SEVERITIES
from dashboards.assets.serving_models import read_models
from tests.conftest import ROOT

DASHBOARDS = ROOT / "dashboards"


@pytest.fixture(scope="module")
def assets() -> dict[str, dict[str, Any]]:
    return read_assets()


def of_kind(assets: dict[str, dict[str, Any]], kind: str) -> dict[str, dict[str, Any]]:
    return {path: asset for path, asset in assets.items() if path.startswith(f"{kind}/")}


def placed(page: dict[str, Any]) -> list[dict[str, Any]]:
    return [part["meta"] for name, part in page["position"].items() if name.startswith("CHART")]


# ------------------------------------------------------------------ what every asset keeps


def test_datasets_name_no_schema(assets):
    """With one, SQLite takes the name for the table and not for the view with the user's rows, and refuses."""
    assert [path for path, dataset in of_kind(assets, "datasets").items() if dataset["schema"] is not None] == []


def test_each_table_tells_its_rows_stores_or_is_listed():
    models = read_models(ROOT)
    assert {name for name, model in models.items() if "store_location" not in model.columns} == TABLES_WITHOUT_STORE


def test_a_pages_exposure_lists_what_its_charts_and_filters_read():
    exposures = yaml.safe_load((ROOT / "models/serving/_serving__exposures.yml").read_text())["exposures"]
    exposed = {
        exposure["url"].removeprefix("http://127.0.0.1:8088"): set(exposure["depends_on"])
        for exposure in exposures
        if exposure["type"] == "dashboard"
    }
    read = {address: {f"ref('{table}')" for table in tables} for address, tables in tables_of_pages().items()}
    assert exposed == read


def computed(assets: dict[str, dict[str, Any]], table: str, column: str, **row: str | None) -> str:
    """What a column that a dataset computes says of a row."""
    (dataset,) = [each for each in of_kind(assets, "datasets").values() if each["table_name"] == table]
    (found,) = [each for each in dataset["columns"] if each["column_name"] == column]
    columns = ", ".join(f":{name} AS {name}" for name in row)
    with closing(sqlite3.connect(":memory:")) as database:
        ((value,),) = database.execute(f"SELECT {found['expression']} FROM (SELECT {columns})", row)
    return value


@pytest.mark.parametrize(
    ("place", "said", "shown"),
    [
        ("Store_A", "Store_A · P1 Train is out of stock.", "P1 Train is out of stock."),
        ("Store_A", "Store_A · Toys saw 9 units go out.", "Toys saw 9 units go out."),
        ("Store_A", "Store_A has sent no reading.", "Store_A has sent no reading."),
        ("Store_A Leeds", "Store_A Leeds · P1 Train is out of stock.", "P1 Train is out of stock."),
        ("North", "North · P1 Train is out of stock.", "P1 Train is out of stock."),
        ("All stores", "The intake could not read 2 messages.", "The intake could not read 2 messages."),
    ],
)
def test_a_message_leaves_out_what_stands_beside_it(assets, place, said, shown):
    row = {"severity": "high", "store_or_region": place, "notification": f"HIGH · {said}"}
    assert computed(assets, "notification_episodes", "message", **row) == shown


@pytest.mark.parametrize("table", ["current_stock", "product_performance"])
@pytest.mark.parametrize(("name", "shown"), [("Wooden train", "P1 Wooden train"), (None, "P1")])
def test_a_product_is_shown_by_id_and_name(assets, table, name, shown):
    assert computed(assets, table, "product", product_id="P1", product_name=name) == shown


def test_at_most_eight_charts_stand_above_the_tabs():
    for path in (DASHBOARDS / "pages").glob("*.yaml"):
        page = yaml.safe_load(path.read_text())
        assert sum(map(len, page["rows"])) <= 8, path.name


def test_a_filter_reaches_exactly_the_charts_that_have_its_column(assets):
    datasets = {dataset["uuid"]: dataset for dataset in of_kind(assets, "datasets").values()}
    charts = {chart["uuid"]: chart for chart in of_kind(assets, "charts").values()}
    for path, page in of_kind(assets, "dashboards").items():
        for filter_ in page["metadata"]["native_filter_configuration"]:
            column = filter_["targets"][0].get("column", {}).get("name")
            for meta in placed(page):
                chart = charts[meta["uuid"]]
                conditions = chart["params"]["adhoc_filters"]
                columns = {each["column_name"] for each in datasets[chart["dataset_uuid"]]["columns"]}
                is_reached = (
                    column in columns if column else any(each["operator"] == "TEMPORAL_RANGE" for each in conditions)
                )
                reaches = meta["chartId"] not in filter_["scope"]["excluded"]
                assert reaches == is_reached, f"{path}: {filter_['name']}, {chart['slice_name']}"


def luminance(colour: str) -> float:
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_marks_stand_out_against_white():
    settings = (DASHBOARDS / "superset_config.py").read_text()
    (listed,) = re.findall(r'"colors": \[(.*)\],?\n.*\n\]\nEXTRA_SEQUENTIAL', settings)
    for colour in [*MARKS.values(), *re.findall(r"#\w{6}", listed)]:
        assert 1.05 / (luminance(colour) + 0.05) >= 3, colour


def test_a_colour_stands_beside_its_word(assets):
    params = assets["charts/open_notifications.yaml"]["params"]
    shown = {entry["targetValue"].partition(" ")[2]: entry["colorScheme"] for entry in params["conditional_formatting"]}
    assert shown == SEVERITIES
    assert "urgency" in params["all_columns"]


def test_no_value_becomes_a_link(assets):
    """Tables would show HTML in a feed's values as such. No chart of these kinds may, nor one that is made for it."""
    for path, chart in of_kind(assets, "charts").items():
        assert chart["viz_type"] not in {"handlebars", "iframe", "markup", "pivot_table_v2"}, path
        if chart["viz_type"] == "table":
            assert chart["params"]["allow_render_html"] is False, path


def test_times_are_read_as_they_are_published():
    """Documented tables write them as events do, the others as SQLite's own functions read them."""
    models = read_models(ROOT)
    assert models["inventory"].columns["event_timestamp"].time_format == "%Y-%m-%dT%H:%M:%SZ"
    assert models["current_stock"].columns["last_reading_at"].time_format == "%Y-%m-%d %H:%M:%S"
    assert models["daily_stock"].columns["event_date"].time_format == "%Y-%m-%d"
    assert models["daily_stock"].columns["category"].time_format is None


def test_sources_are_opened_read_only(assets):
    for path, database in of_kind(assets, "databases").items():
        assert "mode=ro" in database["sqlalchemy_uri"], path
        assert not database["allow_dml"], path
        assert not database["allow_file_upload"], path


# ------------------------------------------------------------------ faults, and a page more


@pytest.fixture
def dashboards(tmp_path: Path) -> Path:
    """A copy of what assets are made from."""
    for folder in ("pages", "charts", "datasets"):
        copytree(DASHBOARDS / folder, tmp_path / "dashboards" / folder)
    for folder in ("serving", "docs"):
        copytree(ROOT / "models" / folder, tmp_path / "models" / folder)
    (tmp_path / "dashboards/filters.yaml").write_text((DASHBOARDS / "filters.yaml").read_text())
    return tmp_path / "dashboards"


@pytest.mark.parametrize(
    ("file", "right", "wrong", "message"),
    [
        ("charts/stock_value", "metric: stock_value", "metric: sales", "stock_value.yaml: daily_stock has no metric s"),
        ("charts/stock_value", "over: event_date", "over: week", "has no column week"),
        ("charts/stock_value", "dataset: daily_stock", "dataset: daily", "datasets/daily.yaml does not exist"),
        ("charts/stock_value", "kind: trend", "kind: trent", "the kind trent is none of tile, trend"),
        ("charts/stock_value", "over: event_date", "", "charts/stock_value.yaml: over must be there"),
        ("charts/stock_value", "title: Stock value", "title: Units on hand", "has the title of"),
        ("charts/stock_value", "kind:", "widht: 3\nkind:", "widht is nothing that a trend has"),
        ("datasets/daily_stock", "SUM(units_out)", "SUM(sales)", "units_out_sum: daily_stock has no column sales"),
        ("datasets/daily_stock", "format: money", "format: gold", "stock_value: the format is none of"),
        ("pages/overview", "needs_you_today", "needs_you", "pages/overview.yaml: charts/needs_you.yaml does not exist"),
        ("pages/overview", "forecast: 12", "forecast: 13", "the row of forecast is wider than 12"),
        ("pages/overview", "forecast: 12", "needs_you_today: 12", "shows needs_you_today twice"),
        ("pages/overview", "filters: [store,", "filters: [shop,", "filters.yaml has no filter shop"),
        ("pages/regions", "stores: 12", "", "charts/stores.yaml: no page shows it"),
    ],
)  # fmt: skip
def test_a_fault_is_reported_with_its_file(dashboards: Path, file: str, right: str, wrong: str, message: str):
    path = dashboards / f"{file}.yaml"
    text = path.read_text()
    assert right in text
    path.write_text(text.replace(right, wrong, 1))
    with pytest.raises(AssetError, match=re.escape(message)):
        read_assets(dashboards)


def example(heading: str) -> dict[str, str]:
    """The files of CONTRIBUTING's example below a heading: a block of YAML after each path."""
    section = (ROOT / "CONTRIBUTING.md").read_text().split(f"## {heading}\n")[1].split("\n## ")[0]
    return dict(
        re.findall(r"`dashboards/([\w/]+\.yaml)`.*?```yaml\n(.*?)```", re.sub("(?m)^   ", "", section), re.DOTALL)
    )


def test_a_page_is_one_file_as_contributing_says(dashboards: Path):
    before = read_assets(dashboards)
    files = example("Add a page")
    assert len(files) == 1
    for path, content in files.items():
        (dashboards / path).write_text(content)
    after = read_assets(dashboards)
    (name,) = (path for path in after.keys() - before.keys())
    assert name == "dashboards/shrinkage.yaml"
    assert len(placed(after[name])) == 3
    # nothing else changes but the menu of each page
    for path, asset in before.items():
        if not path.startswith("dashboards/"):
            assert after[path] == asset
        else:
            assert "/superset/dashboard/shrinkage/" in str(after[path]["position"]["MARKDOWN-menu"])


def test_a_chart_is_one_file_and_its_place(dashboards: Path):
    for path, content in example("Add a chart").items():
        (dashboards / path).write_text(content)
    page = dashboards / "pages/regions.yaml"
    page.write_text(page.read_text().replace("rows:\n", "rows:\n  - {units_in: 12}\n"))
    assert "charts/units_in.yaml" in read_assets(dashboards)
