"""A PostgreSQL database. Tables are written in a schema of their own, compared with the warehouse, and take the place
of the published ones in one transaction, so that readers see the old tables or the new ones."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from publish.audit import audit_copy, digest_query
from publish.destinations.postgresql_rows import FORMAT, grant, protect, set_up
from publish.publication import PublicationRefusedError, PublishedTable
from publish.schema import check_schema, converted, index_definitions, published_columns
from serving_database import SERVING, ServingDatabase, ServingDatabaseError, one_line

if TYPE_CHECKING:
    import duckdb

# text is compared as the warehouse does it, byte by byte
TYPES = {"TEXT": 'text collate "C"', "INTEGER": "bigint", "FLOAT": "double precision"}
BYTES_AT_ONCE = 1 << 20
# A server looks for deadlocks after a second, and may end a reader then. A publisher that waits less ends none.
MILLISECONDS_FOR_READERS = 500
SECONDS_FOR_READERS = 60

STAGED = "inventory_staged"

Tables = dict[str, list[PublishedTable]]
Name = tuple[str, str]  # of a schema and a table


@dataclass(frozen=True)
class PostgresqlDatabase:
    """A destination: a schema for each database, in one PostgreSQL database.

    `before_commit` gets a cursor of the transaction in which the new tables are in place, before readers see them.
    """

    database: ServingDatabase
    before_commit: Callable[[Any], None] = lambda _: None

    def publish(self, connection: duckdb.DuckDBPyConnection, databases: Tables) -> dict[str, str]:
        check_schema(databases)
        with _reported(self.database), closing(self.database.connect()) as served:
            with served, served.cursor() as cursor:
                set_up(cursor, self.database, list(databases))
            with served, served.cursor() as cursor:
                return _publish(connection, cursor, self.database, databases, self.before_commit)


def _publish(
    warehouse: duckdb.DuckDBPyConnection,
    cursor: Any,
    database: ServingDatabase,
    databases: Tables,
    before_commit: Callable[[Any], None],
) -> dict[str, str]:
    from psycopg2.errors import LockNotAvailable

    try:
        database.hold_publication(cursor)
    except LockNotAvailable as error:
        raise PublicationRefusedError(f"another export is writing to {database.place}. Wait for it to end.") from error
    published = _published(cursor)
    fingerprints = _fingerprints(warehouse, databases)
    _refuse_foreign(cursor, fingerprints.keys() - published.keys())
    changed = {name: table for name, table in _by_name(databases).items() if published.get(name) != fingerprints[name]}
    gone = published.keys() - fingerprints.keys()
    if changed or gone:
        cursor.execute(f"create schema {STAGED}")
        for table in changed.values():
            if table.view_of is None:
                _write(warehouse, cursor, database, table)
        _lock_out_readers(cursor, database, [name for name in (*changed, *gone) if name in published])
        _replace(cursor, database, changed, gone)
        cursor.execute(f"drop schema {STAGED}")
        _record(cursor, {name: fingerprints[name] for name in changed}, gone)
    before_commit(cursor)
    return {
        f"{database.place}, schema {schema}": _outcome(
            warehouse, tables, [each for each in tables if each in changed.values()]
        )
        for schema, tables in databases.items()
    }


def _by_name(databases: Tables) -> dict[Name, PublishedTable]:
    return {(schema, table.name): table for schema, tables in databases.items() for table in tables}


def _published(cursor: Any) -> dict[Name, str]:
    """The fingerprint of each table that an export has published."""
    cursor.execute(f"select schema_name, table_name, fingerprint from {SERVING}.published_tables")
    return {(schema, name): fingerprint for schema, name, fingerprint in cursor.fetchall()}


def _fingerprints(warehouse: duckdb.DuckDBPyConnection, databases: Tables) -> dict[Name, str]:
    """A digest of what each table would hold, whatever the order of its rows, and of how it is written. That of a view
    is its table's."""
    fingerprints = {}
    for (schema, name), table in _by_name(databases).items():
        row = warehouse.execute(
            f"select count(*), sum(cast(hash(published) as hugeint)) from {table.relation} as published"
        ).fetchone()
        written = repr((row, converted(table), published_columns(table), index_definitions(table), FORMAT))
        fingerprints[schema, name] = hashlib.sha256(written.encode()).hexdigest()
    for (schema, name), table in _by_name(databases).items():
        if table.view_of:
            fingerprints[schema, name] = fingerprints[schema, table.view_of]
    return fingerprints


