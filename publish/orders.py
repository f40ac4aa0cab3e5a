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
    "category",
    "product_id",
    "quantity",
    "daily_units_out",
    "lead_time_days",
    "suggested_order",
    "order_value",
    "value_at_risk",
)
FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet would run a text that begins with one

Row = dict[str, str | int | float | None]


@click.command()
@click.option("--store", multiple=True, help="Only this store; may be given several times.")
@click.option("--category", multiple=True, help="Only this category; may be given several times.")
@click.option("--csv", "as_csv", is_flag=True, help="CSV, with every figure in full.")
@click.option("--data-dir", type=click.Path(path_type=Path), envvar="INVENTORY_DATA_DIR", default="data")
def command(store: tuple[str, ...], category: tuple[str, ...], as_csv: bool, data_dir: Path) -> None:
    """List what to order: the products below their reorder point, those that cost most until a delivery first.

    An order fills up to what lasts for the lead time and the review period. What is on order already is not known. The
    value is at the shelf price.
    """
    rows = to_order(data_dir / "export" / "inventory_metrics.db", store, category)
    if as_csv:
        writer = csv.DictWriter(sys.stdout, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: _safe(value) for name, value in row.items()} for row in rows)
    elif rows:
        _print_table(rows)
    else:
        click.echo("nothing to order")


def to_order(path: Path, stores: Sequence[str], categories: Sequence[str]) -> list[Row]:
    """The products with a suggested order, as rows of `COLUMNS`. Raises click.ClickException where nothing is
    published, or a store or category has no products."""
    if not path.exists():
        raise click.ClickException(f"{path} is not published yet. Run `inventory build` first.")
    with closing(read_only(path)) as database:
        database.row_factory = sqlite3.Row
        conditions = ["suggested_order > 0"]
        for column, chosen in (("store_location", stores), ("category", categories)):
            known = {name for (name,) in database.execute(f"SELECT DISTINCT {column} FROM current_stock")}
            if unknown := sorted(set(chosen) - known):
                raise click.ClickException(
                    f"no product of {', '.join(map(printable, unknown))} is known. "
                    f"Known are {', '.join(printable(name) for name in sorted(known))}."
                )
            if chosen:
                conditions.append(f"{column} IN ({', '.join('?' * len(chosen))})")
        found = database.execute(
            "SELECT store_location, category, product_id, quantity, daily_units_out, lead_time_days, suggested_order, "
            "suggested_order * price AS order_value, value_at_risk "
            f"FROM current_stock WHERE {' AND '.join(conditions)} "
            "ORDER BY value_at_risk DESC NULLS LAST, order_value DESC NULLS LAST, store_location, product_id",
            [*stores, *categories],
        )
        return [dict(row) for row in found]


def _safe(value: str | float | None) -> str | float | None:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA_SIGNS) else value


def _print_table(rows: list[Row]) -> None:
    header = ("store", "category", "product", "on hand", "daily depletion", "delivery", "order", "value", "at risk")
    lines = [[_cell(name, row[name]) for name in COLUMNS] for row in rows]
    totals = ["", "", f"{len(rows):,} in all", "", "", "", *(_total(rows, name) for name in COLUMNS[6:])]
    widths = [max(len(cell) for cell in column) for column in zip(header, *lines, totals, strict=True)]
    for line in (header, *lines, totals):
        cells = [
            cell.ljust(width) if number < 3 else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        click.echo("  ".join(cells).rstrip())


def _cell(name: str, value: str | float | None) -> str:
    if value is None:
        return "-"
    if isinstance(value, str):
        return printable(value)
    if name == "lead_time_days":
        return f"{value:.0f} days"
    return f"{value:,.1f}" if name == "daily_units_out" else f"{value:,.0f}"


def _total(rows: list[Row], name: str) -> str:
    return f"{sum(value for row in rows if isinstance(value := row[name], int | float)):,.0f}"
