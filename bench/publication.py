"""Publication to SQLite of 1 and 10 million readings with their hourly metrics: whole, and what a few minutes bring.

`SIZES=1,10,100 make bench ONLY=publication` measures other sizes (in millions). A publication of some thousand new
readings, some of them late, is compared with a whole one in the same run.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from bench import Figure
from bench.dbt import SIZES, Size
from publish.destinations.sqlite import SqliteFiles
from publish.publication import PublishedTable, warehouse_columns
from publish.schema import DOCUMENTED

if TYPE_CHECKING:
    import duckdb

DAYS = 400
READINGS_PER_DAY = 4
CATEGORIES = 5
NEW_READINGS = 5_000
LATE_READINGS = 50
TYPES = {"TEXT": "varchar", "INTEGER": "bigint", "FLOAT": "double"}


def run() -> Iterator[Figure]:
    """Yield the seconds of a whole publication, and of publications of new readings, for each size."""
    for millions in (int(size) for size in os.environ.get("SIZES", "1,10").split(",")):
        with tempfile.TemporaryDirectory(prefix="bench-publication-") as folder:
            yield from _measure(millions, Path(folder))


def _measure(millions: int, folder: Path) -> Iterator[Figure]:
    import duckdb

    name = f"{millions}M readings"
    with duckdb.connect(str(folder / "inventory.duckdb")) as connection:
        connection.execute("set TimeZone = 'UTC'; set threads = 2; set preserve_insertion_order = false")
        _write_tables(connection, SIZES[millions])
        whole = _publish(connection, folder)
        yield Figure(f"{name}, whole", f"{whole:.1f} s")
        yield _figure(f"{name}, nothing new", _publish(connection, folder), whole)
        for hour in (1, 2):
            _add_readings(connection, SIZES[millions], hour)
            yield _figure(
                f"{name}, {NEW_READINGS:,} new and {LATE_READINGS} late ones",
                _publish(connection, folder),
                whole,
                "≤ 2 s",
            )


def _figure(name: str, seconds: float, whole: float, goal: str = "") -> Figure:
    return Figure(name, f"{seconds:.2f} s", f"{whole:.1f} s whole", seconds / whole, goal)


def _publish(connection: duckdb.DuckDBPyConnection, folder: Path) -> float:
    databases = {
        database: [PublishedTable(table, table, warehouse_columns(connection, table), view_of=None) for table in tables]
        for database, tables in DOCUMENTED.items()
    }
    started = time.perf_counter()
    SqliteFiles(folder / "export").publish(connection, databases)
    return time.perf_counter() - started


def _write_tables(connection: duckdb.DuckDBPyConnection, size: Size) -> None:
    """The documented tables, as a full refresh leaves them; only readings and metrics have rows."""
    for tables in DOCUMENTED.values():
        for table, columns in tables.items():
            declared = ", ".join(f"{column} {TYPES[kind]}" for column, kind in columns.items())
            connection.execute(f"create table {table} ({declared})")
    times = f"""
        select day, series, number * 21600 as second
        from range({DAYS}) as days (day), range({READINGS_PER_DAY}) as numbers (number),
            range({size.stores * size.products}) as all_series (series)
    """
    connection.execute(
        f"""
        create or replace table inventory as
        {_readings(times, size)}
        order by store_location, product_id, event_timestamp
        """
    )
    connection.execute(
        f"""
        create or replace table metrics as
        {_metrics(f"range({DAYS * 24}) as hours (hour)", size)}
        order by event_timestamp
        """
    )


def _add_readings(connection: duckdb.DuckDBPyConnection, size: Size, hour: int) -> None:
    """Readings of products anywhere in an hour after the history, some a month late, and the metrics of that hour."""
    series = f"hash(number, {hour}) % {size.stores * size.products}"
    for day, count in ((DAYS, NEW_READINGS), (DAYS - 30, LATE_READINGS)):
        readings = f"select {day} as day, {series} as series, {hour} * 3600 + number % 3600 as second"
        connection.execute(
            f"insert into inventory {_readings(f'{readings} from range({count}) as numbers (number)', size)}"
        )
    connection.execute(f"insert into metrics {_metrics(f'(select {DAYS * 24 + hour} as hour)', size)}")


def _readings(times: str, size: Size) -> str:
    return f"""
        select
            'P' || lpad((series % {size.products})::varchar, 6, '0') as product_id,
            'Category_' || (series % {size.products} % {CATEGORIES}) as category,
            'Store_' || lpad((series // {size.products})::varchar, 3, '0') as store_location,
            (hash(series, day, second) % 500)::bigint as quantity,
            (hash(series) % 5000 / 100)::decimal(38, 9) as price,
            timestamp '2025-01-01' + to_days(day::integer) + to_seconds(second::bigint) as event_timestamp
        from ({times})
    """


def _metrics(hours: str, size: Size) -> str:
    return f"""
        select
            'Store_' || lpad(store::varchar, 3, '0') as store_location,
            'Category_' || category as category,
            (hash(store, category, hour) % 50000)::bigint as total_quantity,
            hash(store, category, hour, 'price') % 5000 / 100 as avg_price,
            hash(store, category, hour, 'value') % 5000000 / 100 as total_stock_value,
            hash(store, category, hour, 'rate') % 1000 / 100 as turnover_rate,
            timestamp '2025-01-01' + to_hours(hour) as event_timestamp
        from {hours}, range({size.stores}) as stores (store), range({CATEGORIES}) as categories (category)
    """