def _refuse_foreign(cursor: Any, new: set[Name]) -> None:
    """Refuse where a name is taken by what no export has made."""
    cursor.execute(
        "select nspname || '.' || relname from pg_class join pg_namespace on pg_namespace.oid = relnamespace "
        "where (nspname, relname) in %s union all select nspname from pg_namespace where nspname = %s",
        (tuple(new) or ((None, None),), STAGED),
    )
    foreign = [name for (name,) in cursor.fetchall()]
    if foreign:
        raise PublicationRefusedError(
            f"the PostgreSQL database holds {', '.join(sorted(foreign))} already, and no export has made it. "
            "Rename it, or publish to a database of its own."
        )


def _write(warehouse: duckdb.DuckDBPyConnection, cursor: Any, database: ServingDatabase, table: PublishedTable) -> None:
    """Write a table, compare it with the warehouse, and make it ready to be read."""
    staged = f"{STAGED}.{table.name}"
    columns = published_columns(table)
    declared = ", ".join(f"{name} {TYPES[column.declared]}" for name, column in columns.items())
    cursor.execute(f"create table {staged} ({declared})")
    is_text = {name: column.declared == "TEXT" for name, column in columns.items()}
    digest = digest_query(is_text, "strlen({})", converted(table))
    with ThreadPoolExecutor(1) as counter:
        wanted = counter.submit(lambda: warehouse.cursor().execute(digest).fetchone())  # while the rows are copied
        _copy(warehouse, cursor, converted(table), staged)
        cursor.execute(digest_query(is_text, "octet_length({})", staged, number="cast({} as double precision)"))
        audit_copy(f"{database.place}: {table.name}", is_text, cursor.fetchone(), wanted.result() or ())
    for definition in index_definitions(table):
        cursor.execute(definition.replace(f" ON {table.name} ", f" ON {staged} "))
    cursor.execute(f"analyze {staged}")
    protect(cursor, database, staged, table)


def _copy(warehouse: duckdb.DuckDBPyConnection, cursor: Any, source: str, target: str) -> None:
    """Stream a relation of the warehouse into a table that this transaction has made, as CSV through a pipe."""
    reading, writing = os.pipe()

    def write() -> None:
        with os.fdopen(writing, "wb"):  # closed when all is written, by which the reader knows the end
            warehouse.cursor().execute(
                f"copy (select * from {source}) to '/dev/fd/{writing}' (format csv, header false, use_tmp_file false)"
            )

    with ThreadPoolExecutor(1) as writer:
        written = writer.submit(write)
        with os.fdopen(reading, "rb") as rows:
            # frozen: nobody else sees the table yet, so nothing needs to be visited again after the commit
            cursor.copy_expert(f"copy {target} from stdin (format csv, freeze)", rows, BYTES_AT_ONCE)
        written.result()


