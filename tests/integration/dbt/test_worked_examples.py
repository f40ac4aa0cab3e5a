"""The worked examples of the metrics' definition, from Parquet files to the served table in one build."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from tests.integration.dbt.project import build
from tests.integration.oracle import Event, metrics
from tests.integration.test_metrics import assert_metrics_are, write_raw

START = datetime(2026, 1, 1)
DAY = timedelta(days=1)

Products = dict[str, list[tuple[float, int]]]

STEADY: Products = {"P1": [(0, 100), (10, 60), (20, 20)]}

# name: readings by product as (day, level); day of the row; total, average price, value, turnover rate, units out in
# the window, time-weighted average
EXAMPLES: dict[str, tuple[Products, float, tuple[float | None, ...]]] = {
    "steady": (STEADY, 30, (20, 1.0, 20.0, 80 / 60, 80, 60.0)),
    "restock": ({"P1": [(0, 100), (10, 40), (12, 140), (30, 80)]}, 30, (80, 1.0, 80.0, 1.0, 120, 120.0)),
    "stock-out": ({"P1": [(0, 30), (5, 0), (25, 30), (30, 20)]}, 30, (20, 1.0, 20.0, 4.0, 40, 10.0)),
    "hidden restock": ({"P1": [(0, 100), (30, 90)]}, 30, (90, 1.0, 90.0, 0.1, 10, 100.0)),
    "spike": (
        {"P1": [(0, 100), (10, 90), (20, 1000), (21, 80)]},
        30,
        (80, 1.0, 80.0, 20 / (2710 / 30), 20, 2710 / 30),
    ),
    "duplicated and shuffled": (STEADY, 30, (20, 1.0, 20.0, 80 / 60, 80, 60.0)),
    "two products": (
        {"P1": [(0, 1000), (15, 500)], "P2": [(0, 10), (15, 9)]},
        30,
        (509, 50.5, 1400.0, 501 / 759.5, 501, 759.5),
    ),
    "heartbeat": (
        {"P1": [(minute / 1440, 50) for minute in (1, 10, 20, 30, 40, 50, 60)]},
        1 / 24,
        (50, 1.0, 50.0, 0.0, 0, 50.0),
    ),
    "always empty": ({"P1": [(0, 0)]}, 30, (0, 1.0, 0.0, None, 0, 0.0)),
    "new product": ({"P1": [(0, 100), (30, 70)], "P2": [(20, 60), (30, 30)]}, 30, (100, 1.0, 100.0, 0.5, 60, 120.0)),
    "window cut": (
        {"P1": [(0, 200), (20, 150), (40, 100), (60, 50)]},
        60,
        (50, 1.0, 50.0, 100 / (350 / 3), 100, 350 / 3),
    ),
}


def arrivals(name: str, products: Products) -> list[Event]:
    """The example's readings in a store of its own name; P2 of "two products" costs 100, all else 1."""
    events = [
        Event(
            name, product, "Toys", level, "100" if (name, product) == ("two products", "P2") else "1", START + day * DAY
        )
        for product, readings in products.items()
        for day, level in readings
    ]
    if name == "duplicated and shuffled":
        events *= 2
        random.Random(7).shuffle(events)
    return events


# a lone old reading beside recent ones, a store that closed for good, one that was closed for years
LONG_AGO = START - 10 * 365 * DAY
SILENT = [
    Event("Reopened", "P1", "Toys", 9, "2.00", LONG_AGO),
    *(Event("Reopened", "P1", "Toys", 40 - day, "2.00", START + day * DAY) for day in range(20)),
    Event("Closed", "P1", "Toys", 7, None, LONG_AGO),
    *(Event("Moved", product, "Toys", 50, "1.00", LONG_AGO) for product in ("P1", "P2")),
    *(Event("Moved", "P1", "Toys", 30, "1.00", LONG_AGO + days * DAY) for days in (20, 1200, 1210)),
    Event("Moved", "P2", "Home", 20, None, LONG_AGO + 1500 * DAY),
]


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data_dir = tmp_path_factory.mktemp("examples")
    examples = [event for name, (products, *_) in EXAMPLES.items() for event in arrivals(name, products)]
    write_raw(data_dir, examples + SILENT)
    build(data_dir, "--select", "+serving.*.metrics")
    return data_dir / "warehouse/inventory.duckdb"


@pytest.mark.parametrize("name", EXAMPLES)
def test_worked_example(warehouse: Path, name: str) -> None:
    _, day, expected = EXAMPLES[name]
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        found = connection.execute(
            """
            select
                metrics.total_quantity, metrics.avg_price, metrics.total_stock_value, metrics.turnover_rate,
                stock.window_units_out, stock.average_quantity
            from metrics
            inner join fct_stock_metrics as stock
                on metrics.store_location = stock.store_location
                and metrics.event_timestamp = stock.event_timestamp
            where metrics.store_location = ? and stock.event_timestamp = ?
            """,
            [name, START + day * DAY],
        ).fetchall()
    assert found == [pytest.approx(expected)]


def test_a_reading_of_long_ago_makes_no_grid_of_a_decade(warehouse: Path) -> None:
    """Every row is as defined, none is left out of the year after a reading or of the last one, and no more stand."""
    newest = START + 60 * DAY
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        rows = connection.execute(
            "select * from metrics where store_location in ('Reopened', 'Closed', 'Moved')"
        ).fetchall()
    # the clock of the tables is that of the examples
    expected = metrics([*SILENT, Event("Clock", "P1", "Toys", 1, None, newest)])
    assert_metrics_are(rows, {key: value for key, value in expected.items() if key[0] != "Clock"})
    assert len(rows) < 0.4 * 4 * 10 * 365 * 24
    assert {(row[0], row[1]) for row in rows if row[-1] == newest} == {
        ("Reopened", "Toys"),
        ("Closed", "Toys"),
        ("Moved", "Toys"),
        ("Moved", "Home"),
    }
