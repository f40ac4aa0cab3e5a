"""Continuous features of raw readings: what happened per store, category and five minutes.

Each micro-batch in raw is taken once, in order. Beside the features stands a small state: of each product its last
reading that is settled and those that are not, so that the cost follows what is new, not the history. The state of a
batch is written before its features, and each is committed by a rename; a batch whose features stand is done.
"""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from ingest.raw import ARRIVAL, batch_folder, batch_ids, uri, write_whole

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

WINDOW = timedelta(minutes=5)
WATERMARK = timedelta(hours=1)  # tills that lost their line for a while are back within the hour
PRODUCT = ["store_location", "product_id"]
STATE_SCHEMA = (
    "store_location string, product_id string, category string, event_timestamp timestamp, quantity bigint, "
    "price double, publish_time timestamp, topic string, partition int, ledger_id bigint, entry_id bigint, "
    "batch_index int, closed_until timestamp"
)
FEATURES_SCHEMA = (
    "store_location string, category string, window_end timestamp, reading_count bigint, units_out bigint, "
    "units_in bigint, restock_count bigint, price_change_count bigint, late_count bigint, batch_id bigint"
)


def follow_readings(spark: SparkSession, raw: Path) -> None:
    """Write the features of each batch of readings that has none yet, in order.

    `raw` holds `readings/batch-<id>`; `features/batch-<id>` and `features_state/batch-<id>` are written beside it.
    """
    readings, features, state = raw / "readings", raw / "features", raw / "features_state"
    for folder in (features, state):
        folder.mkdir(parents=True, exist_ok=True)
    done = max(batch_ids(features), default=-1)
    for batch_id in sorted(batch_ids(readings)):
        if batch_id > done:
            _follow(spark, batch_folder(readings, batch_id), features, state, batch_id)
    newest = max(batch_ids(features), default=-1)
    for batch_id in batch_ids(state) - {newest}:
        shutil.rmtree(batch_folder(state, batch_id))


def _follow(spark: SparkSession, readings: Path, features: Path, state: Path, batch_id: int) -> None:
    from pyspark.sql import functions as sf

    earlier = max((known for known in batch_ids(state) if known < batch_id), default=None)
    before = (
        spark.createDataFrame([], STATE_SCHEMA)
        if earlier is None
        else spark.read.schema(STATE_SCHEMA).parquet(uri(batch_folder(state, earlier)))
    )
    # looked up recursively, so that the folders of the months add no column
    fresh = spark.read.schema(STATE_SCHEMA).option("recursiveFileLookup", "true").parquet(uri(readings))
    fresh = fresh.drop("closed_until")
    closed = _closed(before, fresh)
    fresh = fresh.join(sf.broadcast(closed), "store_location")
    is_late = "closed_before is not null and event_timestamp <= closed_before"
    pending = before.drop("closed_until").join(sf.broadcast(closed), "store_location")
    movements = _movements(pending.unionByName(fresh.where(f"not ({is_late})"))).persist()
    try:
        # what the next batch needs to know of each product: its last settled reading, with the price known then, and
        # all that are not settled, as they are, since readings may still come between them
        kept = movements.where("next_timestamp is null or next_timestamp > closed_until").withColumn(
            "price", sf.expr("if(event_timestamp <= closed_until, coalesce(price, previous_price), price)")
        )
        columns = [field.split()[0] for field in STATE_SCHEMA.split(", ")]
        if batch_id not in batch_ids(state):
            write_whole(kept.select(*columns).coalesce(1), batch_folder(state, batch_id))

        settled = movements.where(
            "event_timestamp <= closed_until and (closed_before is null or event_timestamp > closed_before)"
        )
        late = fresh.where(is_late)
        found = _count(settled).unionByName(_count_late(late)).withColumn("batch_id", sf.lit(batch_id).cast("bigint"))
        columns = [field.split()[0] for field in FEATURES_SCHEMA.split(", ")]
        write_whole(found.select(*columns).coalesce(1), batch_folder(features, batch_id))
    finally:
        movements.unpersist()


