"""`inventory orders`: what to order, from the published tables."""

from __future__ import annotations

import csv
import sqlite3
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import click

from ingest.landing.printable import printable
from ingest.shared_sqlite import read_only

COLUMNS = (
    "store_location",
    "supplier",
    "category",
    "product_id",
    "product_name",
    "quantity",
    "on_order",
    "daily_units_out",
    "lead_time_days",
    "suggested_order",
    "order_cost",
    "order_cost_from",
    "value_at_risk",
)
# what the table in the terminal shows, and under which heading
HEADINGS = {
    "store_location": "store",
    "supplier": "supplier",
    "category": "category",
    "product_id": "product",
    "quantity": "on hand",
    "on_order": "on order",
    "daily_units_out": "daily depletion",
    "lead_time_days": "delivery",
    "suggested_order": "order",
    "order_cost": "cost",
    "value_at_risk": "at risk",
}
SUMMED = ("suggested_order", "order_cost", "value_at_risk")
FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet would run a text that begins with one

Row = dict[str, str | int | float | None]


@click.command()
@click.option("--store", multiple=True, help="Only this store; may be given several times.")
@click.option("--category", multiple=True, help="Only this category; may be given several times.")
@click.option("--supplier", multiple=True, help="Only from this supplier; may be given several times.")
@click.option("--csv", "as_csv", is_flag=True, help="CSV, with every figure in full.")
@click.option("--data-dir", type=click.Path(path_type=Path), envvar="INVENTORY_DATA_DIR", default="data")
def command(
    store: tuple[str, ...], category: tuple[str, ...], supplier: tuple[str, ...], as_csv: bool, data_dir: Path
) -> None:
    """List what to order: the products of which less is on hand and on order than their reorder point, those that cost
    most until a delivery first.

    An order fills up to what lasts for the lead time and the review period, in whole packs. Its cost is at unit cost,
    or at the shelf price (*) where the unit cost is not known.
    """
    path = data_dir / "export" / "inventory_metrics.db"
    try:
        rows = to_order(path, store, category, supplier)
    except sqlite3.OperationalError as error:
        raise click.ClickException(f"{path} is of another version ({error}). Run `inventory build`.") from error
    if as_csv:
        writer = csv.DictWriter(sys.stdout, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: _safe(value) for name, value in row.items()} for row in rows)
    elif rows:
        _print_table(rows)
    else:
        click.echo("nothing to order")


def to_order(
    path: Path, stores: Sequence[str] = (), categories: Sequence[str] = (), suppliers: Sequence[str] = ()
) -> list[Row]:
    """The products with a suggested order, as rows of `COLUMNS`. Raises click.ClickException where nothing is
    published, or a store, category or supplier has no products."""
    if not path.exists():
        raise click.ClickException(f"{path} is not published yet. Run `inventory build` first.")
    with closing(read_only(path)) as database:
        database.row_factory = sqlite3.Row
        conditions = ["suggested_order > 0"]
        for column, chosen in (("store_location", stores), ("category", categories), ("supplier", suppliers)):
            names = database.execute(f"SELECT DISTINCT {column} FROM current_stock WHERE {column} IS NOT NULL")
            known = {name for (name,) in names}
            if unknown := sorted(set(chosen) - known):
                raise click.ClickException(
                    f"no product of {', '.join(map(printable, unknown))} is known. "
                    f"Known are {', '.join(printable(name) for name in sorted(known)) or 'none'}."
                )
            if chosen:
                conditions.append(f"{column} IN ({', '.join('?' * len(chosen))})")
        found = database.execute(
            f"SELECT {', '.join(COLUMNS)} FROM current_stock WHERE {' AND '.join(conditions)} "
            "ORDER BY value_at_risk DESC NULLS LAST, order_cost DESC NULLS LAST, store_location, product_id",
            [*stores, *categories, *suppliers],
        )
        return [dict(row) for row in found]


def _safe(value: str | float | None) -> str | float | None:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA_SIGNS) else value


def _print_table(rows: list[Row]) -> None:
    # a column that is empty for lack of a feed says nothing
    shown = [name for name in HEADINGS if name != "supplier" or any(row[name] for row in rows)]
    header = [HEADINGS[name] for name in shown]
    lines = [[_cell(name, row) for name in shown] for row in rows]
    totals = [_total(rows, name) if name in SUMMED else "" for name in shown]
    totals[shown.index("product_id")] = f"{len(rows):,} in all"
    widths = [max(len(cell) for cell in column) for column in zip(header, *lines, totals, strict=True)]
    texts = shown.index("product_id") + 1
    for line in (header, *lines, totals):
        cells = [
            cell.ljust(width) if number < texts else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        click.echo("  ".join(cells).rstrip())


def _cell(name: str, row: Row) -> str:
    value = row[name]
    if value is None:
        return "-"
    if isinstance(value, str):
        named = name == "product_id" and row["product_name"]
        return printable(f"{value} {row['product_name']}" if named else value)
    if name == "lead_time_days":
        return f"{value:.0f} days"
    if name == "order_cost" and row["order_cost_from"] == "price":
        return f"{value:,.0f}*"
    return f"{value:,.1f}" if name == "daily_units_out" else f"{value:,.0f}"


def _total(rows: list[Row], name: str) -> str:
    return f"{sum(value for row in rows if isinstance(value := row[name], int | float)):,.0f}"
