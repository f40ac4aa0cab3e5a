"""Continuous features of raw readings: what happened per store, category and five minutes.

Each micro-batch in raw is processed once, in order. A small state lies beside the features: each product's last settled
reading, and those that are not settled yet. So the cost depends on what is new, not on the history. A batch's state is
written before its features, and each is committed by a rename; a batch that has features is done.
"""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from ingest.durable_files import atomic_write
from ingest.refining.raw import batch_folder, batch_ids, temporary_for
from ingest.sql import quoted

if TYPE_CHECKING:
    import duckdb

WINDOW = timedelta(minutes=5)
WATERMARK = timedelta(hours=1)  # tills that lost their line for a while are back within the hour
MEMORY = "2GB"  # beyond it DuckDB spills to disk

# times are UTC without a zone within the queries and in the state
FRESH = """
    create temp view fresh as
    select
        store_location, product_id, category, quantity, price, event_timestamp::timestamp as event_timestamp,
        publish_time, topic, partition, ledger_id, entry_id, batch_index
    from read_parquet('{readings}/*/*.parquet', hive_partitioning = false, union_by_name = true)
"""
STATE_BEFORE = "create temp view before as select * from read_parquet('{state}/*.parquet')"
NO_STATE_BEFORE = "create temp view before as select *, null::timestamp as closed_until from fresh where false"

# until when each store's windows were closed before this batch, and are after it. The watermark follows the store's own
# newest reading, so a store that was cut off for a day is not late.
STORES = f"""
    create temp table stores as
    select
        store_location,
        max(closed_until) as closed_before,
        greatest(
            max(closed_until),
            time_bucket(
                interval {WINDOW.total_seconds()} second, max(newest) - interval {WATERMARK.total_seconds()} second
            )
        ) as closed_until
    from (
        select store_location, closed_until, null as newest from before
        union all
        select store_location, null, event_timestamp from fresh
    )
    group by store_location
"""

# Each reading, and what changed since the product's previous one. Of two readings for one timestamp the later arrival
# counts, a level below zero is zero, and an unknown price is the last known one.
MOVEMENTS = """
    create temp table movements as
    with readings as (
        select * exclude (closed_until) from before
        union all by name
        select fresh.* from fresh inner join stores using (store_location)
        where closed_before is null or event_timestamp > closed_before
    ),
    in_order as (
        select
            *,
            greatest(quantity, 0) as level,
            lead(event_timestamp) over (
                partition by store_location, product_id
                order by event_timestamp, publish_time, topic, partition, ledger_id, entry_id, batch_index
            ) as next_timestamp
        from readings
        qualify next_timestamp is null or next_timestamp > event_timestamp
    )
    select
        *,
        level - lag(level) over product as units,
        last_value(price ignore nulls) over (product rows between unbounded preceding and 1 preceding) as previous_price
    from in_order inner join stores using (store_location)
    window product as (partition by store_location, product_id order by event_timestamp)
"""

# Each product's last settled reading with the price known then, and the unsettled ones as they are, since others may
# still arrive between them.
STATE = """
    select
        * exclude (level, next_timestamp, closed_before, units, previous_price)
        replace (if(event_timestamp <= closed_until, coalesce(price, previous_price), price) as price)
    from movements
    where next_timestamp is null or next_timestamp > closed_until
"""

FEATURES = f"""
    with settled as (
        select
            store_location, category, event_timestamp, units, price <> previous_price as is_new_price, false as is_late
        from movements
        where event_timestamp <= closed_until and (closed_before is null or event_timestamp > closed_before)
    ),
    late as (
        select store_location, category, event_timestamp, null as units, null as is_new_price, true as is_late
        from fresh inner join stores using (store_location)
        where event_timestamp <= closed_before
    )
    select
        store_location,
        category,
        -- a reading at the very end of a window belongs to it
        timezone(
            'UTC',
            time_bucket(interval {WINDOW.total_seconds()} second, event_timestamp - interval 1 microsecond)
            + interval {WINDOW.total_seconds()} second
        ) as window_end,
        count(*) filter (not is_late) as reading_count,
        coalesce(sum(greatest(-units, 0)), 0)::bigint as units_out,
        coalesce(sum(greatest(units, 0)), 0)::bigint as units_in,
        count(*) filter (units > 0) as restock_count,
        count(*) filter (is_new_price) as price_change_count,
        count(*) filter (is_late) as late_count,
        {{batch_id}}::bigint as batch_id
    from (from settled union all from late)
    group by store_location, category, window_end
"""


def update_features(raw: Path) -> None:
    """Write the features of each batch of readings that has none yet, in order.

    `raw` holds `readings/batch-<id>`; `features/batch-<id>` and `features_state/batch-<id>` are written beside it.
    """
    readings, features, state = raw / "readings", raw / "features", raw / "features_state"
    for folder in (features, state):
        folder.mkdir(parents=True, exist_ok=True)
    done = max(batch_ids(features), default=-1)
    for batch_id in sorted(batch_ids(readings)):
        if batch_id > done:
            _update_with(batch_folder(readings, batch_id), features, state, batch_id)
    newest = max(batch_ids(features), default=-1)
    for batch_id in batch_ids(state) - {newest}:
        shutil.rmtree(batch_folder(state, batch_id))


def _update_with(readings: Path, features: Path, state: Path, batch_id: int) -> None:
    import duckdb

    earlier = max((known for known in batch_ids(state) if known < batch_id), default=None)
    before = NO_STATE_BEFORE if earlier is None else STATE_BEFORE.format(state=quoted(batch_folder(state, earlier)))
    spill = temporary_for(state / "spill")
    with duckdb.connect(config={"memory_limit": MEMORY, "temp_directory": str(spill)}) as connection:
        connection.execute("set TimeZone = 'UTC'")
        for statement in (FRESH.format(readings=quoted(readings)), before, STORES, MOVEMENTS):
            connection.execute(statement)
        if batch_id not in batch_ids(state):
            _write(connection, STATE, batch_folder(state, batch_id))
        _write(connection, FEATURES.format(batch_id=batch_id), batch_folder(features, batch_id))


def _write(connection: duckdb.DuckDBPyConnection, query: str, committed: Path) -> None:
    with atomic_write(committed) as temporary:
        temporary.mkdir()
        connection.execute(f"copy ({query}) to '{quoted(temporary)}/part.parquet' (format parquet, compression zstd)")
