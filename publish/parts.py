"""Parts of published tables, by whose digests a publication finds what is new.

A part holds the rows of one day and of some stores. The digest of a table's part says which rows the part holds,
whatever their order. So two publications compare without a list of what a build changed, and no such list can be wrong.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, NamedTuple

from publish.publication import PublishedTable

if TYPE_CHECKING:
    import duckdb

# A part's number has 28 bits: its day since 1970, and a hash of its store. Stores with the same hash share their parts.
STORE_BITS = 12
STORE_NUMBER = f"hash(store_location) % {2**STORE_BITS}"
LAST_DAY = 2**16 - 1  # in the year 2149; later days share its parts, and rows without a day those of 1970
DAY = {"DATE", "TIMESTAMP"}
# with more changes, and if they reach more than half of the rows, it is faster to write all rows anew
MOST_CHANGED_ROWS = 100_000


class Part(NamedTuple):
    """How many rows a part holds, and which."""

    row_count: int
    digest: int


Parts = dict[int, Part]


def part_number(table: PublishedTable) -> str:
    """The number of a row's part, as SQL of the warehouse."""
    timestamp = day_column(table)
    day = f"datediff('day', date '1970-01-01', {timestamp})" if timestamp else "0"
    store = STORE_NUMBER if "store_location" in table.columns else "0"
    return f"cast(greatest(0, least({LAST_DAY}, coalesce({day}, 0))) * {2**STORE_BITS} + {store} as bigint)"


def parts_of(connection: duckdb.DuckDBPyConnection, table: PublishedTable) -> Parts:
    """The parts of a table of the warehouse."""
    rows = connection.execute(
        f"""
        select {part_number(table)} as part, count(*), cast(sum(hash({", ".join(table.columns)})) % {2**63} as bigint)
        from {table.relation}
        group by part
        order by part
        """
    ).fetchall()
    return {part: Part(row_count, digest) for part, row_count, digest in rows}


def changed_parts(before: Parts, after: Parts) -> dict[int, int]:
    """The parts that differ, in order, and how many rows each has had or has got."""
    nothing = Part(0, 0)
    return {
        part: max(before.get(part, nothing).row_count, after.get(part, nothing).row_count)
        for part in sorted(before.keys() | after.keys())
        if before.get(part) != after.get(part)
    }


def row_count(parts: Parts) -> int:
    return sum(part.row_count for part in parts.values())


def mostly_differ(changed: int, of: int) -> bool:
    """Whether so many changed rows, of so many, are better written with all others."""
    return changed > max(MOST_CHANGED_ROWS, of // 2)


def is_in(table: PublishedTable, parts: Collection[int]) -> str:
    """The condition, as SQL of the warehouse, that a row lies in one of these parts."""
    conditions = [f"{part_number(table)} in ({', '.join(map(str, parts))})"]
    first_day, last_day = min(parts) >> STORE_BITS, max(parts) >> STORE_BITS
    # the warehouse skips what lies before and after
    if first_day > 0:
        conditions.append(f"{day_column(table)} >= date '1970-01-01' + {first_day}")
        if last_day < LAST_DAY:
            conditions.append(f"{day_column(table)} < date '1970-01-01' + {last_day + 1}")
    return " and ".join(conditions)


def day_column(table: PublishedTable) -> str | None:
    """The first column that has a day."""
    return next((name for name, kind in table.columns.items() if kind in DAY), None)