def _lock_out_readers(cursor: Any, database: ServingDatabase, names: list[Name]) -> None:
    """Let readers of the tables wait until the commit; those who are reading end first."""
    from psycopg2.errors import LockNotAvailable
    from tenacity import RetryError, Retrying, retry_if_exception_type, stop_after_delay, wait_random

    tables = ", ".join([f"{SERVING}.published_tables", *(f"{schema}.{name}" for schema, name in names)])
    cursor.execute("savepoint readers_wait")

    def attempt() -> None:
        cursor.execute("rollback to savepoint readers_wait")
        cursor.execute(f"set local lock_timeout = {MILLISECONDS_FOR_READERS}")
        cursor.execute(f"lock table {tables} in access exclusive mode")

    try:
        Retrying(
            retry=retry_if_exception_type(LockNotAvailable),
            stop=stop_after_delay(SECONDS_FOR_READERS),
            wait=wait_random(0, 0.2),
        )(attempt)
    except RetryError as error:
        raise PublicationRefusedError(
            f"readers of {database.place} have kept its tables busy for {SECONDS_FOR_READERS} seconds. End long "
            "transactions (pg_stat_activity shows them), then export again."
        ) from error


def _replace(cursor: Any, database: ServingDatabase, changed: dict[Name, PublishedTable], gone: set[Name]) -> None:
    """Put the new tables in the place of the old ones."""
    cursor.execute(
        "select nspname, relname, relkind from pg_class join pg_namespace on pg_namespace.oid = relnamespace "
        "where (nspname, relname) in %s order by relkind = 'v' desc",  # a view goes before its table
        ((*changed, *gone),),
    )
    for schema, name, kind in cursor.fetchall():
        cursor.execute(f"drop {'view' if kind == 'v' else 'table'} {schema}.{name}")
    for (schema, name), table in changed.items():
        if table.view_of is None:
            cursor.execute(f"alter table {STAGED}.{name} set schema {schema}")
    for (schema, name), table in changed.items():
        if table.view_of:
            # with the rights of its reader, who sees the rows that he sees of the table
            cursor.execute(
                f"create view {schema}.{name} with (security_invoker) as select * from {schema}.{table.view_of}"
            )
            grant(cursor, database, f"{schema}.{name}", table)


def _record(cursor: Any, fingerprints: dict[Name, str], gone: set[Name]) -> None:
    for replaced in {*fingerprints, *gone}:
        cursor.execute(f"delete from {SERVING}.published_tables where (schema_name, table_name) = %s", (replaced,))
    for (schema, name), fingerprint in fingerprints.items():
        cursor.execute(
            f"insert into {SERVING}.published_tables values (%s, %s, %s, clock_timestamp())",
            (schema, name, fingerprint),
        )


def _outcome(warehouse: duckdb.DuckDBPyConnection, tables: list[PublishedTable], written: list[PublishedTable]) -> str:
    def count(table: PublishedTable) -> int:
        row = warehouse.execute(f"select count(*) from {table.relation}").fetchone()
        return int(row[0]) if row else 0

    rows = sum(count(table) for table in tables if table.view_of is None)
    return (
        f"published, {rows:,} rows, {len(written)} of {len(tables)} tables new"
        if written
        else f"unchanged, {rows:,} rows"
    )


@contextmanager
def _reported(database: ServingDatabase) -> Iterator[None]:
    """What the server refuses, as one line with the next step."""
    import psycopg2
    from psycopg2 import errors

    try:
        yield
    except ServingDatabaseError as error:
        raise PublicationRefusedError(str(error)) from None
    except errors.DiskFull as error:
        raise PublicationRefusedError(
            f"the disk of {database.place} is full. What was published before stays. Free some space and run "
            "`inventory export` again."
        ) from error
    except errors.InsufficientPrivilege as error:
        raise PublicationRefusedError(
            f"{database.place}: {one_line(error)}. docs/postgresql.md says which rights the publishing role needs."
        ) from error
    except errors.DependentObjectsStillExist as error:
        raise PublicationRefusedError(
            f"{database.place}: {one_line(error)} ({error.diag.message_detail}). Drop what depends on it, and read "
            "published tables in queries instead."
        ) from error
    except psycopg2.Error as error:
        raise PublicationRefusedError(
            f"{database.place}: {one_line(error)}. What was published before stays. Run `inventory export` again."
        ) from error
