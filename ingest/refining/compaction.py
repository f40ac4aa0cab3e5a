"""`inventory compact`: fewer files in landing and raw, the same rows.

A folder is replaced as a whole: a new one is built beside it from hard links and merged files, the two are exchanged in
one step, and the old one is removed a moment later: a query that is just listing it would take what is not removed yet
for the whole. A merged file has a new name, in the subfolder of one of the files that it merges.
A query that runs meanwhile finds each row once, or fails because a file that it listed is gone. It never gets a wrong
count, and works when it is run again.
"""

from __future__ import annotations

import os
import shutil
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import groupby
from pathlib import Path
from typing import NamedTuple, TypeVar
from uuid import uuid4

import click

from ingest.durable_files import (
    TEMPORARY,
    ExchangeError,
    FolderBusyError,
    exchange,
    file_lock,
    sync_folder,
    sync_tree,
)
from ingest.landing.commit import landed_file, landed_name
from ingest.refining.checkpoint import forget_gone_files
from ingest.refining.raw import batch_id_of

FULL_BYTES = 128_000_000  # a file of this size is left as it is
ROWS_PER_GROUP = 122_880  # what DuckDB reads, and passes over, at a time
SECONDS_TO_LIST = 0.5  # a folder, for a query that has opened it
COMPACTED_TABLES = ["readings", "features"]
T = TypeVar("T")


class Merge(NamedTuple):
    """Files of one folder, in the order of their rows, and the name of the file that takes their place."""

    files: Sequence[Path]
    target: Path


@click.command()
@click.option("--master", default="local[*]", show_default=True, help="Spark master, to refine what is not refined yet")
@click.option("--data-dir", type=click.Path(path_type=Path), envvar="INVENTORY_DATA_DIR", default="data")
def command(master: str, data_dir: Path) -> None:
    """Merge the small files in landing, and those of all but the newest batch in raw."""
    if not (data_dir / "landing").exists() and not (data_dir / "raw").exists():
        raise click.ClickException(f"{data_dir}: holds neither landing nor raw. Check INVENTORY_DATA_DIR.")
    with failures_explained(data_dir):
        compact(data_dir, master)


@contextmanager
def failures_explained(data_dir: Path) -> Iterator[None]:
    """Raise what stops a compaction as click.ClickException."""
    try:
        yield
    except (FolderBusyError, ExchangeError) as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(
            f"{error.filename or data_dir}: {error.strerror}. What was there before is as it was."
        ) from error


def compact(data_dir: Path, master: str) -> None:
    """Merge the small files of a data folder.

    Raises FolderBusyError, with nothing changed, where readings are loaded or refined; ExchangeError; and OSError.
    Folders with other messages are left out while somebody loads into them.
    """
    landing, raw = data_dir / "landing", data_dir / "raw"
    with ExitStack() as held:
        if landing.exists():
            held.enter_context(file_lock(landing, "compacting"))
        held.enter_context(file_lock(raw, "compacting"))
        if landing_merges(landing):
            _refine_what_is_landed(data_dir, master)
            compact_landing(landing)
            forget_gone_files(raw)
        for table in COMPACTED_TABLES:
            compact_batches(raw / table)
    for folder in sorted(data_dir.glob("landing_*")):
        try:
            with file_lock(folder, "compacting"):
                compact_landing(folder)
        except FolderBusyError as busy:
            click.echo(f"  left as it is: {busy}", err=True)


def compact_landing(landing: Path) -> None:
    """Merge the landed files of each day, topic by topic and partition by partition, in id order.

    All of them must have been refined. The caller holds the folder (`file_lock`). Raises ExchangeError.
    """
    for day, merges in landing_merges(landing).items():
        replace(day, merges, finish=_hide_from_spark)


def landing_merges(landing: Path) -> dict[Path, list[Merge]]:
    """What there is to merge in each day's folder."""
    found = {}
    for day in sorted(landing.glob("publish_date=*")):
        files = sorted(
            map(landed_file, day.glob("*.parquet")), key=lambda file: (file.topic, file.partition, file.first)
        )
        merges = []
        for _, group in groupby(files, key=lambda file: (file.topic, file.partition, _ledger_of_a_file(file.path))):
            for run in _runs(group, lambda file: file.path):
                last = max(file.last for file in run)
                target = day / landed_name(run[0].topic, run[0].partition, run[0].first, last)
                while target.exists():  # a merged file has a name of its own
                    target = target.with_name(target.name.replace(".parquet", "~.parquet"))
                merges.append(Merge([file.path for file in run], target))
        if merges:
            found[day] = merges
    return found


