"""A number that stands in several places is the same in all: tiles, lists, the heat map, `inventory status`, SQL.

For the company, a region and a store; those of Today are compared in test_today.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections import Counter
from contextlib import closing
from math import sqrt
from typing import Any

import pytest

from dashboards.today.explanation import read_product, steps
from tests.integration.test_server import make_status
from tests.serving import Client, Site

STORES = {"admin": ["Store_A", "Store_B"], "store_a": ["Store_A"]}


class Shown:
    """What the charts show one person."""

    def __init__(self, client: Client) -> None:
        self.client = client
        charts = client.ask("/api/v1/chart/?q=(page_size:100)").json()["result"]
        self.numbers = {chart["slice_name"]: chart["id"] for chart in charts}

    def rows(self, title: str) -> list[dict[str, Any]]:
        answer = self.client.ask(f"/api/v1/chart/{self.numbers[title]}/data/")
        assert answer.status_code == 200, answer.text
        return answer.json()["result"][0]["data"]

    def tile(self, title: str) -> Any:
        (row,) = self.rows(title)
        (value,) = row.values()
        return value

    def last(self, title: str) -> Any:
        """The newest value of a tile with a trend."""
        newest = max(self.rows(title), key=lambda row: row["event_date"])
        return next(value for name, value in newest.items() if name != "event_date")


@pytest.fixture(scope="module", params=STORES)
def shown(request: pytest.FixtureRequest, site: Site) -> tuple[Shown, Any]:
    stores = ", ".join(f"'{store}'" for store in STORES[request.param])

    def one(query: str) -> Any:
        """A number of the published tables, over the stores that the person sees."""
        with closing(sqlite3.connect(site.data_dir / "export/inventory_metrics.db")) as file:
            rows = f"(select * from {{}} where store_location in ({stores}))"
            (value,) = file.execute(query.format(rows.format("current_stock"))).fetchone()
        return value

    return Shown(site.signed_in(request.param)), one


def test_products_out_of_stock(shown):
    charts, one = shown
    count = one("select sum(is_out_of_stock) from {}")
    assert charts.tile("Out of stock") == count
    listed = charts.rows("Products at risk, the most valuable first")
    assert len([row for row in listed if row["status"] == "out of stock"]) == count
    assert sum(row["out_of_stock_count"] for row in charts.rows("Stores compared")) == count
    assert sum(row["out_of_stock_count"] for row in charts.rows("Categories compared")) == count
    assert charts.last("Share out of stock") == pytest.approx(count / one("select count(*) from {}"))


def test_stock_and_its_value(shown):
    charts, one = shown
    assert charts.last("Units on hand") == one("select sum(quantity) from {}")
    value = one("select sum(stock_value) from {}")
    assert charts.last("Stock value") == pytest.approx(value)
    assert sum(row["total_stock_value"] for row in charts.rows("Stores compared")) == pytest.approx(value)


def test_sales_at_risk_and_orders(shown):
    charts, one = shown
    at_risk = one("select sum(value_at_risk) from {}")
    assert charts.tile("Sales at risk") == pytest.approx(at_risk)
    assert sum(row["value_at_risk"] for row in charts.rows("Stores compared")) == pytest.approx(at_risk)
    assert sum(row["at_risk"] for row in charts.rows("Sales at risk by store")) == pytest.approx(at_risk)
    ordered = charts.rows("What to order")
    assert len(ordered) == one("select sum(suggested_order > 0) from {}")
    assert sum(row["suggested_order"] for row in ordered) == one("select sum(suggested_order) from {}")
    cost = sum(row["order_cost"] for row in ordered if row["order_cost"] is not None)
    assert charts.tile("To order now") == pytest.approx(cost)


def test_a_region_is_the_sum_of_its_products(shown):
    charts, one = shown
    sums = {
        "stores": "count(distinct store_location)",
        "value": "sum(stock_value)",
        "at_risk": "sum(value_at_risk)",
        "out_of_stock": "sum(is_out_of_stock)",
        "to_order": "sum(order_cost)",
        "excess": "sum(excess_value)",
    }
    regions = charts.rows("Regions compared")
    assert sum(row["stores"] for row in regions) == one("select count(distinct store_location) from {}")
    for row in regions:
        for column, in_sql in sums.items():
            expected = one(f"select {in_sql} from {{}} where region = '{row['region']}'")
            assert row[column] == pytest.approx(expected), column


def test_the_heat_map_counts_what_the_list_shows(shown):
    charts, one = shown
    cells = charts.rows("Where shelves run empty (white: unknown)")
    fresh = (
        "select {{}} from {{}} where is_stale = 0 and store_location = '{store_location}' and category = '{category}'"
    )
    runs_out = "avg(status in ('out of stock', 'runs out before delivery'))"
    assert cells
    for cell in cells:
        query = fresh.format(**cell).replace("{}", runs_out, 1)
        assert cell["runs_out_share"] == pytest.approx(one(query)), cell


def test_what_needs_somebody_today(shown, site):
    charts, _ = shown
    count = charts.tile("Needs you today")
    assert len(charts.rows("What needs attention, most urgent first")) == count
    if "admin" in json.dumps(charts.client.ask("/api/v1/me/").json()):
        assert f"{count:,} of them need attention today" in make_status(site.data_dir, site.port)


def test_every_reason_gives_its_figure(site):
    """Whoever works out the formula that a product's page shows gets the figure beside it."""
    with closing(sqlite3.connect(site.data_dir / "export/inventory_metrics.db")) as file:
        named = file.execute("select store_location, product_id from current_stock").fetchall()
        products = [read_product(file, *name) for name in named]
    worked_out = Counter()
    for product in products:
        for step in steps(product):
            formula, *rounded = step.reason.split(", rounded ")
            if not re.fullmatch(r"[\d.,() ×÷√²+−]+", formula):
                continue
            for shown, meant in {",": "", "×": "*", "÷": "/", "√": "sqrt", "²": "**2", "−": "-"}.items():
                formula = formula.replace(shown, meant)
            value = float(step.value.split("\N{NO-BREAK SPACE}")[0].replace(",", ""))
            # of rounded figures a formula gives a rounded one; money has no cents
            near = 1 if rounded else 0.1
            if "EUR" in step.value:
                near = 0.5 + (product["price"] * near if step.figure == "Sales at risk" else 0)
            assert eval(formula, {"sqrt": sqrt}) == pytest.approx(value, abs=near, rel=0.01), (product, step)
            worked_out[step.figure] += 1
    assert worked_out["Order now"]
    assert worked_out["Sales at risk"]
    assert worked_out["Reorder point"] == sum(product["reorder_point"] is not None for product in products)
