"""Readings that are well formed and absurd, through a whole build and its publication, beside a store that is as usual.

The usual store sells three a day of each product, which differ in how often they are read: the figures that planning
rests on are the same for all of them, and the same whatever the other stores send.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from publish.destinations.sqlite import SqliteFiles
from publish.export import publish
from tests.integration.dbt.project import WHOLE, Project, served
from tests.integration.oracle import Event
from tests.integration.test_metrics import write_raw

NOW = datetime(2026, 6, 30, 9)
USUAL = "Usual"
# product: days between two readings, and since the last one
RHYTHMS = {
    "daily": (1, 0),
    "weekly": (7, 0),
    "weekly, read 6 days ago": (7, 6),
    "monthly": (30, 0),
    "monthly, read 20 days ago": (30, 20),
    "quarterly": (91, 0),
    "counted twice": (190, 0),
    "yearly": (365, 0),
    "yearly, read 100 days ago": (365, 100),
}
# a model that is fitted over all series gives other values for other series, and so other ranks of notifications
FITTED = {
    *("ml_metrics", "forecast_bands", "forecast_accuracy", "forecast_choices", "product_forecasts"),
    *("ensemble_weights", "numerical_quantity", "numerical_anomalies"),
    *("notification_episodes", "dashboard_notifications"),
}
# columns of current_stock that come from the errors of forecasts of all products
FITTED_COLUMNS = ("lead_time_demand", "lead_time_demand_95", "stock_out_probability")
HUGE, DEAR = 999_999_999_999, "999999999.99"
NAMES = ["N/A", "*", 'O\'Brien "&" Söhne', "two\nlines", "\u202ethgir", "All stores", " ", "/%2F|", "x" * 10_000]


def usual() -> Iterator[Event]:
    for product, (interval, age) in RHYTHMS.items():
        for back in range(age, max(400, interval + age + 1), interval):
            yield Event(USUAL, product, "Toys", 20 + 3 * (back - age), "2.00", NOW - timedelta(days=back))


def hostile() -> Iterator[Event]:
    def read(store: str, product: str, category: str, levels: list[int], price: str | None = "1.00") -> Iterator[Event]:
        for back, level in enumerate(reversed(levels)):
            yield Event(store, product, category, level, price, NOW - timedelta(days=back))

    for name in NAMES:
        yield from read(name, name, name, [9, 8, 3, 8, 7, 0])
        yield from read("Names", name, name, [5])
        yield from read(name, "plain", "Toys", [40, 30])
    yield from read("Absurd", "always", "Toys", [HUGE] * 30, DEAR)
    yield from read("Absurd", "swinging", "Toys", [HUGE, 0, -HUGE, HUGE, 4] * 6, DEAR)
    yield from read("Absurd", "barcode", "Toys", [*range(60, 30, -1), 4_006_381_333_931 // 10, 29], "4.50")
    yield from read("Absurd", "digits", "Toys", [*range(60, 30, -1), 94_011], "4.50")
    for event in read("Absurd", "dear today", "Toys", [*range(60, 29, -1)], "4.50"):
        yield event._replace(price="45000.00") if event.timestamp == NOW else event
    yield from read("Absurd", "owed", "Home", [7, 6, 5], f"-{DEAR}")
    yield from read("Absurd", "given away", "Home", [3, 2, 1], "0")
    for product in ("P1", "P2", "P3"):
        yield from read("Closed on a day", product, "Toys", [*range(90, 70, -1), 0, *range(69, 60, -1)])
    yield from read("Unpriced", "moving", "Toys", [90, 80, 70, 60, 50, 40, 30, 2], None)
    yield from read("Unpriced", "still", "Toys", [7], None)
    yield Event("Unpriced", "dead", "Toys", 7, None, NOW - timedelta(days=120))
    yield Event("Partly", "priced", "Toys", 3, "2.00", NOW)
    yield Event("Partly", "unpriced", "Toys", 5, None, NOW)
    yield Event("Conflicting", "P1", "Toys", 1, "1.00", NOW)
    yield Event("Conflicting", "P1", "Home", HUGE, None, NOW)
    for year, month, day in [(1, 1, 1), (1601, 1, 1), (1899, 12, 30), (1970, 1, 1), (2099, 1, 1)]:
        yield Event("Clocks", "P1", "Toys", 5, "1.00", datetime(year, month, day))
    # impossible dates are left out, a lone old one within the limit is not
    yield Event("Clocks", "P1", "Toys", 6, "1.00", datetime(2012, 1, 1))
    yield Event("Clocks", "P1", "Toys", 4, "1.00", NOW)
    yield Event("Forgotten", "P1", "Toys", 6, "1.00", datetime(2013, 2, 3))


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data_dir = tmp_path_factory.mktemp("plain")
    write_raw(data_dir, list(usual()))
    Project(data_dir).build()
    return data_dir


@pytest.fixture(scope="module")
def beset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with hostile readings among them, in a folder with an apostrophe and without one for the warehouse."""
    data_dir = tmp_path_factory.mktemp("beset") / "a shop's data"
    write_raw(data_dir, [*usual(), *hostile()])
    (data_dir / "warehouse").rmdir()
    Project(data_dir).build(*WHOLE, steps="build", with_seeds=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DBT_TARGET_PATH", str(data_dir / "dbt"))
        publish(data_dir, SqliteFiles(data_dir / "export"))
    return data_dir


def rows(data_dir: Path, query: str) -> list[tuple[object, ...]]:
    with duckdb.connect(str(data_dir / "warehouse/inventory.duckdb"), read_only=True) as connection:
        return connection.execute(query).fetchall()


def published(data_dir: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(data_dir / "export/inventory_metrics.db")) as database:
        return database.execute(query).fetchall()


def test_a_steady_seller_is_planned_alike_however_seldom_it_is_read(plain: Path) -> None:
    planned = rows(
        plain,
        """
        select stock.product_id, round(stock.daily_units_out, 6), performance.xyz_class, stock.movement, suggested_order
        from current_stock as stock
        inner join product_performance as performance using (store_location, product_id)
        order by all
        """,
    )
    # reorder at 3 a day * 6 days + 1.645 * 3 a day * 2 days = 27.9, order up to 14 days more: 69.9 less 20 on hand
    assert planned == [(product, 3.0, "X", "moving", 50) for product in sorted(RHYTHMS)]


def test_the_neighbours_have_the_same_figures(plain: Path, beset: Path) -> None:
    alone, among_others = served(plain), served(beset)
    for table in alone.keys() - FITTED - {"current_stock"}:
        assert of_usual(among_others[table]) == of_usual(alone[table]), table
    stock = f"select * exclude ({', '.join(FITTED_COLUMNS)}) from current_stock order by all"
    assert of_usual(rows(beset, stock)) == of_usual(rows(plain, stock))
    notifications = (
        "select * from int_notifications where notification_type not in ('numerical', 'forecast') order by all"
    )
    assert of_usual(rows(beset, notifications)) == of_usual(rows(plain, notifications))


def test_hostile_neighbours_hardly_move_what_is_expected_of_a_product(plain: Path, beset: Path) -> None:
    """Their numbers run into trillions; errors are pooled by rank, so these count no more than any other error."""
    query = f"select product_id, lead_time_demand from current_stock where store_location = '{USUAL}' order by all"
    alone, among_others = dict(rows(plain, query)), dict(rows(beset, query))
    assert alone
    assert among_others == pytest.approx(alone, rel=0.05)


def of_usual(found: list[tuple[object, ...]]) -> list[tuple[object, ...]]:
    return [row for row in found if USUAL in row and "isolation forest" not in row]


def test_no_name_is_taken_for_a_marker(beset: Path) -> None:
    """A store called N/A has its own rows beside those of the company."""
    levels = published(
        beset,
        "select summary_level, product_count, total_quantity from stock_performance where store_location = 'N/A'",
    )
    (company,) = [row for row in levels if row[0] == "company"]
    assert sorted(row for row in levels if row != company) == [
        ("store", 2, 30),
        ("store and category", 1, 0),
        ("store and category", 1, 30),
    ]
    stores = {row[0] for row in published(beset, "select distinct store_location from metrics")}
    assert set(NAMES) <= stores
    assert company[1] == len(published(beset, "select 1 from current_stock"))


def test_what_has_no_known_price_has_no_value(beset: Path) -> None:
    of_unpriced = "where store_location = 'Unpriced'"
    assert set(published(beset, f"select total_stock_value, avg_price from metrics {of_unpriced}")) == {(None, None)}
    assert set(published(beset, f"select total_stock_value from daily_stock {of_unpriced}")) == {(None,)}
    assert set(published(beset, f"select total_stock_value, dead_value from stock_performance {of_unpriced}")) == {
        (None, None)
    }
    assert set(published(beset, f"select stock_value from current_stock {of_unpriced}")) == {(None,)}
    (sentence,) = published(
        beset, f"select notification from notification_episodes {of_unpriced} and product_id = 'dead'"
    )
    assert "value: unknown" in str(sentence)
    # where some have a price the sum is theirs
    assert published(
        beset, "select distinct total_stock_value from stock_performance where store_location = 'Partly'"
    ) == [(6.0,)]


def test_impossible_dates_are_left_out_and_counted(beset: Path) -> None:
    assert published(beset, "select implausible_count, as_of from pipeline_status") == [(5, "2026-06-30 09:00:00")]
    with closing(sqlite3.connect(beset / "export/inventory.db")) as database:
        read = database.execute("select quantity from inventory where store_location = 'Clocks' order by 1").fetchall()
    assert read == [(4,), (6,)]
    # the first reading of each stands for a year, and the last year of the store that was read again
    ((hours,),) = published(beset, "select count(*) from metrics where store_location in ('Clocks', 'Forgotten')")
    assert int(str(hours)) < 4 * 367 * 24 + 48


def test_what_lies_far_beyond_its_own_past_is_reported_and_left_out(beset: Path) -> None:
    """The newest reading of one product says 94,011 after 31, the newest price of another 45,000 after 4.50."""
    stock = "select quantity, price, stock_value from current_stock where store_location = 'Absurd' and product_id = "
    assert published(beset, stock + "'digits'") == [(31, 4.5, 139.5)]
    assert published(beset, stock + "'dear today'") == [(30, 4.5, 135.0)]
    reported = published(
        beset,
        "select product_id, notification from notification_episodes where store_location = 'Absurd' and rule_id like "
        "'absurd_%' and product_id in ('digits', 'dear today') order by product_id",
    )
    assert [product for product, _ in reported] == ["dear today", "digits"]
    assert "a price of 45,000.00 EUR, where it usually cost up to 4.50" in str(reported[0][1])
    assert "was read as 94,011 units, where it usually held up to" in str(reported[1][1])
