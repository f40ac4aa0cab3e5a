"""What /today reads and how it says it; tests/integration/test_today.py asks the pages themselves."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from dashboards.today import words
from dashboards.today.explanation import read_product, steps
from dashboards.today.lists import LISTS, ROWS_PER_PAGE, read_list
from dashboards.today.queries import Change, Days, Summary, summaries, total
from tests.conftest import ROOT

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("passed", "said"),
    [
        (timedelta(seconds=59), "just now"),
        (timedelta(seconds=60), "1 minute ago"),
        (timedelta(minutes=59), "59 minutes ago"),
        (timedelta(hours=5, minutes=59), "5 hours ago"),
        (timedelta(hours=47), "47 hours ago"),
        (timedelta(hours=48), "2 days ago"),
        (timedelta(days=1500), "1,500 days ago"),
        (-timedelta(hours=1), "just now"),  # a clock that is ahead
    ],
)
def test_how_long_ago(passed, said):
    assert words.ago(NOW - passed, NOW) == said


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (Change(103.9, 100), "+3.9%"),
        (Change(71, 100), "\N{MINUS SIGN}29%"),
        (Change(1300, 1), "+129,900%"),
        (Change(5, 0), "\N{EN DASH}"),
        (Change(5, None), "\N{EN DASH}"),
        (Change(None, 5), "\N{EN DASH}"),
    ],
)
def test_a_change_is_a_share_of_what_was(change, said):
    assert words.share(change.share) == said


@pytest.mark.parametrize(
    ("place", "message", "headline", "details"),
    [
        ("Store_A", "Store_A · P1 is out. Order 1.5. Now.", "P1 is out.", "Order 1.5. Now."),
        ("Store_A Leeds · Briggate", "Store_A Leeds · Briggate · P1 is out. Now.", "P1 is out.", "Now."),
        ("Store_A Leeds", "Store_A Leeds has sent no reading. Call.", "Store_A Leeds has sent no reading.", "Call."),
        ("North", "North · P1 is out in all 2 stores.", "P1 is out in all 2 stores.", ""),
        ("Store_A", "Store_A · P1 lost 9; 2 are usual. See.", "P1 lost 9.", "2 are usual. See."),
        ("Store_A", "Store_A · P1 had two; one is used. See.", "P1 had two.", "One is used. See."),
        ("All stores", "All stores · P1 is out. Call.", "P1 is out.", "Call."),
        ("All stores", "3 messages could not be read. See.", "3 messages could not be read.", "See."),
    ],
)
def test_a_message_has_a_headline_and_details(place, message, headline, details):
    notification: Any = SimpleNamespace(severity="high", store_or_region=place, notification=f"HIGH · {message}")
    assert words.sentences(notification) == (headline, details)


@pytest.mark.parametrize(
    ("kind", "label"),
    [("stock", "At risk"), ("numerical", "At risk"), ("data_quality", "Stock concerned"), ("text", "Stock concerned")],
)
def test_a_doubtful_record_puts_no_stock_at_risk(kind, label):
    notification: Any = SimpleNamespace(type=kind)
    assert words.value_label(notification) == label


def published(**tables: list[dict[str, Any]]) -> sqlite3.Connection:
    """A published file with these rows."""
    file = sqlite3.connect(":memory:")
    for table, rows in tables.items():
        names = list(rows[0])
        file.execute(f"create table {table} ({', '.join(names)})")
        file.executemany(
            f"insert into {table} values ({', '.join('?' * len(names))})", [list(row.values()) for row in rows]
        )
    return file


def test_a_list_has_pages_and_the_sums_of_all_of_them():
    rows = [
        {"store_location": "A", "category": "Toys", "product_id": f"P{number:03}", "quantity": number, "is_stale": 1}
        | {"product_name": None, "last_reading_at": f"2026-01-01 00:00:{number % 60:02}"}
        for number in range(120)
    ]
    file = published(current_stock=[*rows, rows[0] | {"store_location": "B"}, rows[0] | {"is_stale": 0}])
    pages = [read_list(file, LISTS["old-readings"], {"store_location": "A"}, page) for page in (1, 2, 3, 4)]
    assert [len(page.rows) for page in pages] == [ROWS_PER_PAGE, ROWS_PER_PAGE, 20, 0]
    assert {(page.count, page.sums["quantity"]) for page in pages} == {(120, sum(range(120)))}
    whole = read_list(file, LISTS["old-readings"], {"store_location": "A"}, None)
    assert whole.rows == [row for page in pages for row in page.rows]
    assert read_list(file, LISTS["old-readings"], {"store_location": "' OR 1 = 1 --"}).count == 0


def test_every_column_of_a_list_is_published():
    for name, listing in LISTS.items():
        described = [
            {column["name"] for column in model["columns"]}
            for path in (ROOT / "models/serving/inventory_metrics").glob("*.yml")
            for model in yaml.safe_load(path.read_text()).get("models", [])
            if model["name"] == listing.table
        ]
        assert len(described) == 1, name
        assert {column.name for column in listing.columns} <= described[0], name


def test_a_store_is_compared_with_itself_a_week_before():
    def day(store: str, date: str, quantity: int, value: float | None) -> dict[str, Any]:
        return {"store_location": store, "category": "Toys", "event_date": date, "total_quantity": quantity} | {
            "total_stock_value": value,
            "out_of_stock_count": quantity % 2,
        }

    def product(store: str, **flags: int) -> dict[str, Any]:
        known = {"is_out_of_stock": 0, "suggested_order": 0, "is_stale": 0}
        read = {"last_reading_at": "2026-06-30 10:00:00", "stale_at": "2026-07-02 10:00:00"}
        return {"store_location": store} | read | known | flags

    file = published(
        current_stock=[product("A", suggested_order=3), product("A", is_stale=1), product("B")],
        daily_stock=[
            *(day("A", "2026-06-30", 9, 90.0), day("A", "2026-06-30", 1, None), day("A", "2026-06-23", 20, 200.0)),
            *(day("A", "2026-06-22", 500, 500.0), day("B", "2026-06-30", 4, 40.0)),
        ],
        lost_sales=[{"store_location": "A", "weeks_ago": 1, "lost_value": 7.5}],
    )
    newest = ("2026-06-30 10:00:00", "2026-07-02 10:00:00")
    first, second = summaries(file, Days("2026-06-30", "2026-06-23"), None)
    assert first == Summary("A", Change(10, 20), Change(90, 200), Change(0, 7.5), Change(2, 0), 1, 1, *newest)
    # a store that is new has nothing to be compared with
    assert second == Summary("B", Change(4, None), Change(40, None), Change(0, 0), Change(0, None), 0, 0, *newest)
    assert total([first, second]) == Summary(
        None, Change(14, 20), Change(130, 200), Change(0, 7.5), Change(2, 0), 1, 1, *newest
    )
    assert summaries(file, Days("2026-06-30", "2026-06-23"), "B") == [second]


# the worked example of the safety stock: 10.91 units, and 38.91 at which to order
PRODUCT = {
    "store_location": "A",
    "product_id": "P1",
    "quantity": 8,
    "on_order": 0,
    "next_delivery_at": None,
    "price": 9.5,
    "unit_cost": None,
    "stock_value": 76.0,
    "last_reading_at": "2026-06-30 10:00:00",
    "daily_units_out": 4.0,
    "daily_units_out_sd": 2.0,
    "days_of_supply": 2.0,
    "sell_out_date": "2026-07-02",
    "lead_time_days": 7.0,
    "lead_time_sd_days": 1.0,
    "lead_time_from": "policy",
    "review_period_days": 7.0,
    "service_z": 1.645,
    "safety_stock": 10.9117,
    "reorder_point": 38.9117,
    "order_up_to_level": 66.9117,
    "pack_size": 1,
    "minimum_order": 1,
    "suggested_order": 59,
    "order_cost": 560.5,
    "order_cost_from": "price",
    "excess_quantity": 0,
    "missed_units": 20.0,
    "value_at_risk": 190.0,
    "lead_time_demand": 16.0,
    "lead_time_demand_95": 24.0,
    "stock_out_probability": 0.9,
    "status": "runs out before delivery",
}


def reasons(**changed: object) -> dict[str, tuple[str, str]]:
    return {step.figure: (step.value, step.reason) for step in steps(PRODUCT | changed)}


def test_each_figure_has_its_formula_with_the_values():
    shown = reasons()
    assert shown["Days of supply"] == ("2.0", "8 ÷ 4")
    assert shown["Safety stock"] == ("10.9", "1.645 × √(7 × 2² + 4² × 1²)")
    assert shown["Reorder point"] == ("38.9", "4 × 7 + 10.91")
    assert shown["An order fills up to"] == ("66.9", "4 × (7 + 7) + 10.91")
    assert shown["Order now"] == ("59", "66.91 − 8, rounded up")
    assert shown["Cost"] == ("560\N{NO-BREAK SPACE}EUR", "59 × 9.5, the shelf price: the unit cost is not known")
    assert "On order" not in shown
    assert shown["Sales at risk"] == ("190\N{NO-BREAK SPACE}EUR", "(4 × 7 − 8) × 9.5")
    assert shown["Chance to run out before a delivery"][0] == "90%"
    assert "Excess" not in shown


def test_what_is_on_order_is_part_of_the_reasons():
    supplied = {"on_order": 20, "next_delivery_at": "2026-07-03 12:00:00", "pack_size": 12, "minimum_order": 24}
    costed = {"suggested_order": 48, "unit_cost": 3.0, "order_cost": 144.0, "order_cost_from": "unit cost"}
    shown = reasons(**supplied, **costed, missed_units=4.0, value_at_risk=38.0)
    assert shown["On order"] == ("20", "the next delivery is due on 3 Jul 2026")
    assert shown["Order now"] == ("48", "66.91 − 8 − 20, rounded up to packs of 12, but at least 24")
    assert shown["Cost"] == ("144\N{NO-BREAK SPACE}EUR", "48 × 3")
    assert shown["Sales at risk"][1] == "4 × 9.5: so many units go missing before a delivery"
    overdue = reasons(on_order=40, suggested_order=0)
    assert overdue["On order"] == ("40", "overdue, or without a date")
    assert overdue["Order now"] == ("0", "nothing: 8 on hand and 40 on order are not below the reorder point")


def test_a_lead_time_says_where_it_is_from():
    ordered_by = "; orders are placed every 7 days"
    assert reasons()["Delivery takes (days)"] == ("7", f"by the replenishment policy, give or take 1{ordered_by}")
    learned = reasons(lead_time_from="orders", supplier="Playmark", lead_time_days=4.8, lead_time_sd_days=1.7)
    assert learned["Delivery takes (days)"] == (
        "4.8",
        f"the mean of deliveries from Playmark in half a year, give or take 1.7{ordered_by}",
    )
    assert learned["Safety stock"][1] == "1.645 × √(4.8 × 2² + 4² × 1.7²)"


def test_no_chance_is_certain_before_the_shelf_is_empty():
    chances = [
        reasons(stock_out_probability=probability)["Chance to run out before a delivery"][0]
        for probability in (0.0, 0.99, 1.0)
    ]
    assert chances == ["under 1%", "99%", "over 99%"]
    assert "Chance to run out before a delivery" not in reasons(quantity=0, stock_out_probability=1.0)


@pytest.mark.parametrize(
    ("status", "probability", "by_forecast"),
    [
        ("runs out before delivery", 0.5, None),
        ("runs out before delivery", 0.49, "reorder"),
        ("reorder", 0.5, "runs out before delivery"),
        ("reorder", 0.49, None),
        ("reorder", 0.05, None),
        ("reorder", 0.04, "ok"),
        ("ok", 0.05, "reorder"),
        ("ok", 0.04, None),
    ],
)
def test_a_chance_that_says_otherwise_than_the_status_says_which_of_them_counts(status, probability, by_forecast):
    shown = reasons(status=status, stock_out_probability=probability)
    _, _, beside = shown["Chance to run out before a delivery"][1].partition(" by this forecast it would be ")
    assert beside == (f"“{by_forecast}”" if by_forecast else "")


def test_what_is_not_known_is_not_explained():
    assert list(reasons(daily_units_out=None)) == ["On hand", "Stock value", "Daily depletion"]
    assert reasons(daily_units_out=None)["Daily depletion"][0] == words.UNKNOWN
    unpriced = reasons(price=None, order_cost=None, value_at_risk=None, lead_time_demand=None)
    assert not {"Stock value", "Sales at risk", "Chance to run out before a delivery"} & unpriced.keys()


def test_what_is_not_needed_says_why():
    full = reasons(quantity=80, suggested_order=0, excess_quantity=13, value_at_risk=0.0)
    assert full["Order now"] == ("0", "nothing: 80 are not below the reorder point")
    assert full["Excess"] == ("13", "80 − 66.91, rounded down")
    assert full["Sales at risk"][1] == "nothing: 80 outlast a delivery, in which 4 × 7 go out"
    slow = reasons(daily_units_out=0.0, days_of_supply=None, sell_out_date=None)
    assert not {"Days of supply", "Empty on"} & slow.keys()


def test_a_product_is_read_in_its_store():
    file = published(current_stock=[PRODUCT, PRODUCT | {"store_location": "B", "quantity": 9}])
    assert read_product(file, "A", "P1") == PRODUCT
    assert read_product(file, "C", "P1") is None
    assert read_product(file, "A", "' OR 1 = 1 --") is None
