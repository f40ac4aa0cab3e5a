"""Publication to PostgreSQL: whole, beside a plain COPY of the same readings from a file into the same server, and what
a few minutes bring, beside a whole one.

`SIZES=1,3 make bench ONLY=postgresql` chooses the sizes (in millions of readings).
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb

from bench import Figure
from dev import postgresql_server
from publish.destinations.postgresql import PostgresqlDatabase
from publish.publication import PublishedTable
from publish.schema import DOCUMENTED
from serving_database import ServingDatabase

NEW_READINGS = 5_000
LATE_READINGS = 50
DAYS = 400
DAY = 86_400  # seconds
READING_TYPES = {
    "product_id": "VARCHAR",
    "category": "VARCHAR",
    "store_location": "VARCHAR",
    "quantity": "BIGINT",
    "price": "DOUBLE",
    "event_timestamp": "TIMESTAMP",
}
TYPES = {"TEXT": "VARCHAR", "INTEGER": "BIGINT", "FLOAT": "DOUBLE"}


def run() -> Iterator[Figure]:
    """Yield how fast readings are published, written, compared with the warehouse and put in place together."""
    lacking = postgresql_server.missing_prerequisites()
    if lacking:
        yield Figure("publishing to PostgreSQL", f"not measured: {lacking}")
        return
    for millions in os.environ.get("SIZES", "1,3,20").split(","):
        with (
            postgresql_server.running() as server,
            tempfile.TemporaryDirectory() as folder,
            duckdb.connect() as warehouse,
        ):
            database = ServingDatabase.of_url(server.create_database("bench"))
            yield from _measure(warehouse, database, Path(folder, "readings.csv"), int(millions) * 1_000_000)


def _measure(
    warehouse: duckdb.DuckDBPyConnection, database: ServingDatabase, file: Path, readings: int
) -> Iterator[Figure]:
    databases = _warehouse(warehouse, readings)

    def publish() -> float:
        return _seconds(lambda: PostgresqlDatabase(database).publish(warehouse, databases))

    warehouse.execute(f"copy inventory to '{file}' (format csv, header false)")
    copied = _seconds(lambda: _plain_copy(database, file))
    file.unlink()
    published = publish()
    yield Figure(
        f"publishing {readings:,} readings to PostgreSQL",
        f"{readings / published:,.0f} rows/s",
        f"plain COPY {readings / copied:,.0f}",
        copied / published,
        "≥ 0.7",
    )
    unchanged = publish()
    yield Figure("the same again, with nothing new", f"{unchanged:.2f} s", f"{published:.1f} s", unchanged / published)
    for late, count in ((0, NEW_READINGS), (30 * DAY, LATE_READINGS)):
        warehouse.execute(
            f"insert into inventory {_readings(f'range({count})', f'{DAYS * DAY - late} + number * 3600 // {count}')}"
        )
    changed = publish()
    yield Figure(
        f"{NEW_READINGS:,} new and {LATE_READINGS} late ones beside them",
        f"{changed:.2f} s",
        f"{published:.1f} s whole",
        changed / published,
    )


def _warehouse(warehouse: duckdb.DuckDBPyConnection, readings: int) -> dict[str, list[PublishedTable]]:
    """The documented tables, all empty but the readings."""
    warehouse.execute(
        f"create table inventory as {_readings(f'range({readings})', f'number * {DAYS * DAY} // {readings}')}"
    )
    databases: dict[str, list[PublishedTable]] = {}
    for database, tables in DOCUMENTED.items():
        for name, columns in tables.items():
            types = {column: TYPES[kind] for column, kind in columns.items()} if name != "inventory" else READING_TYPES
            declared = ", ".join(f"{column} {kind}" for column, kind in types.items())
            warehouse.execute(f"create table if not exists {name} ({declared})")
            databases.setdefault(database, []).append(PublishedTable(name, name, types, None))
    return databases


def _readings(numbers: str, second: str) -> str:
    return f"""
        select
            'P' || lpad(cast(number % 5000 as varchar), 5, '0') as product_id,
            'Category ' || (number % 12) as category,
            'Store_' || (number % 40) as store_location,
            number * 7919 % 1000 as quantity,
            number * 31 % 10000 / 100.0 as price,
            timestamp '2025-01-01' + to_seconds({second}) as event_timestamp
        from {numbers} as numbers (number)
    """


def _plain_copy(database: ServingDatabase, file: Path) -> None:
    columns = "product_id text, category text, store_location text, quantity bigint, price float, event_timestamp text"
    with closing(database.connect()) as connection, connection, connection.cursor() as cursor:
        cursor.execute(f"create table public.readings ({columns})")
        connection.commit()
        with file.open("rb") as rows:
            cursor.copy_expert("copy public.readings from stdin (format csv)", rows, 1 << 20)


def _seconds(work: Callable[[], Any]) -> float:
    started = time.monotonic()
    work()
    return time.monotonic() - started
