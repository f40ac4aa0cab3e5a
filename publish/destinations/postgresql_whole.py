"""Write published PostgreSQL tables whole, in a schema of their own, compare them with the warehouse, and put them in
the place of the old ones."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from publish.audit import audit_copy, digest_query
from publish.destinations.postgresql_contents import Name
from publish.destinations.postgresql_rows import protection
from publish.publication import PublishedTable
from publish.schema import converted, index_definitions, published_columns
from serving_database import ServingDatabase

if TYPE_CHECKING:
    import duckdb

STAGED = "inventory_staged"
# text is compared as the warehouse does it, byte by byte
TYPES = {"TEXT": 'text collate "C"', "INTEGER": "bigint", "FLOAT": "double precision"}
BYTES_AT_ONCE = 1 << 20


def write(warehouse: duckdb.DuckDBPyConnection, cursor: Any, database: ServingDatabase, table: PublishedTable) -> None:
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
    cursor.execute(protection(cursor, database, staged, table))


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


def replace(cursor: Any, database: ServingDatabase, written: dict[Name, PublishedTable], gone: set[Name]) -> None:
    """Put the new tables in the place of the old ones."""
    cursor.execute(
        "select nspname, relname, relkind from pg_class join pg_namespace on pg_namespace.oid = relnamespace "
        "where (nspname, relname) in %s order by relkind = 'v' desc",  # a view goes before its table
        ((*written, *gone),),
    )
    for schema, name, kind in cursor.fetchall():
        cursor.execute(f"drop {'view' if kind == 'v' else 'table'} {schema}.{name}")
    for (schema, name), table in written.items():
        if table.view_of is None:
            cursor.execute(f"alter table {STAGED}.{name} set schema {schema}")
    for (schema, name), table in written.items():
        if table.view_of:
            # with the rights of its reader, who sees the same rows as of the table
            cursor.execute(
                f"create view {schema}.{name} with (security_invoker) as select * from {schema}.{table.view_of}"
            )
            cursor.execute(protection(cursor, database, f"{schema}.{name}", table))
