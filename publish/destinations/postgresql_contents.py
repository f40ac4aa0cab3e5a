"""What the published PostgreSQL tables hold, as their publication noted it in the same database and transaction.

So a note is about what the tables hold, whoever has published them, and from wherever the database was restored.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from publish.parts import Part, Parts
from serving_database import SERVING

Name = tuple[str, str]  # of a schema and a table

TABLES = f"{SERVING}.published_tables"
PARTS = f"{SERVING}.published_parts"
# PostgreSQL stores a table in another file when somebody has restored, emptied or rewritten it. A view has no file.
FOUND = "to_regclass(schema_name || '.' || table_name)"
STORED_IN = f"coalesce(pg_relation_filenode({FOUND}), {FOUND}::oid, 0)"
NOTES_AT_ONCE = 1000


@dataclass(frozen=True)
class Noted:
    """How a table is written, its parts, whether there is such a table, and whether it is the one that was written."""

    layout: str
    parts: Parts
    exists: bool
    is_in_place: bool


def noted_tables(cursor: Any) -> dict[Name, Noted]:
    """What exports have published."""
    cursor.execute(
        f"select schema_name, table_name, layout, {FOUND} is not null, stored_in = {STORED_IN} from {TABLES}"
    )
    noted = {(schema, table): Noted(layout, {}, *found) for schema, table, layout, *found in cursor.fetchall()}
    cursor.execute(f"select schema_name, table_name, part, row_count, digest from {PARTS}")
    for schema, table, part, row_count, digest in cursor.fetchall():
        noted[schema, table].parts[part] = Part(row_count, digest)
    return noted


def note(cursor: Any, name: Name, layout: str, before: Parts, after: Parts) -> None:
    """Note what a table holds now; of its parts, those that are not noted yet."""
    from psycopg2.extras import execute_values

    cursor.execute(
        f"""
        insert into {TABLES} as noted (schema_name, table_name, layout, stored_in, published_at)
        select *, {STORED_IN}, clock_timestamp() from (values (%s, %s, %s)) as new (schema_name, table_name, layout)
        on conflict (schema_name, table_name) do update set
            layout = excluded.layout, stored_in = excluded.stored_in, published_at = excluded.published_at
        """,
        (*name, layout),
    )
    changed = [part for part in before.keys() | after.keys() if before.get(part) != after.get(part)]
    cursor.execute(f"delete from {PARTS} where (schema_name, table_name) = %s and part = any(%s)", (name, changed))
    new = [(*name, part, *after[part]) for part in sorted(changed) if part in after]
    execute_values(cursor, f"insert into {PARTS} values %s", new, page_size=NOTES_AT_ONCE)


def forget(cursor: Any, name: Name) -> None:
    """Note that a table is published no more."""
    cursor.execute(f"delete from {TABLES} where (schema_name, table_name) = %s", (name,))  # and its parts
