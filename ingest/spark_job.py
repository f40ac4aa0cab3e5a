"""`inventory land`: refine landed files into raw Parquet with Spark Structured Streaming.

Each micro-batch is written under a temporary name and renamed to `batch-<id>`; the rename is the commit point. Spark's
own file sink is not used: only Spark can tell its committed files from those of a crashed batch, and DuckDB reads raw.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ingest.java import java_environment
from ingest.landing import TEMPORARY, sync_folder

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

CONTENT = ["store_location", "product_id", "event_timestamp", "category", "quantity", "price", "extra"]
ARRIVAL = ["publish_time", "topic", "partition", "ledger_id", "entry_id", "batch_index"]
LANDED_SCHEMA = (
    "topic string, partition int, ledger_id bigint, entry_id bigint, batch_index int, publish_time timestamp, "
    "product_id string, category string, store_location string, quantity bigint, price double, "
    "event_timestamp timestamp, extra string, error string, raw binary"
)


@click.command()
@click.option("--once", is_flag=True, help="Stop when all that is landed is refined; else go on until stopped.")
@click.option("--master", default="local[*]", show_default=True, help="Spark master")
@click.option("--data-dir", type=click.Path(path_type=Path), envvar="INVENTORY_DATA_DIR", default="data")
def command(once: bool, master: str, data_dir: Path) -> None:
    """Refine landed events into raw Parquet: good rows, exact repeats removed, by month of the reading."""
    landing, raw, checkpoint = data_dir / "landing", data_dir / "raw" / "readings", data_dir / "raw" / "_checkpoint"
    if not any(landing.glob("publish_date=*/*.parquet")):
        raise click.ClickException(f"{landing}: nothing is landed yet. Run `inventory load` first.")
    if any(raw.glob("batch-*")) and not (checkpoint / "offsets").is_dir():
        raise click.ClickException(
            f"{raw} holds batches but {checkpoint} does not know them: events would be refined twice. "
            f"Move {raw} away to refine everything again, or bring the checkpoint back."
        )
    raw.mkdir(parents=True, exist_ok=True)
    for leftover in raw.glob(f"{TEMPORARY}*"):
        shutil.rmtree(leftover)

    spark = _session(master)
    try:
        _refine(spark, landing.resolve(), raw.resolve(), checkpoint.resolve(), once=once)
    finally:
        spark.stop()


def _session(master: str) -> SparkSession:
    os.environ.update(
        java_environment(),
        PYSPARK_PYTHON=sys.executable,
        SPARK_CONF_DIR=str(Path(__file__).with_name("spark_conf")),
        SPARK_LOCAL_IP="127.0.0.1",
    )
    from pyspark.sql import SparkSession

    return SparkSession.builder.master(master).appName("inventory-land").getOrCreate()


def _refine(spark: SparkSession, landing: Path, raw: Path, checkpoint: Path, *, once: bool) -> None:
    landed = spark.readStream.schema(LANDED_SCHEMA).option("recursiveFileLookup", "true").parquet(_uri(landing))
    writer = landed.writeStream.option("checkpointLocation", _uri(checkpoint)).foreachBatch(
        lambda batch, batch_id: _write_batch(batch, raw, batch_id)
    )
    writer = writer.trigger(availableNow=True) if once else writer.trigger(processingTime="5 seconds")
    query = writer.start()
    query.awaitTermination()


def _write_batch(landed: DataFrame, raw: Path, batch_id: int) -> None:
    """Write one micro-batch, whole or not at all; a batch that a killed run had already committed is left as it is."""
    from pyspark.sql import functions as sf

    committed = raw / f"batch-{batch_id:06d}"
    if committed.exists():
        return
    readings = (
        landed.where("error is null")
        .groupBy(*CONTENT)
        .agg(sf.min(sf.struct(*ARRIVAL)).alias("arrival"))
        .select(
            *CONTENT,
            "arrival.*",
            sf.lit(batch_id).cast("bigint").alias("batch_id"),
            sf.date_format("event_timestamp", "yyyy-MM").alias("event_month"),
        )
        .cache()
    )
    months = [row.event_month for row in readings.select("event_month").distinct().collect()]
    earlier = [
        _uri(folder) for month in months for folder in raw.glob(f"batch-*/event_month={month}") if folder.is_dir()
    ]
    fresh = readings
    if earlier:
        known = landed.sparkSession.read.schema(LANDED_SCHEMA).parquet(*earlier).alias("known")
        same = " and ".join(f"fresh.{column} <=> known.{column}" for column in CONTENT)
        fresh = readings.alias("fresh").join(known, sf.expr(same), "left_anti")

    temporary = raw / f"{TEMPORARY}batch-{batch_id:06d}"
    # one file a month; a batch without a single reading still leaves one, so that raw always has its schema
    fresh.repartition(max(len(months), 1), "event_month").write.partitionBy("event_month").parquet(_uri(temporary))
    if not months:
        fresh.drop("event_month").coalesce(1).write.parquet(_uri(temporary / "event_month=none"))
    _sync_tree(temporary)
    temporary.rename(committed)  # the commit point
    sync_folder(raw)
    readings.unpersist()
    click.echo(f"  batch {batch_id}: {_rows(committed):,} readings refined", err=True)


def _uri(path: Path) -> str:
    """A local path as Spark takes it: with its scheme, but not percent-encoded."""
    return f"file://{path}"


def _rows(batch: Path) -> int:
    import pyarrow.parquet as pq

    return sum(pq.read_metadata(file).num_rows for file in batch.glob("*/*.parquet"))


def _sync_tree(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
        else:
            sync_folder(path)
    sync_folder(folder)
