"""`inventory migrate-notifications`: an older `dashboard_notifications` gets the column `category`.

One SQLite transaction adds the column and fills it, in place, so that a program which still writes to the table loses
nothing, and a killed migration leaves the table as it was.
"""

from __future__ import annotations

import re
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import click

from ingest.shared_sqlite import read_only

TABLE = "dashboard_notifications"
UNKNOWN = "Unknown"
NO_CATEGORY = {None, "", "N/A", UNKNOWN}
BUSY_SECONDS = 10.0
# where a product's category may stand, the newest reading first; each beside the file, or in it
PRODUCT_TABLES = [
    ("inventory.db", "inventory", "event_timestamp"),
    ("inventory_metrics.db", "current_stock", "last_reading_at"),
]
CATEGORY_TABLES = ["metrics", "ml_metrics", "anomalies"]
NAMED = re.compile(r"\bcategory\s*[:=]\s*[\"'“]?([^,.;:\"'”()\n]{1,100})", re.IGNORECASE)


class MigrationError(ValueError):
    """The file holds no notifications that could be migrated; nothing was changed."""


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
def command(file: Path) -> None:
    """Add the column category to an older dashboard_notifications, and fill it. A second run changes nothing.

    A category comes from the text of the notification, else from its product (in inventory.db or current_stock beside
    it), else it is Unknown.
    """
    try:
        filled = migrate(file)
    except MigrationError as error:
        raise click.ClickException(str(error)) from error
    if filled is None:
        click.echo(f"{file}: {TABLE} is of today's version already")
        return
    counts = ", ".join(
        f"{filled[source]:,} {source}" for source in ("by text", "by product", UNKNOWN) if filled[source]
    )
    click.echo(f"{file}: {filled.total():,} notifications got a category" + (f" ({counts})" if counts else ""))


def migrate(file: Path) -> Counter[str] | None:
    """Bring the file up to date; return how many categories came from where, None where there was nothing to do.

    Raises MigrationError.
    """
    if not file.is_file():
        raise MigrationError(f"{file} does not exist. Name the SQLite file that holds {TABLE}.")
    try:
        address = f"{file.absolute().as_uri()}?mode=rw"
        with closing(sqlite3.connect(address, uri=True, timeout=BUSY_SECONDS, isolation_level=None)) as database:
            columns = _columns(database, TABLE)
            if not columns:
                tables = [row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
                raise MigrationError(f"{file} has no table {TABLE}; it has {', '.join(sorted(tables)) or 'no table'}.")
            if "notification" not in columns:
                raise MigrationError(f"{file}: {TABLE} has no column notification, but {', '.join(columns)}.")
            if "category" in columns and not _without_category(database):
                return None
            database.execute("BEGIN IMMEDIATE")
            try:
                filled = _fill(database, file)
                database.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    database.execute("ROLLBACK")
                raise
            return filled
    except sqlite3.DatabaseError as error:
        raise MigrationError(f"{file} cannot be migrated, and is unchanged: {error}") from error


def _fill(database: sqlite3.Connection, file: Path) -> Counter[str]:
    columns = _columns(database, TABLE)
    if "category" not in columns:
        database.execute(f"ALTER TABLE {TABLE} ADD COLUMN category TEXT")
    filled: Counter[str] = Counter()
    find = _finder(dict(_product_categories(database, file)), set(_categories(database)))

    def category_of(text: bytes | None, product: bytes | None) -> str:
        category, source = find(*((value or b"").decode(errors="replace") for value in (text, product)))
        filled[source] += 1
        return category

    database.create_function("category_of", 2, category_of)
    product = "product_id" if "product_id" in columns else "NULL"
    # as bytes: an old file may hold text that is no UTF-8
    database.execute(
        f"UPDATE {TABLE} SET category = category_of(CAST(notification AS BLOB), CAST({product} AS BLOB)) "
        "WHERE category IS NULL OR trim(category) = ''"
    )
    return filled


def _finder(products: dict[str, str], categories: set[str]) -> Callable[[str, str], tuple[str, str]]:
    """What finds the category of a notification, and where it came from, by its text and its product."""
    known = categories | set(products.values())
    names = "|".join(re.escape(name) for name in sorted(known, key=len, reverse=True))
    mentioned = re.compile(rf"(?<!\w)(?:{names})(?!\w)") if names else None

    def find(text: str, product: str) -> tuple[str, str]:
        named = NAMED.search(text)
        if named and named[1].strip() not in NO_CATEGORY:
            return named[1].strip(), "by text"
        if product in products:
            return products[product], "by product"
        in_text = set(mentioned.findall(text)) if mentioned else set()
        if len(in_text) == 1:
            return in_text.pop(), "by text"
        of_products = {products[word] for word in re.findall(r"[\w-]+", text) if word in products}
        return (of_products.pop(), "by product") if len(of_products) == 1 else (UNKNOWN, UNKNOWN)

    return find


def _product_categories(database: sqlite3.Connection, file: Path) -> Iterator[tuple[str, str]]:
    """The newest category of each product, from the file itself and from those beside it; the last one holds."""
    for name, table, time in PRODUCT_TABLES:
        query = f"SELECT product_id, category, max({time}) FROM {table} WHERE category IS NOT NULL GROUP BY product_id"
        beside = file.with_name(name)
        if beside.is_file() and beside.absolute() != file.absolute():
            try:
                with closing(read_only(beside)) as other:
                    if _columns(other, table):
                        yield from _pairs(other, query)
            except sqlite3.Error as error:
                click.echo(f"{beside} is left out: {error}", err=True)
        if {"product_id", "category", time} <= set(_columns(database, table)):
            yield from _pairs(database, query)


def _pairs(database: sqlite3.Connection, query: str) -> Iterator[tuple[str, str]]:
    return ((product, category) for product, category, _ in database.execute(query) if category not in NO_CATEGORY)


def _categories(database: sqlite3.Connection) -> Iterator[str]:
    for table in CATEGORY_TABLES:
        if "category" in _columns(database, table):
            rows = database.execute(f"SELECT DISTINCT category FROM {table}")
            yield from (category for (category,) in rows if category not in NO_CATEGORY)


def _columns(database: sqlite3.Connection, table: str) -> list[str]:
    """The columns of a table, in lower case; none where there is no such table."""
    if not database.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", (table,)).fetchone():
        return []
    return [str(row[1]).lower() for row in database.execute(f"PRAGMA table_info({table})")]


def _without_category(database: sqlite3.Connection) -> bool:
    query = f"SELECT 1 FROM {TABLE} WHERE category IS NULL OR trim(category) = '' LIMIT 1"
    return database.execute(query).fetchone() is not None