def compact_batches(table: Path) -> None:
    """Merge the files of all but the newest batch of a table of raw, month by month.

    The newest batch stays: by its folder Spark's next run sees that it was committed. A merged file lies in the newest
    folder of those that it merges. The caller holds raw (`file_lock`). Raises ExchangeError.
    """
    batches = sorted(table.glob("batch-*"), key=batch_id_of)
    by_place: dict[Path, list[Path]] = defaultdict(list)
    for batch in batches[:-1]:
        for file in sorted(batch.rglob("*.parquet")):
            by_place[file.parent.relative_to(batch)].append(file)
    merges = [
        Merge(run, run[-1].with_name(f"part-{uuid4().hex}.parquet"))
        for files in by_place.values()
        for run in _runs(files, lambda file: file)
    ]
    if merges:
        replace(table, merges)


def replace(folder: Path, merges: Sequence[Merge], finish: Callable[[Path], None] = lambda _: None) -> None:
    """Replace a folder by one in which the files of each merge are one.

    `finish` is called with each merged file before it becomes visible.

    Raises ExchangeError where the file system cannot do it in one step, with nothing changed.
    """
    temporary = folder.with_name(f"{TEMPORARY}{folder.name}")
    shutil.rmtree(temporary, ignore_errors=True)
    merged = {file for merge in merges for file in merge.files}
    for file in folder.rglob("*.parquet"):
        if file not in merged:
            link = temporary / file.relative_to(folder)
            link.parent.mkdir(parents=True, exist_ok=True)
            try:
                link.hardlink_to(file)
            except OSError as error:
                raise ExchangeError(f"{folder}: this file system has no hard links; nothing was changed.") from error
    for merge in merges:
        target = temporary / merge.target.relative_to(folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        _write(merge.files, target)
        finish(target)
    sync_tree(temporary)
    exchange(temporary, folder)  # the commit point
    sync_folder(folder.parent)
    time.sleep(SECONDS_TO_LIST)
    shutil.rmtree(temporary)
    click.echo(f"  {folder}: {len(merged):,} files became {len(merges):,}", err=True)


def _refine_what_is_landed(data_dir: Path, master: str) -> None:
    """Refine everything landed, since a checkpoint in use passes over the merged files."""
    from ingest.refining.spark_job import LANDING, land, owner, session

    if owner(data_dir / "raw") != LANDING:
        return
    spark = session(master)
    try:
        land(spark, data_dir, {}, once=True)
    finally:
        spark.stop()


def _hide_from_spark(merged: Path) -> None:
    """Date a merged file before all others.

    Spark's file source passes over files a week older than its newest. A new checkpoint takes all files.
    """
    os.utime(merged, (0, 0))


def _ledger_of_a_file(landed: Path) -> int | None:
    """The ledger id of what came from a file, where it distinguishes files of one name; None for a topic."""
    import pyarrow.parquet as pq

    from ingest.landing.file_loader import DIGEST

    metadata = pq.read_schema(landed).metadata or {}
    return landed_file(landed).last.ledger_id if DIGEST.encode() in metadata else None


def _runs(files: Iterable[T], path: Callable[[T], Path]) -> Iterator[list[T]]:
    """Cut files, in their order, into runs that each become one file; a file that stays alone is left out."""
    run: list[T] = []
    size = 0
    for file in files:
        bytes_ = path(file).stat().st_size
        if run and size + bytes_ > FULL_BYTES:
            if len(run) > 1:
                yield run
            run, size = [], 0
        run.append(file)
        size += bytes_
    if len(run) > 1:
        yield run


def _write(files: Sequence[Path], target: Path) -> None:
    """Write the rows of files into one, in bounded memory, with the schema and metadata of the last.

    Versions of this project, and writers, differ in whether they call a column nullable.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pq.read_schema(files[-1])
    with pq.ParquetWriter(target, schema, compression="zstd") as writer:
        waiting: list[pa.RecordBatch] = []
        for file in files:
            for batch in pq.ParquetFile(file).iter_batches(batch_size=ROWS_PER_GROUP):
                waiting.append(batch.cast(schema))
                if sum(map(len, waiting)) >= ROWS_PER_GROUP:
                    writer.write_table(pa.Table.from_batches(waiting))
                    waiting = []
        if waiting:
            writer.write_table(pa.Table.from_batches(waiting))
