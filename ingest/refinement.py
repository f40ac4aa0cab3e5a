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
# of the content, what tells most readings apart: a digest of more would take longer and hardly find less
TELLING = ["store_location", "product_id", "event_timestamp", "quantity"]
ROWS_A_TASK = 250_000
ASIDE = "event_month=__HIVE_DEFAULT_PARTITION__"  # where Spark writes rows that are given no month
PARQUET = {
    "parquet.writer.version": "PARQUET_2_0",
    # nearly every value of these occurs once: their dictionaries would be built only to be given up
    "parquet.enable.dictionary#event_timestamp": "false",
    "parquet.enable.dictionary#entry_id": "false",
}
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
    received = messages
    try:
        if quarantine is not None:
            received.persist()
            messages = received.coalesce(1 + received.count() // ROWS_A_TASK)
            _keep_rejected(messages, quarantine, batch_id)
        if not committed.exists():
            _refine_readings(messages, committed, batch_id)
    finally:
        received.unpersist()
    follow_readings(raw)
    click.echo(f"  batch {batch_id}: {_rows(committed):,} readings refined", err=True)


def _refine_readings(messages: DataFrame, committed: Path, batch_id: int) -> None:
    """Write the readings that raw does not hold yet; of the same content the first arrival stays.

    A digest tells which readings may occur more than once, in the batch or in raw. Those few are set aside by the one
    pass that writes all others as they come, and are compared then.
    """
    from pyspark.sql import functions as sf

    good = messages.where("error is null").select(*CONTENT, *ARRIVAL, _digest())
    known = _known(good, committed.parent)
    digests = good.select("digest").union(known.select("digest"))
    # brought together before they are counted, since hardly any would be found twice within a task
    repeated = digests.repartition("digest").groupBy("digest").count().where("count > 1").select("digest").persist()
    temporary = temporary_for(committed)
    month = sf.trunc("event_timestamp", "month")
    if repeated.count():  # counted at once, so that Spark knows how few they are when it plans the joins
        marked = good.join(repeated.withColumn("is_repeated", sf.lit(True)), "digest", "left")
        _write(marked, batch_id, temporary, sf.when(sf.isnull("is_repeated"), month))
    else:
        _write(good, batch_id, temporary, month)
    if (temporary / ASIDE).exists():
        aside = good.sparkSession.read.schema(LANDED_SCHEMA).parquet(uri(temporary / ASIDE))
        first = (
            aside.select(*CONTENT, *ARRIVAL, sf.lit(False).alias("is_known"))
            .union(known.join(repeated, "digest", "left_semi").select(*CONTENT, *ARRIVAL, sf.lit(True)))
            .groupBy(*CONTENT)
            .agg(sf.min(sf.struct(*ARRIVAL)).alias("arrival"), sf.max("is_known").alias("is_known"))
            .where("not is_known")
            .select(*CONTENT, "arrival.*")
        )
        _write(first, batch_id, temporary, month, mode="append")
        shutil.rmtree(temporary / ASIDE)
    repeated.unpersist()
    for folder in temporary.glob("event_month=*"):
        folder.rename(folder.with_name(folder.name.removesuffix("-01")))
    # a batch without a single new reading still leaves a file, so that raw always has its schema
    if not any(temporary.glob("event_month=*")):
        _write(good.limit(0), batch_id, temporary / "event_month=none")
    commit(temporary, committed)


def _write(
    readings: DataFrame, batch_id: int, folder: Path, month: Column | None = None, mode: str = "errorifexists"
) -> None:
    """Write readings in raw's columns; by `month`, given as its first day, which is cheaper to tell than its name."""
    from pyspark.sql import functions as sf

    columns = [*CONTENT, *ARRIVAL, sf.lit(batch_id).cast("bigint").alias("batch_id")]
    if month is None:
        readings.select(*columns).write.options(**PARQUET).parquet(uri(folder), mode=mode)
    else:
        by_month = readings.select(*columns, month.alias("event_month"))
        by_month.write.options(**PARQUET).parquet(uri(folder), mode=mode, partitionBy="event_month")


def _known(good: DataFrame, table: Path) -> DataFrame:
    """What raw holds already of the time spans of these readings, month by month."""
    from pyspark.sql import functions as sf

    if not any(table.glob("batch-*")):
        return good.limit(0)
    spans = (
        good.groupBy(sf.date_format("event_timestamp", "yyyy-MM").alias("month"))
        .agg(
            sf.unix_micros(sf.min("event_timestamp")).alias("first"),
            sf.unix_micros(sf.max("event_timestamp")).alias("last"),
        )
        .collect()
    )
    folders = [uri(folder) for span in spans for folder in table.glob(f"batch-*/event_month={span.month}")]
    if not folders:
        return good.limit(0)
    touched = " or ".join(
        f"event_timestamp between timestamp_micros({span.first}) and timestamp_micros({span.last})" for span in spans
    )
    known = good.sparkSession.read.schema(LANDED_SCHEMA).parquet(*folders).where(touched)
    return known.select(*CONTENT, *ARRIVAL, _digest())


def _digest() -> Column:
    """The same number for the same content."""
    from pyspark.sql import functions as sf

    return sf.xxhash64(*TELLING).alias("digest")


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
