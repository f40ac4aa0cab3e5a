"""The lists behind the numbers of `/today`: a table of the published file each, filtered, with sums, page by page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dashboards.today.queries import Tables

ROWS_PER_PAGE = 50
FILTERS = ("store_location", "category", "product_id", "supplier", "event_date", "weeks_ago")
# an address may hold anything, and PostgreSQL compares a number with numbers only
NUMBERS = {"weeks_ago": "CAST(weeks_ago AS TEXT)"}


@dataclass(frozen=True)
class Column:
    """A column of a list: its name in the table, its label, how it is written, and whether the list shows its sum."""

    name: str
    label: str
    kind: str = "text"  # text, units, money, number, date or age
    summed: bool = False


STORE = Column("store_location", "Store")
CATEGORY = Column("category", "Category")
PRODUCT = Column("product_id", "Product")
PRODUCT_NAME = Column("product_name", "Name")
ON_HAND = Column("quantity", "On hand", "units", summed=True)
DEPLETION = Column("daily_units_out", "Daily depletion", "number")
SUPPLIER = Column("supplier", "Supplier")
ON_ORDER = Column("on_order", "On order", "units", summed=True)
LAST_READ = Column("last_reading_at", "Last read", "age")


@dataclass(frozen=True)
class Listing:
    """A list: what it says of itself, the table that it reads, and which rows of it, in which order."""

    title: str
    explanation: str
    columns: tuple[Column, ...]
    order: str
    table: str = "current_stock"
    condition: str = "1 = 1"
    needs: frozenset[str] = frozenset()  # the filters without which its sums say nothing

    @property
    def filters(self) -> frozenset[str]:
        """The columns by which it can be narrowed."""
        return frozenset(column.name for column in self.columns if column.name in FILTERS) | self.needs


# what a list is about stands first, then its figures, the most telling first: a phone shows three or four columns
LISTS: dict[str, Listing] = {
    "stores": Listing(
        "All stores",
        "The figures of each store, the one with most at risk first.",
        (
            STORE,
            Column("value_at_risk", "At risk", "money", summed=True),
            Column("out_of_stock_count", "Out of stock", "units", summed=True),
            Column("product_count", "Products", "units", summed=True),
            Column("total_quantity", "On hand", "units", summed=True),
            Column("total_stock_value", "Stock value", "money", summed=True),
            Column("suggested_order", "Units to order", "units", summed=True),
        ),
        "value_at_risk DESC NULLS LAST",
        table="stock_performance",
        condition="summary_level = 'store'",
    ),
    "stock": Listing(
        "Stock on hand",
        "The latest level of each product, and its value at the last known price.",
        (
            *(PRODUCT, PRODUCT_NAME, ON_HAND, ON_ORDER),
            Column("stock_value", "Stock value", "money", summed=True),
            Column("status", "Status"),
            Column("days_of_supply", "Days of supply", "number"),
            *(DEPLETION, LAST_READ, CATEGORY, STORE),
        ),
        "stock_value DESC NULLS LAST",
    ),
    "out-of-stock": Listing(
        "Out of stock",
        "Products whose level is 0, those that cost most until a delivery first.",
        (
            *(PRODUCT, PRODUCT_NAME),
            Column("value_at_risk", "Sales missed until a delivery", "money", summed=True),
            Column("suggested_order", "Order now", "units", summed=True),
            ON_ORDER,
            Column("next_delivery_at", "Next delivery", "date"),
            *(DEPLETION, LAST_READ, CATEGORY, STORE),
        ),
        "value_at_risk DESC NULLS LAST",
        condition="is_out_of_stock = 1",
    ),
    "order": Listing(
        "What to order",
        "Products of which less is on hand and on order than their reorder point. An order fills up to what lasts for "
        "the lead time and the review period, in whole packs. The cost is at unit cost, or at the shelf price where "
        "the unit cost is not known.",
        (
            *(PRODUCT, PRODUCT_NAME),
            Column("suggested_order", "Order now", "units", summed=True),
            *(ON_HAND, ON_ORDER),
            Column("order_cost", "Cost", "money", summed=True),
            Column("order_cost_from", "Cost at"),
            Column("value_at_risk", "Sales missed otherwise", "money", summed=True),
            DEPLETION,
            Column("lead_time_days", "Delivery takes (days)", "number"),
            *(SUPPLIER, CATEGORY, STORE),
        ),
        "value_at_risk DESC NULLS LAST, order_cost DESC NULLS LAST, store_location, product_id",
        condition="suggested_order > 0",
    ),
    "old-readings": Listing(
        "Old readings",
        "Products whose last reading is more than two days older than the newest one. What is shown for them is old.",
        (PRODUCT, PRODUCT_NAME, LAST_READ, ON_HAND, CATEGORY, STORE),
        "last_reading_at",
        condition="is_stale = 1",
    ),
    "day": Listing(
        "Stock at the end of a day",
        "What each store had on hand, by category.",
        (
            CATEGORY,
            Column("total_quantity", "On hand", "units", summed=True),
            Column("total_stock_value", "Stock value", "money", summed=True),
            Column("out_of_stock_count", "Products out of stock", "units", summed=True),
            Column("units_out", "Units out", "units", summed=True),
            Column("units_in", "Units in", "units", summed=True),
            Column("event_date", "Day", "date"),
            STORE,
        ),
        "store_location, category",
        table="daily_stock",
        needs=frozenset({"event_date"}),
    ),
    "lost-sales": Listing(
        "Lost sales",
        "What would have gone out in the hours without stock of seven days, at the pace and price of each product.",
        (
            *(PRODUCT, PRODUCT_NAME),
            Column("lost_value", "Lost sales", "money", summed=True),
            Column("out_of_stock_hours", "Hours without stock", "number"),
            Column("lost_units", "Lost units", "number", summed=True),
            Column("event_date", "Day", "date"),
            *(CATEGORY, STORE),
        ),
        "event_date DESC, lost_value DESC NULLS LAST",
        table="lost_sales",
        needs=frozenset({"weeks_ago"}),
    ),
}


@dataclass(frozen=True)
class Page:
    """A part of a list, and the number of rows and the sums of all of it."""

    rows: list[dict[str, Any]]
    count: int
    sums: dict[str, Any]


def read_list(connection: Tables, listing: Listing, filters: Mapping[str, str], page: int | None = 1) -> Page:
    """The page with this number, counted from 1, or the whole list (None), of the rows that equal the filters."""
    names = [column.name for column in listing.columns]
    conditions = [listing.condition, *(f"{NUMBERS.get(name, name)} = :{name}" for name in filters)]
    selected = f"SELECT {', '.join(names)} FROM {listing.table} WHERE {' AND '.join(conditions)}"
    summed = [column.name for column in listing.columns if column.summed]
    sums = ", ".join(["count(*)", *(f"sum({name})" for name in summed)])
    count, *totals = connection.execute(f"SELECT {sums} FROM ({selected}) AS selected", filters).fetchone()
    ordered = f"{selected} ORDER BY {listing.order}, {', '.join(names)}"
    if page is not None:
        ordered += f" LIMIT {ROWS_PER_PAGE} OFFSET {(page - 1) * ROWS_PER_PAGE}"
    rows = connection.execute(ordered, filters).fetchall()
    return Page([dict(zip(names, row, strict=True)) for row in rows], count, dict(zip(summed, totals, strict=True)))
