"""The first step of `inventory build --shards`: Spark's tasks run dbt, each with the readings of some stores.

Each task has a DuckDB of its own on its machine's disk, and builds what the selector `shard` names. Before, the stores
are divided, so that shards have as many readings as each other, and the clock is read, which all of them share.
Afterwards dbt takes their tables together (`take_shards`) and builds what reads several stores.
"""

from __future__ import annotations

import heapq
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import click

from ingest.durable_files import TEMPORARY, atomic_write
from ingest.sql import parquet_table, quoted

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import SparkSession

ROOT = Path(__file__).parents[1]
BYTES_PER_TASK = 64_000_000  # of raw, some three million readings
SECONDS_BETWEEN_REPORTS = 5
FAILURE_LENGTH = 2000  # of dbt's last words
SETTINGS = ("INVENTORY_DETECTORS", "INVENTORY_MAX_AGE_YEARS")  # what the project reads from the environment
NOT_SHARED = {"raw", "warehouse", "export", "dbt"}  # what a shard has of its own, or does not need


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
        _divide(spark, data_dir / "raw" / "readings", shards_of(stores, count), folder)
        warehouses = _build(spark, data_dir, folder, newest, count)
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
            batch = _readings_of(folder, copy.name.removeprefix("shard=")) / f"batch-{copy.parent.name}"
            batch.mkdir(parents=True)
            copy.rename(batch / copy.name)


def _readings_of(folder: Path, shard: str) -> Path:
    return folder / f"shard-{shard}"


def _build(spark: SparkSession, data_dir: Path, folder: Path, newest: str, count: int) -> list[Path]:
    from ingest.refining.tasks import in_tasks

    settings = {name: os.environ[name] for name in SETTINGS if name in os.environ}
    build = partial(_build_shard, data_dir, folder, newest, settings)
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


# ---------------------------------------------------------------- in Spark's tasks


def _build_shard(
    data_dir: Path, folder: Path, newest: str, settings: Mapping[str, str], shard: str
) -> Iterator[pa.RecordBatch]:
    """Run dbt for a shard and yield its number and its warehouse, or what dbt said when it failed.

    Only warehouses whose names Spark returns are used, so that an attempt which Spark has given up harms none.
    """
    import pyarrow as pa

    warehouse, failure = folder / f"{shard}-{uuid4().hex}.duckdb", None
    with tempfile.TemporaryDirectory(prefix="inventory-shard-") as work:
        own = Path(work)
        _link(data_dir, _readings_of(folder, shard), own)
        build = [sys.executable, "-c", "from dbt.cli.main import cli; cli()", "build", "--selector", "shard"]
        options = ["--exclude-resource-type", "unit_test", "--target", "shard", "--quiet"]
        places = ["--project-dir", str(ROOT), "--profiles-dir", str(ROOT)]
        shared = ["--vars", json.dumps({"newest_reading_at": newest})]
        environment = {
            **os.environ,
            **settings,
            "INVENTORY_DATA_DIR": work,
            "INVENTORY_SHARD_MEMORY": _memory_per_core(),
            "DBT_TARGET_PATH": str(own / "dbt/target"),
            "DBT_LOG_PATH": str(own / "dbt/logs"),
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        }
        dbt = subprocess.run(
            [*build, *options, *places, *shared], env=environment, capture_output=True, text=True, check=False
        )
        if dbt.returncode:
            failure = (dbt.stdout + dbt.stderr)[-FAILURE_LENGTH:]
        else:
            with atomic_write(warehouse) as temporary:
                shutil.copyfile(own / "warehouse/inventory.duckdb", temporary)
    yield pa.RecordBatch.from_pydict({"shard": [shard], "warehouse": [str(warehouse)], "failure": [failure]})


def _link(data_dir: Path, readings: Path, own: Path) -> None:
    """A data folder that holds the readings of one shard, and all else that the whole one holds."""
    (own / "raw").mkdir()
    shared = [entry for entry in data_dir.iterdir() if entry.name not in NOT_SHARED]
    shared += [entry for entry in (data_dir / "raw").iterdir() if entry.name != "readings"]
    for entry in shared:
        (own / entry.relative_to(data_dir)).symlink_to(entry)
    (own / "raw/readings").symlink_to(readings)


def _memory_per_core() -> str:
    """DuckDB's share of this machine where each core runs a task; a quarter is left to Python and Spark."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return f"{memory * 3 // 4 // (os.cpu_count() or 1) // 2**20}MiB"
