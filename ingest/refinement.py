"""One micro-batch of messages to raw: readings typed, exact repeats removed, by month; features; quarantine.

All of it is computed from the batch and from what was committed before it, and each part is committed by its own
rename. So a batch that is taken again after a kill finds the parts that were committed and makes the same others.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ingest.landing import sync_folder
from ingest.raw import ARRIVAL, batch_folder, commit, temporary_for, uri
from ingest.stock_features import follow_readings

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

CONTENT = ["store_location", "product_id", "event_timestamp", "category", "quantity", "price", "extra"]
ROWS_A_TASK = 500_000
LANDED_SCHEMA = (
    "topic string, partition int, ledger_id bigint, entry_id bigint, batch_index int, publish_time timestamp, "
    "product_id string, category string, store_location string, quantity bigint, price double, "
    "event_timestamp timestamp, extra string, error string, raw binary"
)


def refine(messages: DataFrame, raw: Path, batch_id: int, quarantine: Path | None = None) -> None:
    """Refine one micro-batch of messages, in the columns of a landing file, into the tables of raw.

    Where `quarantine` is given, rejected messages are kept there; else landing holds them already.
    """
    committed = batch_folder(raw / "readings", batch_id)
    if quarantine is not None:
        messages.persist()
    try:
        if quarantine is not None:
            _keep_rejected(messages, quarantine, batch_id)
        if not committed.exists():
            _refine_readings(messages, committed, batch_id)
    finally:
        if quarantine is not None:
            messages.unpersist()
    follow_readings(raw)
    click.echo(f"  batch {batch_id}: {_rows(committed):,} readings refined", err=True)


def _refine_readings(messages: DataFrame, committed: Path, batch_id: int) -> None:
    """Write the readings that raw does not hold yet; of the same content the first arrival stays.

    A digest tells which contents occur more than once, in the batch or in raw. Those few are compared; all others are
    written as they come, with no need to be brought together first.
    """
    from pyspark.sql import functions as sf

    good = messages.where("error is null").select(*CONTENT, *ARRIVAL, _digest().alias("digest"))
    rows, known = _known(good, committed.parent)
    digests = good.select("digest").union(known.select("digest"))
    repeated = digests.groupBy("digest").count().where("count > 1").select("digest").persist()
    repeated.count()  # so that Spark knows how few they are when it plans the joins
    once = good.join(repeated, "digest", "left_anti")
    first = (
        good.withColumn("is_known", sf.lit(False))
        .unionByName(known.withColumn("is_known", sf.lit(True)))
        .join(repeated, "digest", "left_semi")
        .groupBy(*CONTENT)
        .agg(sf.min(sf.struct(*ARRIVAL)).alias("arrival"), sf.max("is_known").alias("is_known"))
        .where("not is_known")
        .select(*CONTENT, "arrival.*")
    )
    fresh = (
        once.select(*CONTENT, *ARRIVAL)
        .unionByName(first)
        .withColumns(
            {
                "batch_id": sf.lit(batch_id).cast("bigint"),
                "event_month": sf.date_format("event_timestamp", "yyyy-MM"),
            }
        )
    )
    temporary = temporary_for(committed)
    fresh.coalesce(1 + rows // ROWS_A_TASK).write.partitionBy("event_month").parquet(uri(temporary))
    # a batch without a single new reading still leaves a file, so that raw always has its schema
    if not any(temporary.glob("event_month=*")):
        fresh.drop("event_month").limit(0).write.parquet(uri(temporary / "event_month=none"))
    repeated.unpersist()
    commit(temporary, committed)


def _known(good: DataFrame, table: Path) -> tuple[int, DataFrame]:
    """How many readings there are, and what raw holds already of their time spans, month by month."""
    from pyspark.sql import functions as sf

    spans = (
        good.groupBy(sf.date_format("event_timestamp", "yyyy-MM").alias("month"))
        .agg(
            sf.count("*").alias("rows"),
            sf.unix_micros(sf.min("event_timestamp")).alias("first"),
            sf.unix_micros(sf.max("event_timestamp")).alias("last"),
        )
        .collect()
    )
    rows = sum(span.rows for span in spans)
    folders = [uri(folder) for span in spans for folder in table.glob(f"batch-*/event_month={span.month}")]
    if not folders:
        return rows, good.limit(0)
    touched = " or ".join(
        f"event_timestamp between timestamp_micros({span.first}) and timestamp_micros({span.last})" for span in spans
    )
    known = good.sparkSession.read.schema(LANDED_SCHEMA).parquet(*folders).where(touched)
    return rows, known.select(*CONTENT, *ARRIVAL, _digest().alias("digest"))


def _digest() -> Column:
    """The same number for the same content. Adding 0 makes one of the two zeros that floating point has."""
    from pyspark.sql import functions as sf

    return sf.xxhash64(*(sf.col(name) + 0 if name == "price" else name for name in CONTENT))


def _keep_rejected(messages: DataFrame, quarantine: Path, batch_id: int) -> None:
    """Keep the rejected messages of a batch in one file, by the day that the batch was published, as landing does.

    Where there is no quarantine yet, it begins with an empty file: who reads it need not ask whether it exists.
    """
    from pyspark.sql import functions as sf

    name = f"batch-{batch_id:06d}.parquet"
    if any(quarantine.glob(f"publish_date=*/{name}")):
        return
    rejected = messages.where("error is not null")
    found = messages.agg(
        sf.date_format(sf.min("publish_time"), "yyyy-MM-dd").alias("day"), sf.count("error").alias("rejected")
    ).first()
    assert found is not None
    if not found.rejected and any(quarantine.glob("publish_date=*/*.parquet")):
        return
    folder = quarantine / f"publish_date={found.day}"
    temporary = temporary_for(quarantine / name)
    rejected.coalesce(1).write.parquet(uri(temporary))
    folder.mkdir(parents=True, exist_ok=True)
    (written,) = temporary.glob("*.parquet")
    with written.open("rb") as file:
        os.fsync(file.fileno())
    written.rename(folder / name)  # the commit point
    sync_folder(folder)
    shutil.rmtree(temporary)


def _rows(batch: Path) -> int:
    import pyarrow.parquet as pq

    return sum(pq.read_metadata(file).num_rows for file in batch.glob("*/*.parquet"))
