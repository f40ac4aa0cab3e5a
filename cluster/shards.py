"""The first step of `inventory build --shards`: Spark's tasks run dbt, each with the readings of some stores.

Each task has a DuckDB of its own on its machine's disk, and builds what the selector `shard` names. Before, the stores
are divided, so that shards have as many readings as each other, and the clock is read, which all of them share.
Afterwards dbt takes their tables together (`take_shards`) and builds what reads several stores.
"""

from __future__ import annotations

import heapq
import os
import shutil
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cluster.shard import build_shard, project_parsed, readings_of
from ingest.durable_files import TEMPORARY
from ingest.sql import parquet_table, quoted

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

BYTES_PER_TASK = 64_000_000  # of raw, some three million readings
SECONDS_BETWEEN_REPORTS = 5
# what the project reads from the environment: where a task had others than the driver, it would parse for itself
SETTINGS = ("INVENTORY_CURRENCY", "INVENTORY_DETECTORS", "INVENTORY_MAX_AGE_YEARS")


class ShardError(Exception):
    """The shards cannot be built. The message says why and what to do."""


@contextmanager
def built_shards(spark: SparkSession, data_dir: Path, readings: str, count: int) -> Iterator[list[Path]]:
    """Build `count` shards and yield their warehouses, which are removed at the end.

    `readings` is the query of the staging model, so that the clock is that of the readings which it lets through. The
    caller holds the warehouse. Raises ShardError.
    """
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    stores, newest = _stores(readings)
    if count > len(stores):
        raise ShardError(f"{count} shards are more than the {len(stores)} stores. Build with --shards {len(stores)}.")
    folder = data_dir / "warehouse" / f"{TEMPORARY}shards"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        settings = {name: os.environ[name] for name in SETTINGS if name in os.environ}
        with project_parsed(folder, newest, settings):
            _divide(spark, data_dir / "raw" / "readings", shards_of(stores, count), folder)
        warehouses = _build(spark, data_dir, folder, newest, settings, count)
    except (PySparkException, Py4JError) as error:
        reason = str(error).splitlines()[0]
        raise ShardError(f"Spark gave up: {reason}. What is published stays as it was.") from error
    yield warehouses
    shutil.rmtree(folder, ignore_errors=True)  # a task that Spark gave up may still write there


def shards_of(stores: Mapping[str, int], count: int) -> dict[str, int]:
    """The shard of each store: the largest first, each to the shard with the fewest readings so far."""
    shards = [(0, shard) for shard in range(count)]
    chosen = {}
    for store in sorted(stores, key=lambda store: (-stores[store], store)):
        size, shard = shards[0]
        chosen[store] = shard
        heapq.heapreplace(shards, (size + stores[store], shard))
    return chosen


def _stores(readings: str) -> tuple[dict[str, int], str]:
    """How many readings each store has, and the timestamp of the newest of all."""
    import duckdb

    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        rows = connection.execute(
            f"select store_location, count(*), max(event_timestamp) from ({readings}) group by store_location"
        ).fetchall()
    if not rows:
        raise ShardError(
            "raw holds no reading whose timestamp can be right, so there is no store. Build without --shards."
        )
    return {store: size for store, size, _ in rows}, str(max(newest for _, _, newest in rows))


def _divide(spark: SparkSession, raw: Path, shards: Mapping[str, int], folder: Path) -> None:
    """Copy raw's readings to the shards, so that no task reads those of others."""
    from ingest.refining.refinement import MONTH
    from ingest.refining.tasks import copy_by, files_by_task, in_tasks

    rows = ", ".join(f"('{quoted(store)}', {shard})" for store, shard in shards.items())
    queries = [
        f"select readings.*, {MONTH} as event_month, shards.shard "
        f"from {parquet_table(files, 'union_by_name = true')} as readings "
        f"join (values {rows}) as shards (store_location, shard) using (store_location)"
        for files in files_by_task(sorted(raw.glob("batch-*/*/*.parquet")), BYTES_PER_TASK)
    ]
    copies = folder / "copies"
    copies.mkdir()
    for attempt in in_tasks(spark, queries, partial(copy_by, "shard", copies), "folder string").collect():
        for copy in Path(attempt.folder).glob("shard=*"):
            batch = readings_of(folder, copy.name.removeprefix("shard=")) / f"batch-{copy.parent.name}"
            batch.mkdir(parents=True)
            copy.rename(batch / copy.name)


def _build(
    spark: SparkSession, data_dir: Path, folder: Path, newest: str, settings: Mapping[str, str], count: int
) -> list[Path]:
    from ingest.refining.tasks import in_tasks

    build = partial(build_shard, data_dir, folder, newest, settings)
    numbers = [str(number) for number in range(count)]
    with ThreadPoolExecutor(1) as waiting:
        job = waiting.submit(in_tasks(spark, numbers, build, "shard string, warehouse string, failure string").collect)
        reported = 0
        while True:
            try:
                rows = job.result(SECONDS_BETWEEN_REPORTS)
                break
            except TimeoutError:
                if job.done():  # the error is its own
                    raise
                built = len({path.name.partition("-")[0] for path in folder.glob("*.duckdb")})
                if built > reported:
                    click.echo(f"  {built} of {count} shards are built", err=True)
                    reported = built
    failures = [row for row in rows if row.failure]
    if failures:
        click.echo(failures[0].failure, err=True)
        raise ShardError(f"{len(failures)} of {count} shards failed; see above. What is published stays as it was.")
    return [Path(row.warehouse) for row in rows]