def _closed(before: DataFrame, fresh: DataFrame) -> DataFrame:
    """Up to when the windows of each store were closed before this batch, and are after it; one row a store.

    The watermark follows each store's own newest reading, so a store that was cut off for a day is not late.
    """
    import pyarrow as pa
    from pyspark.sql import functions as sf

    stores = (
        fresh.select("store_location", sf.unix_micros("event_timestamp").alias("newest"), sf.lit(None).alias("closed"))
        .union(before.select("store_location", sf.lit(None), sf.unix_micros("closed_until")))
        .groupBy("store_location")
        .agg(sf.max("newest").alias("newest"), sf.max("closed").alias("closed"))
        .collect()
    )
    window, watermark = _microseconds(WINDOW), _microseconds(WATERMARK)
    until = []
    for store in stores:
        reached = None if store.newest is None else (store.newest - watermark) // window * window
        until.append(max(moment for moment in (reached, store.closed) if moment is not None))
    moment = pa.timestamp("us", tz="UTC")
    table = pa.table(
        {
            "store_location": pa.array([store.store_location for store in stores], pa.string()),
            "closed_before": pa.array([store.closed for store in stores], moment),
            "closed_until": pa.array(until, moment),
        }
    )
    return fresh.sparkSession.createDataFrame(table)


def _movements(readings: DataFrame) -> DataFrame:
    """Each reading with what changed since the product's previous one; of two for one moment the later arrival holds.

    A level below zero counts as zero, and an unknown price is the last known one.
    """
    from pyspark.sql import Window
    from pyspark.sql import functions as sf

    in_order = Window.partitionBy(*PRODUCT).orderBy("event_timestamp", *ARRIVAL)
    next_timestamp = sf.lead("event_timestamp").over(in_order)
    previous_level = sf.lag("level").over(in_order)
    earlier = in_order.rowsBetween(Window.unboundedPreceding, -1)
    return (
        readings.withColumn("next_timestamp", next_timestamp)
        .where("next_timestamp is null or next_timestamp > event_timestamp")
        .withColumn("level", sf.expr("greatest(quantity, 0)"))
        .withColumn("units", sf.col("level") - previous_level)
        .withColumn("previous_price", sf.last("price", ignorenulls=True).over(earlier))
    )


def _count(settled: DataFrame) -> DataFrame:
    from pyspark.sql import functions as sf

    return settled.groupBy("store_location", "category", _window_end().alias("window_end")).agg(
        sf.count("*").alias("reading_count"),
        sf.expr("coalesce(sum(greatest(-units, 0)), 0)").alias("units_out"),
        sf.expr("coalesce(sum(greatest(units, 0)), 0)").alias("units_in"),
        sf.expr("count_if(units > 0)").alias("restock_count"),
        sf.expr("count_if(price <> previous_price)").alias("price_change_count"),
        sf.lit(0).cast("bigint").alias("late_count"),
    )


def _count_late(late: DataFrame) -> DataFrame:
    from pyspark.sql import functions as sf

    nothing = ["reading_count", "units_out", "units_in", "restock_count", "price_change_count"]
    return (
        late.groupBy("store_location", "category", _window_end().alias("window_end"))
        .agg(sf.count("*").alias("late_count"))
        .withColumns({name: sf.lit(0).cast("bigint") for name in nothing})
    )


def _window_end() -> Column:
    """The end of a reading's window, which belongs to it: a window ending at b holds the readings in (b - 5 min, b]."""
    from pyspark.sql import functions as sf

    window = _microseconds(WINDOW)
    return sf.expr(f"timestamp_micros(unix_micros(event_timestamp) + pmod(-unix_micros(event_timestamp), {window}))")


def _microseconds(span: timedelta) -> int:
    return span // timedelta(microseconds=1)
