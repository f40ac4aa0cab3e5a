"""How the rows of changed parts become those of the warehouse, whichever destination holds them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from publish.publication import PublishedTable
from publish.schema import rows_by_part

if TYPE_CHECKING:
    import duckdb

ROWS_AT_ONCE = 100_000

Row = tuple[Any, ...]  # its part, and its values
RowId = TypeVar("RowId")  # by which the destination finds a row again


class NotAsNotedError(RuntimeError):
    """The destination does not hold what its last publication noted; nothing was changed."""


def batches(changed: dict[int, int]) -> Iterator[list[int]]:
    """The changed parts, as many at once as memory holds."""
    batch: list[int] = []
    row_count = 0
    for part, rows in changed.items():
        batch.append(part)
        row_count += rows
        if row_count >= ROWS_AT_ONCE:
            yield batch
            batch, row_count = [], 0
    if batch:
        yield batch


def wanted_rows(connection: duckdb.DuckDBPyConnection, table: PublishedTable, condition: str) -> Counter[Row]:
    """The rows of the warehouse that meet a condition, each with its part."""
    return Counter(connection.execute(f"select * from {rows_by_part(table, condition)} order by all").fetchall())


def difference(existing: Iterable[tuple[RowId, Row]], wanted: Counter[Row]) -> tuple[list[RowId], Counter[Row]]:
    """The ids of the rows that are not wanted, and the wanted rows that are missing."""
    missing = wanted.copy()
    unwanted = []
    for row_id, row in existing:
        if missing[row] > 0:
            missing[row] -= 1
        else:
            unwanted.append(row_id)
    return unwanted, +missing
