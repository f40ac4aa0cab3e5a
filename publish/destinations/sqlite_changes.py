"""Change a published SQLite file, while others read it, to what the warehouse holds now."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ingest.shared_sqlite import shared_sqlite, transaction
from notify.publication import ACTED_ON
from publish.destinations.changes import NotAsNotedError, Row, batches, difference, wanted_rows
from publish.destinations.sqlite_contents import Contents
from publish.parts import Parts, changed_parts, is_in
from publish.publication import PublishedTable
from publish.schema import ROW_BITS, published_columns

if TYPE_CHECKING:
    import duckdb


def change_file(
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    tables: list[PublishedTable],
    before: Contents,
    after: Contents,
    number: int,
    apply_actions: Callable[[sqlite3.Connection], None],
) -> int:
    """Bring the parts that differ up to date, all in one transaction; return how many rows are new, or gone.

    Raises NotAsNotedError.
    """
    try:
        with shared_sqlite(path) as file, transaction(file):
            row_count = sum(
                _change_table(connection, file, table, before.parts[table.name], after.parts[table.name])
                for table in tables
                if table.view_of is None
            )
            apply_actions(file)
            file.execute(f"PRAGMA user_version = {number}")
            return row_count
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError as error:
        raise NotAsNotedError(f"the file is damaged ({error})") from error


def _change_table(
    connection: duckdb.DuckDBPyConnection, file: sqlite3.Connection, table: PublishedTable, before: Parts, after: Parts
) -> int:
    if table.name in ACTED_ON:
        # it holds rows that no build made
        return _change_rows(file, table, None, wanted_rows(connection, table, "true"))
    (last,) = file.execute(f"SELECT max(rowid) FROM {table.name}").fetchone()
    if last and last >> ROW_BITS != max(before, default=None):
        raise NotAsNotedError(f"the rows of {table.name} are not where they were written")
    return sum(
        _change_rows(file, table, parts, wanted_rows(connection, table, is_in(table, parts)))
        for parts in batches(changed_parts(before, after))
    )


def _change_rows(file: sqlite3.Connection, table: PublishedTable, parts: list[int] | None, wanted: Counter[Row]) -> int:
    """Delete the rows of the parts, or of the whole table, that are not wanted, and insert the wanted ones that are
    missing. Return how many."""
    existing = list(_existing(file, table, parts))
    unwanted, missing = difference(existing, wanted)
    last_ids = {row[0]: row_id for row_id, row in existing}
    new = []
    for part, *values in missing.elements():
        last_ids[part] = last_ids.get(part, part << ROW_BITS) + 1
        new.append((last_ids[part], *values))
    columns = published_columns(table)
    file.executemany(f"DELETE FROM {table.name} WHERE rowid = ?", ((row_id,) for row_id in unwanted))
    file.executemany(
        f"INSERT INTO {table.name} (rowid, {', '.join(columns)}) VALUES (?{', ?' * len(columns)})",
        new,
    )
    if Counter(row for _, row in _existing(file, table, parts)) != wanted:
        raise NotAsNotedError(f"the rows of {table.name} did not become those of the warehouse")
    return len(unwanted) + len(new)


def _existing(file: sqlite3.Connection, table: PublishedTable, parts: list[int] | None) -> Iterator[tuple[int, Row]]:
    """The rows of the parts with their ids, in the order of these."""
    rows = f"SELECT rowid, rowid >> {ROW_BITS}, {', '.join(published_columns(table))} FROM {table.name}"
    if parts is None:
        found = file.execute(f"{rows} ORDER BY rowid")
        yield from ((row_id, tuple(row)) for row_id, *row in found)
        return
    for part in parts:
        found = file.execute(f"{rows} WHERE rowid BETWEEN ? AND ?", (part << ROW_BITS, ((part + 1) << ROW_BITS) - 1))
        yield from ((row_id, tuple(row)) for row_id, *row in found)
