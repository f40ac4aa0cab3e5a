"""Write a published SQLite file whole, compare it with the warehouse, and only then let readers see it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import TYPE_CHECKING

from ingest.durable_files import TEMPORARY, commit
from ingest.shared_sqlite import BUSY_SECONDS, shared_sqlite
from publish.audit import audit_copy, digest_query
from publish.publication import PublishedTable
from publish.schema import (
    ROW_BITS,
    converted,
    definition,
    index_definitions,
    published_columns,
    rows_by_part,
)

if TYPE_CHECKING:
    import duckdb


def replace_file(
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    tables: list[PublishedTable],
    number: int,
    apply_actions: Callable[[sqlite3.Connection], None],
) -> None:
    """Write the tables beside the file and put them into it in one transaction."""
    stored = [table for table in tables if table.view_of is None]
    with TemporaryDirectory(prefix=TEMPORARY, dir=path.parent) as folder:
        written = Path(folder) / path.name
        written.touch(mode=0o600)
        with closing(sqlite3.connect(written)) as file:
            file.execute("PRAGMA journal_mode = off")
            for table in tables:
                file.execute(definition(table))
            file.commit()
        for table in stored:
            _copy(connection, table, written)
        _audit(connection, stored, written)
        with closing(sqlite3.connect(written)) as file, file:
            file.execute("PRAGMA journal_mode = off")
            for table in stored:
                for index in index_definitions(table):
                    file.execute(index)
            apply_actions(file)
            file.execute(f"PRAGMA user_version = {number}")
        _show(written, path)


def _copy(connection: duckdb.DuckDBPyConnection, table: PublishedTable, path: Path) -> None:
    from adbc_driver_sqlite import dbapi

    # ordered, so that the same tables give the same bytes
    columns = ", ".join(published_columns(table))
    reader = (
        connection.cursor()
        .sql(
            f"""
            select part * {2**ROW_BITS} + row_number() over () as rowid, {columns}
            from (select * from {rows_by_part(table)} order by all)
            """
        )
        .to_arrow_reader(100_000)
    )
    with dbapi.connect(str(path)) as database, database.cursor() as cursor:
        cursor.adbc_ingest(table.name, reader, mode="append")
        database.commit()


def _audit(connection: duckdb.DuckDBPyConnection, tables: list[PublishedTable], path: Path) -> None:
    """Compare what was written with the warehouse."""
    with closing(sqlite3.connect(path)) as database:
        for table in tables:
            is_text = {name: column.declared == "TEXT" for name, column in published_columns(table).items()}
            written = database.execute(digest_query(is_text, "length(cast({} as blob))", table.name)).fetchone()
            wanted = connection.execute(digest_query(is_text, "strlen({})", converted(table))).fetchone()
            audit_copy(f"{path.name}: {table.name}", is_text, written, wanted or ())


def _show(written: Path, path: Path) -> None:
    """Let readers see what was written. A file that they may have open gets it as a transaction: with another file of
    its name, its log would be taken for the other's."""
    if path.exists():
        try:
            with closing(sqlite3.connect(written)) as source, shared_sqlite(path) as file:
                source.backup(file, progress=_limit_to_wait())
                return
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError:  # it is damaged, and nobody can read it
            pass
    for ending in ("-wal", "-shm"):  # those of a file that somebody removed, too
        path.with_name(path.name + ending).unlink(missing_ok=True)
    with shared_sqlite(written):
        pass
    commit(written, path)


def _limit_to_wait() -> Callable[[int, int, int], None]:
    """What ends a backup into a file to which another program writes: Python would try again for ever."""
    until = monotonic() + BUSY_SECONDS

    def check(status: int, _remaining: int, _total: int) -> None:
        if status in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED} and monotonic() > until:
            raise sqlite3.OperationalError("database is locked")

    return check
