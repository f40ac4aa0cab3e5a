"""One micro-batch of messages to raw: readings typed, exact repeats removed, by month; features; quarantine.

Spark distributes the tasks, groups equal digests and decides between repeats. DuckDB, inside the tasks, copies the
readings from file to file. So only the few readings that may be repeats pass through Java.

Everything is computed from the batch and from what was committed before it, and each part is committed by a rename of
its own. A batch that runs again after a kill finds the committed parts and makes the others as they would have been.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ingest.durable_files import atomic_write, commit
from ingest.landing.withdrawals import in_ranges, recorded
from ingest.refining.features import update_features
from ingest.refining.raw import ARRIVAL, batch_folder, temporary_for, uri
from ingest.refining.tasks import copy_by, files_by_task, in_tasks, query_in_tasks, task_duckdb, write
from ingest.sql import parquet_table

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

CONTENT = ["store_location", "product_id", "event_timestamp", "category", "quantity", "price", "extra"]
RAW_SCHEMA = (
    "store_location string, product_id string, event_timestamp timestamp, category string, quantity bigint, "
    "price double, extra string, publish_time timestamp, topic string, partition int, ledger_id bigint, "
    "entry_id bigint, batch_index int, batch_id bigint"
)
# of the columns that differ most: a digest of all content takes longer and finds hardly fewer possible repeats
DIGEST = "(hash(store_location, product_id, event_timestamp, quantity) >> 1)::bigint"  # Spark has no unsigned numbers
MONTH = "strftime(event_timestamp, '%Y-%m')"
ASIDE = "aside"  # takes the month's place for a reading that may be a repeat
BYTES_PER_TASK = 4_000_000  # some 500,000 landed readings


def refine(
    spark: SparkSession, messages: Sequence[Path], raw: Path, batch_id: int, quarantine: Path | None = None
) -> None:
    """Refine one micro-batch of messages, which are files in the columns of a landing file, into the tables of raw.

    Where `quarantine` is given, rejected messages are kept there; else landing holds them already.
    """
    committed = batch_folder(raw / "readings", batch_id)
    if quarantine is not None:
        _keep_rejected(messages, quarantine, batch_id)
    if not committed.exists():
        _refine_readings(spark, messages, committed, batch_id)
    update_features(raw)
    click.echo(f"  batch {batch_id}: {_rows(committed):,} readings refined", err=True)


def _refine_readings(spark: SparkSession, messages: Sequence[Path], committed: Path, batch_id: int) -> None:
    """Write the readings that raw does not hold yet; of those with the same content, the first to arrive.

    Digests show which readings may occur more than once, in the batch or in raw. One pass writes all others and sets
    these few aside. They are compared afterwards.
    """
    temporary = temporary_for(committed)
    whole = temporary / committed.name
    whole.mkdir(parents=True)
    withdrawn = in_ranges(recorded(committed.parents[1]).ranges)
    arrived = _queries(messages, f"{batch_id}::bigint", f"error is null and not ({withdrawn})")
    known = _known(spark, arrived, committed.parent)
    digests = query_in_tasks(
        spark, [f"select {DIGEST} as digest from ({query})" for query in arrived + known], "digest long"
    )
    # repartitioned before the count: hardly any digest occurs twice in a task, so counting there saves nothing
    repeated = digests.repartition("digest").groupBy("digest").count().where("count > 1").select("digest")
    repeated.write.parquet(uri(temporary / "repeated"))
    repeats = f"join {parquet_table((temporary / 'repeated').glob('*.parquet'))} as repeated on digest = {DIGEST}"
    month = f"if(digest is null, {MONTH}, '{ASIDE}') as event_month"
    copies = [f"select reading.*, {month} from ({query}) as reading left {repeats}" for query in arrived]
    copies += [f"select reading.*, '{ASIDE}' as event_month from ({query}) as reading {repeats}" for query in known]
    for attempt in in_tasks(spark, copies, partial(copy_by, "event_month", temporary), "folder string").collect():
        _move(Path(attempt.folder), whole)
    aside = whole / f"event_month={ASIDE}"
    if aside.exists():
        _first_arrivals(spark, aside, batch_id).write.parquet(uri(temporary / "first"), partitionBy="event_month")
        shutil.rmtree(aside)
        _move(temporary / "first", whole)
    # a batch without a single new reading still leaves a file, so that raw always has its schema
    if not any(whole.iterdir()):
        (whole / "event_month=none").mkdir()
        write(f"from ({arrived[0]}) limit 0", whole / "event_month=none/part.parquet")
    commit(whole, committed)
    shutil.rmtree(temporary, ignore_errors=True)  # a task that Spark gave up may still write there


def _queries(files: Iterable[Path], batch_id: str, condition: str) -> list[str]:
    """Queries for the readings in files, in raw's columns; each covers as many files as one task reads."""
    columns = ", ".join([*CONTENT, *ARRIVAL, f"{batch_id} as batch_id"])
    return [
        f"select {columns} from {parquet_table(share)} where {condition}"
        for share in files_by_task(files, BYTES_PER_TASK)
    ]


