"""A PostgreSQL database. A publication changes what differs from the last one, and writes tables whole that are new or
have another layout: all in one transaction, so that readers see the old tables or the new ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from publish.destinations.changes import NotAsNotedError
from publish.destinations.postgresql_changes import change_table
from publish.destinations.postgresql_contents import Name, Noted, forget, note, noted_tables
from publish.destinations.postgresql_rows import FORMAT, protection, set_up
from publish.destinations.postgresql_whole import STAGED, replace, write
from publish.parts import Parts, changed_parts, mostly_differ, parts_of, row_count
from publish.publication import PublicationRefusedError, PublishedTable
from publish.schema import check_schema, layout
from serving_database import SERVING, ServingDatabase, ServingDatabaseError, one_line

if TYPE_CHECKING:
    import duckdb

# A server looks for deadlocks after a second, and may end a reader then. A publisher that waits less ends none.
MILLISECONDS_FOR_READERS = 500
SECONDS_FOR_READERS = 60

Tables = dict[str, list[PublishedTable]]


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
                outcomes = _publish(connection, cursor, self.database, databases)
                self.before_commit(cursor)
            return outcomes


@dataclass
class Changes:
    """What a publication does: the tables to write whole, the rows changed in the others, and why a table that could
    have been changed is written whole."""

    whole: dict[Name, PublishedTable] = field(default_factory=dict)
    rows: dict[Name, int] = field(default_factory=dict)
    reasons: dict[Name, str] = field(default_factory=dict)


def _publish(
    warehouse: duckdb.DuckDBPyConnection, cursor: Any, database: ServingDatabase, databases: Tables
) -> dict[str, str]:
    from psycopg2.errors import LockNotAvailable

    try:
        database.hold_publication(cursor)
    except LockNotAvailable as error:
        raise PublicationRefusedError(f"another export is writing to {database.place}. Wait for it to end.") from error
    tables = {(schema, table.name): table for schema, listed in databases.items() for table in listed}
    layouts = {
        name: layout([table], FORMAT, protection(cursor, database, table.name, table)) for name, table in tables.items()
    }
    parts = {name: parts_of(warehouse, table) if table.view_of is None else {} for name, table in tables.items()}
    noted = noted_tables(cursor)
    _refuse_foreign(cursor, tables.keys() - noted.keys())
    gone = noted.keys() - tables.keys()
    changes = _change(warehouse, cursor, tables, noted, layouts, parts)
    if changes.whole:
        cursor.execute(f"create schema {STAGED}")
        for table in changes.whole.values():
            if table.view_of is None:
                write(warehouse, cursor, database, table)
    if changes.whole or changes.rows or gone:
        _lock_out_readers(
            cursor, database, [name for name in (*changes.whole, *gone) if name in noted and noted[name].exists]
        )
    if changes.whole or gone:
        replace(cursor, database, changes.whole, gone)
    if changes.whole:
        cursor.execute(f"drop schema {STAGED}")
    for name in (*changes.whole, *changes.rows):
        note(cursor, name, layouts[name], noted[name].parts if name in noted else {}, parts[name])
    for name in gone:
        forget(cursor, name)
    return {
        f"{database.place}, schema {schema}": _outcome(
            [(schema, table.name) for table in listed],
            changes,
            sum(row_count(parts[schema, table.name]) for table in listed),
        )
        for schema, listed in databases.items()
    }


def _change(
    warehouse: duckdb.DuckDBPyConnection,
    cursor: Any,
    tables: dict[Name, PublishedTable],
    noted: dict[Name, Noted],
    layouts: dict[Name, str],
    parts: dict[Name, Parts],
) -> Changes:
    """Change the rows that differ in the tables that can be changed, and say which ones are to be written whole."""
    changes = Changes()
    for name, table in tables.items():
        before = noted.get(name)
        if before is None or before.layout != layouts[name] or not before.is_in_place:
            changes.whole[name] = table
        elif before.parts != parts[name]:
            changed = sum(changed_parts(before.parts, parts[name]).values())
            if mostly_differ(changed, row_count(parts[name])):
                changes.whole[name] = table
                continue
            cursor.execute("savepoint as_noted")
            try:
                relation = ".".join(name)
                changes.rows[name] = change_table(warehouse, cursor, relation, table, before.parts, parts[name])
            except NotAsNotedError as error:
                cursor.execute("rollback to savepoint as_noted")
                changes.whole[name] = table
                changes.reasons[name] = str(error)
    for name, table in tables.items():
        if table.view_of is not None:
            of = (name[0], table.view_of)
            if of in changes.whole:
                changes.whole[name] = table
            elif of in changes.rows:
                changes.rows.setdefault(name, 0)
    return changes


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
        cursor.execute("rollback to savepoint readers_wait")
        raise PublicationRefusedError(
            f"readers of {database.place} have kept its tables busy for {SECONDS_FOR_READERS} seconds"
            f"{_readers(cursor, names)}. End their transactions (select pg_terminate_backend(process)), then export "
            "again."
        ) from error


def _readers(cursor: Any, names: list[Name]) -> str:
    """Who holds the tables now, as `: role (process 1), …`; empty where nobody does any more."""
    cursor.execute(
        """
        select distinct usename, pid from pg_locks join pg_stat_activity using (pid)
        where relation = any(%s::regclass[]) and granted and pid <> pg_backend_pid()
        order by usename, pid
        """,
        ([f"{SERVING}.published_tables", *map(".".join, names)],),
    )
    found = ", ".join(f"{role} (process {process})" for role, process in cursor.fetchall())
    return f": {found}" if found else ""


def _outcome(names: list[Name], changes: Changes, rows: int) -> str:
    whole = [name for name in names if name in changes.whole]
    changed = [changes.rows[name] for name in names if name in changes.rows]
    if not whole and not changed:
        return f"unchanged, {rows:,} rows"
    done = [f"{sum(changed):,} rows changed of {rows:,}" if changed else f"{rows:,} rows"]
    if whole:
        done.append(f"{len(whole)} of {len(names)} tables written whole")
    done += [f"one because {changes.reasons[name]}" for name in whole if name in changes.reasons]
    return f"published, {', '.join(done)}"


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
