"""Change a published PostgreSQL table, while others read it, to what the warehouse holds now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from notify.publication import ACTED_ON
from publish.destinations.changes import NotAsNotedError, Row, batches, difference, wanted_rows
from publish.parts import LAST_DAY, STORE_BITS, STORE_NUMBER, Parts, changed_parts, day_column, is_in
from publish.publication import PublishedTable
from publish.schema import published_columns

if TYPE_CHECKING:
    import duckdb

ROWS_PER_STATEMENT = 1000
EPOCH = date(1970, 1, 1)


def change_table(
    warehouse: duckdb.DuckDBPyConnection, cursor: Any, relation: str, table: PublishedTable, before: Parts, after: Parts
) -> int:
    """Bring the parts that differ up to date; return how many rows are new, or gone. Raises NotAsNotedError."""
    if table.name in ACTED_ON:
        # it holds rows that no build made
        return _change_rows(cursor, relation, table, "true", wanted_rows(warehouse, table, "true"))
    return sum(
        _change_rows(
            cursor,
            relation,
            table,
            _lies_in(warehouse, cursor, relation, table, parts),
            wanted_rows(warehouse, table, is_in(table, parts)),
            sum(before[part].row_count for part in parts if part in before),
        )
        for parts in batches(changed_parts(before, after))
    )


def _change_rows(
    cursor: Any, relation: str, table: PublishedTable, condition: str, wanted: Counter[Row], noted: int | None = None
) -> int:
    """Delete the rows under a condition that are not wanted, and insert the wanted ones that are missing. Return how
    many."""
    from psycopg2.extras import execute_values

    columns = ", ".join(published_columns(table))
    cursor.execute(f"select ctid, {columns} from {relation} where {condition}")
    existing = [(row_id, tuple(row)) for row_id, *row in cursor.fetchall()]
    if noted not in {None, len(existing)}:
        raise NotAsNotedError(f"the rows of {table.name} are not those that were written")
    values: Counter[Row] = Counter()
    for (_, *row), times in wanted.items():
        values[tuple(row)] += times
    unwanted, missing = difference(existing, values)
    cursor.execute(f"delete from {relation} where ctid = any(%s::tid[])", (unwanted,))
    deleted = cursor.rowcount
    inserted = execute_values(
        cursor,
        f"insert into {relation} ({columns}) values %s returning {columns}",
        list(missing.elements()),
        page_size=ROWS_PER_STATEMENT,
        fetch=True,
    )
    if deleted != len(unwanted) or Counter(inserted) != missing:
        raise NotAsNotedError(f"the rows of {table.name} did not become those of the warehouse")
    return len(unwanted) + len(inserted)


def _lies_in(
    warehouse: duckdb.DuckDBPyConnection, cursor: Any, relation: str, table: PublishedTable, parts: Collection[int]
) -> str:
    """The condition, as SQL of the database, that a published row lies in one of these parts.

    Only the warehouse can tell a store's number. So it tells those of the stores that the table has on these days.
    """
    stores_of_day: dict[int, set[int]] = {}
    for part in parts:
        stores_of_day.setdefault(part >> STORE_BITS, set()).add(part % 2**STORE_BITS)
    if "store_location" not in table.columns:
        return _is_on(cursor, table, stores_of_day)
    cursor.execute(f"select distinct store_location from {relation} where {_is_on(cursor, table, stores_of_day)}")
    stores = [store for (store,) in cursor.fetchall()]
    numbers = warehouse.execute(
        f"select store_location, {STORE_NUMBER} from unnest(cast(? as varchar[])) as stores (store_location)", [stores]
    ).fetchall()
    days_of_stores: dict[tuple[str | None, ...], list[int]] = {}
    for day, wanted in stores_of_day.items():
        lying = tuple(store for store, number in numbers if number in wanted)
        days_of_stores.setdefault(lying, []).append(day)
    conditions = [
        f"({_is_on(cursor, table, days)} and {_is_one_of(cursor, 'store_location', stores)})"
        for stores, days in days_of_stores.items()
    ]
    return " or ".join(conditions)


def _is_on(cursor: Any, table: PublishedTable, days: Collection[int]) -> str:
    """The condition that a row is of one of these days. Times are published as text, which begins with the day."""
    column = day_column(table)
    if column is None:
        return "true"
    texts = [_text(day) for day in days if 0 < day < LAST_DAY]
    conditions = [f"left({column}, 10) = any({_array(cursor, texts)})"]
    if 0 in days:
        conditions.append(f"{column} is null or {column} < '{_text(1)}'")
    if LAST_DAY in days:
        conditions.append(f"{column} >= '{_text(LAST_DAY)}'")
    return f"({' or '.join(conditions)})"


def _text(day: int) -> str:
    return (EPOCH + timedelta(days=day)).isoformat()


def _is_one_of(cursor: Any, column: str, values: Collection[str | None]) -> str:
    known = [value for value in values if value is not None]
    is_null = f" or {column} is null" if None in values else ""
    return f"({column} = any({_array(cursor, known)}){is_null})"


def _array(cursor: Any, values: list[str]) -> str:
    return str(cursor.mogrify("%s::text[]", (values,)).decode())
