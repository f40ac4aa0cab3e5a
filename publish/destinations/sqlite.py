"""The documented SQLite files. Each is written under a temporary name, compared with the warehouse, synced and renamed,
so that readers see the old or the new file whole."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ingest.durable_files import TEMPORARY, FolderBusyError, atomic_write, file_lock, says_disk_full
from publish.audit import audit_copy, digest_query
from publish.destinations.sqlite_schema import check_schema, converted, index_definitions, published_columns
from publish.publication import PublicationRefusedError, PublishedTable

if TYPE_CHECKING:
    import duckdb

BUSY_SECONDS = 5.0


@dataclass(frozen=True)
class SqliteFiles:
    """A destination: a SQLite file for each database, in one folder.

    `before_commit` gets each file that was written and compared with the warehouse, before readers see it.
    """

    folder: Path
    before_commit: Callable[[Path], None] = lambda _: None

    def publish(
        self, connection: duckdb.DuckDBPyConnection, databases: dict[str, list[PublishedTable]]
    ) -> dict[str, str]:
        check_schema(databases)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)  # what the row rules keep apart is not for everybody who has an account on the machine
        paths = {self.folder / f"{database}.db": tables for database, tables in databases.items()}
        try:
            with _held(self.folder):
                return {
                    str(path): _publish_database(connection, path, tables, self.before_commit)
                    for path, tables in paths.items()
                }
        except FolderBusyError as error:
            raise PublicationRefusedError(f"another export is writing to {self.folder}. Wait for it to end.") from error


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """The folder, for this export alone. What people do with notifications holds it for a moment, and is waited for."""
    from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

    until_free = Retrying(
        retry=retry_if_exception_type(FolderBusyError),
        stop=stop_after_delay(BUSY_SECONDS),
        wait=wait_fixed(0.05),
        reraise=True,
    )
    with ExitStack() as stack:
        until_free(lambda: stack.enter_context(file_lock(folder, "exporting")))
        yield


def _publish_database(
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    tables: list[PublishedTable],
    before_commit: Callable[[Path], None],
) -> str:
    stored = [table for table in tables if table.view_of is None]
    fingerprint = _fingerprint(connection, tables, stored)
    fingerprint_file = path.with_suffix(".fingerprint")
    rows = sum(_count(connection, table) for table in stored)
    if path.exists() and fingerprint_file.exists() and fingerprint_file.read_text() == fingerprint:
        path.chmod(0o600)  # it may be of a time when it was not
        return f"unchanged, {rows:,} rows"

    with _full_disk_reported(path):
        with atomic_write(path) as temporary:
            temporary.touch(mode=0o600)
            with closing(sqlite3.connect(temporary)) as database:
                database.execute("pragma journal_mode = off")
                for table in tables:
                    database.execute(_definition(table))
                database.commit()
            for table in stored:
                _copy(connection, table, temporary)
            _audit(connection, stored, temporary)
            _index(stored, temporary)
            before_commit(temporary)
            fingerprint_file.unlink(missing_ok=True)  # it is of the file that is about to be replaced
        fingerprint_file.write_text(fingerprint)
    return f"published, {rows:,} rows in {len(stored)} tables"


@contextmanager
def _full_disk_reported(path: Path) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if says_disk_full(error):
            raise PublicationRefusedError(
                f"the disk is full: {path.with_name(TEMPORARY + path.name)} could not be written. "
                "What was published before stays. Free some space and run `inventory export` again."
            ) from error
        raise


def _definition(table: PublishedTable) -> str:
    if table.view_of is not None:
        return f"CREATE VIEW {table.name} AS SELECT * FROM {table.view_of}"
    columns = ", ".join(f"{name} {column.declared}" for name, column in published_columns(table).items())
    return f"CREATE TABLE {table.name} ({columns})"


def _index(tables: list[PublishedTable], path: Path) -> None:
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("pragma journal_mode = off")
        for table in tables:
            for definition in index_definitions(table):
                database.execute(definition)


def _copy(connection: duckdb.DuckDBPyConnection, table: PublishedTable, path: Path) -> None:
    from adbc_driver_sqlite import dbapi

    # ordered, so that the same tables give the same bytes
    reader = connection.cursor().sql(f"select * from {converted(table)} order by all").to_arrow_reader(100_000)
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


def _fingerprint(
    connection: duckdb.DuckDBPyConnection, tables: list[PublishedTable], stored: list[PublishedTable]
) -> str:
    """A digest of all that the file would hold, and of how it is written, whatever the order of its rows."""
    written = [*(_definition(table) for table in tables), *(converted(table) for table in stored)]
    written += [definition for table in stored for definition in index_definitions(table)]
    digest = hashlib.sha256("\n".join(written).encode())
    for table in stored:
        row = connection.execute(
            f"select count(*), sum(cast(hash(published) as hugeint)) from {table.relation} as published"
        ).fetchone()
        digest.update(repr(row).encode())
    return digest.hexdigest()


def _count(connection: duckdb.DuckDBPyConnection, table: PublishedTable) -> int:
    row = connection.execute(f"select count(*) from {table.relation}").fetchone()
    return int(row[0]) if row else 0