def _known(spark: SparkSession, arrived: list[str], table: Path) -> list[str]:
    """Queries for the readings in raw that lie within the time span of those that arrived, month by month."""
    from pyspark.sql import functions as sf

    if not any(table.glob("batch-*")):
        return []
    bounds = f"{MONTH} as month, epoch_us(min(event_timestamp)) as first, epoch_us(max(event_timestamp)) as last"
    spans = query_in_tasks(
        spark,
        [f"select {bounds} from ({query}) group by month" for query in arrived],
        "month string, first long, last long",
    )
    return [
        query
        for month, first, last in spans.groupBy("month").agg(sf.min("first"), sf.max("last")).collect()
        for query in _queries(
            table.glob(f"batch-*/event_month={month}/*.parquet"),
            "batch_id",
            f"event_timestamp between make_timestamptz({first}) and make_timestamptz({last})",
        )
    ]


def _first_arrivals(spark: SparkSession, readings: Path, batch_id: int) -> DataFrame:
    """The first of each group of readings with the same content, unless an earlier batch brought it."""
    from pyspark.sql import functions as sf

    return (
        spark.read.schema(RAW_SCHEMA)
        .parquet(uri(readings))
        .groupBy(*CONTENT)
        .agg(sf.min(sf.struct(*ARRIVAL)).alias("arrival"), sf.min("batch_id").alias("batch_id"))
        .where(sf.col("batch_id") == batch_id)
        .select(*CONTENT, "arrival.*", "batch_id", sf.date_format("event_timestamp", "yyyy-MM").alias("event_month"))
    )


def _move(source: Path, target: Path) -> None:
    """Move the files of each month's folder, under names that are unique to their source."""
    for file in source.glob("event_month=*/*.parquet"):
        month = target / file.parent.name
        month.mkdir(exist_ok=True)
        file.rename(month / f"{source.name}-{file.name}")


def _keep_rejected(messages: Sequence[Path], quarantine: Path, batch_id: int) -> None:
    """Keep the rejected messages of a batch in one file, by the day that the batch was published, as landing does.

    A new quarantine begins with an empty file, so that readers need not ask whether it exists.
    """
    name = f"batch-{batch_id:06d}.parquet"
    if any(quarantine.glob(f"publish_date=*/{name}")):
        return
    with task_duckdb() as connection:
        found = connection.execute(
            f"select strftime(min(publish_time), '%Y-%m-%d'), count(error) from {parquet_table(messages)}"
        ).fetchone()
    assert found is not None
    day, rejected = found
    if not rejected and any(quarantine.glob("publish_date=*/*.parquet")):
        return
    folder = quarantine / f"publish_date={day}"
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_write(folder / name) as temporary:
        write(f"from {parquet_table(messages)} where error is not null", temporary)


def _rows(batch: Path) -> int:
    import pyarrow.parquet as pq

    return sum(pq.read_metadata(file).num_rows for file in batch.glob("*/*.parquet"))
