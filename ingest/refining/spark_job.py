"""`inventory land`: refine messages into raw Parquet with Spark Structured Streaming.

The messages come from the landing folder, or directly from a Pulsar topic. Spark's checkpoint says which of them are
refined. The source of a data folder never changes.
"""

from __future__ import annotations

import os
import shutil
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

import click

from ingest.durable_files import (
    TEMPORARY,
    ExchangeError,
    FolderBusyError,
    atomic_write,
    exchange,
    file_lock,
    sync_folder,
    sync_tree,
)
from ingest.landing.sources import full_topic
from ingest.landing.withdrawals import record, recorded, withdrawals
from ingest.pulsar.connection import READINGS_TOPIC, PulsarError, connected, settings
from ingest.refining.features import update_features
from ingest.refining.java import java_environment
from ingest.refining.raw import temporary_for, uri
from ingest.refining.refinement import refine
from ingest.times import AgeError, max_age

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

LANDING = "landing"
UNFINISHED = f"{TEMPORARY}raw"  # where raw is refined again, until it replaces the old one
OWNER = "_source"
BINARY_FILE = "path string, modificationTime timestamp, length bigint, content binary"
BYTES_PER_BATCH = 512_000_000  # so that a long backlog is committed in parts
SECONDS_BETWEEN_LOOKS = 5  # at the withdrawals, while a query runs
STANDALONE = "spark://"
SECONDS_TO_ANSWER = 5
CREDENTIAL_FILES = ["PULSAR_TOKEN_FILE", "PULSAR_TLS_TRUST_CERTS"]  # the same paths on every executor


@click.command()
@click.option("--source", type=click.Choice([LANDING, "pulsar"]), default=LANDING, show_default=True)
@click.option("--url", envvar="PULSAR_URL", help="Pulsar's service URL, for --source pulsar")
@click.option("--topic", envvar="PULSAR_TOPIC", default=READINGS_TOPIC, show_default=True, help="For --source pulsar")
@click.option(
    "--subscription",
    default="inventory-land",
    show_default=True,
    help="Holds the topic's backlog until it is refined; each data folder that reads the topic needs one of its own.",
)
@click.option("--once", is_flag=True, help="Stop when all that is there now is refined; else go on until stopped.")
@click.option("--master", default="local[*]", show_default=True, help="Spark master")
@click.option("--data-dir", type=click.Path(path_type=Path), envvar="INVENTORY_DATA_DIR", default="data")
def command(
    source: str, url: str | None, topic: str, subscription: str, once: bool, master: str, data_dir: Path
) -> None:
    """Refine messages into raw Parquet: good readings, exact repeats removed, by month; features; quarantine."""
    if source == LANDING:
        options: dict[str, str] = {}
        if not any((data_dir / "landing").glob("publish_date=*/*.parquet")):
            raise click.ClickException(f"{data_dir / 'landing'}: nothing is landed yet. Run `inventory load` first.")
    else:
        options = {"url": url or "", "topic": full_topic(topic), "subscription": subscription}
    try:
        max_age()
        if options:
            with connected(settings(url)) as client:  # Spark would take long to say that there is no broker
                client.get_topic_partitions(options["topic"])
        with file_lock(data_dir / "raw", "refining"):
            bind_source(data_dir / "raw", options)
            spark = session(master)
            try:
                land(spark, data_dir, options, once=once)
            finally:
                spark.stop()
    except (AgeError, FolderBusyError, PulsarError, ExchangeError) as error:
        raise click.ClickException(str(error)) from error


def land(spark: SparkSession, data_dir: Path, pulsar: dict[str, str], *, once: bool) -> None:
    """Refine what the data folder's landing holds or, given options of a Pulsar source, what the topic holds.

    The caller holds raw (`file_lock`) and has bound it to its source (`bind_source`). Raises click.ClickException where
    Spark stops, ExchangeError where raw cannot be replaced.
    """
    data_dir = data_dir.resolve()
    raw = data_dir / "raw"
    shutil.rmtree(data_dir / UNFINISHED, ignore_errors=True)
    is_outdated = not pulsar and _is_outdated(raw)
    with ExitStack() as held:
        while True:
            if is_outdated:
                held.enter_context(_refined_without_withdrawn(spark, data_dir))
            is_outdated = _refine_stream(spark, data_dir, raw, pulsar, once=once)
            if not is_outdated:
                return


def _is_outdated(raw: Path) -> bool:
    """Whether anything was withdrawn or restored since raw was set up."""
    return withdrawals(raw.parent).ranges != recorded(raw).ranges


@contextmanager
def _refined_without_withdrawn(spark: SparkSession, data_dir: Path) -> Iterator[None]:
    """Refine everything landed except what is withdrawn, replace raw by the result in one step, and hold it.

    A reading that other messages brought as well stays, by the first of those to arrive.
    """
    raw, temporary = data_dir / "raw", data_dir / UNFINISHED
    applied = withdrawals(data_dir)
    click.echo("  the withdrawn messages changed: everything landed is refined again", err=True)
    with file_lock(temporary, "refining"):
        try:
            record(temporary, applied)
            bind_source(temporary, {})
            _refine_stream(spark, data_dir, temporary, {}, once=True)
            sync_tree(temporary)
            exchange(temporary, raw)  # the commit point
            sync_folder(data_dir)
        finally:
            shutil.rmtree(temporary)  # raw as it was before or, after an error, what is unfinished
        yield


def _refine_stream(spark: SparkSession, data_dir: Path, raw: Path, pulsar: dict[str, str], *, once: bool) -> bool:
    """Refine what is there now (`once`), or go on until the query stops.

    Return whether it stopped because the withdrawals changed.
    """
    from pyspark.errors import StreamingQueryException

    (raw / "readings").mkdir(parents=True, exist_ok=True)
    update_features(raw)  # batches from before there were features
    received = temporary_for(raw / "received")
    pulsar = pulsar and {**pulsar, "folder": str(received)}
    arriving = _from_pulsar(spark, pulsar) if pulsar else _from_landing(spark, data_dir / "landing")

    batch_lock, closed = Lock(), False

    def process_batch(files: DataFrame, batch_id: int) -> None:
        with batch_lock:
            if closed:
                raise RuntimeError("the withdrawn messages changed")
            received.mkdir(exist_ok=True)
            messages = [Path(file.path.removeprefix("file:")) for file in files.collect()]
            refine(spark, messages, raw, batch_id, data_dir / "quarantine" if pulsar else None)
            shutil.rmtree(received, ignore_errors=True)  # a task that Spark gave up may still write there

    writer = arriving.writeStream.option("checkpointLocation", uri(raw / "_checkpoint")).foreachBatch(process_batch)
    # An interval would be waited for by the clock of the machine, for hours where that is set back. Without one, Spark
    # pauses for its polling delay where nothing has arrived.
    writer = writer.trigger(availableNow=True) if once else writer.trigger(processingTime="0 seconds")
    query = writer.start()
    try:
        while not query.awaitTermination(SECONDS_BETWEEN_LOOKS):
            if not once and not pulsar and _is_outdated(raw):
                with batch_lock:  # Spark does not wait for a batch that is under way in Python
                    closed = True
                query.stop()
                return True
    except StreamingQueryException as error:
        reasons = [line.strip() for line in str(error).splitlines() if "Error: " in line or "Exception: " in line]
        raise click.ClickException(
            f"refining stopped: {(reasons or [str(error)])[-1]}\nWhat was committed stays; run it again to go on."
        ) from error
    progress = query.lastProgress
    if pulsar and progress is not None and progress.sources[0].endOffset:
        from ingest.pulsar.source import acknowledge

        # Spark commits a batch to its source when the next one begins, and this was the last one
        acknowledge(pulsar, progress.sources[0].endOffset)
    return False


def session(master: str) -> SparkSession:
    """A Spark session with the project's settings; on this machine it is reached through loopback alone.

    The executors of a cluster run this Python, at the same path; PYSPARK_PYTHON names another. Raises
    click.ClickException where the master is away.
    """
    check_master(master)
    is_local = master.startswith("local")
    os.environ.update(java_environment(), SPARK_CONF_DIR=str(Path(__file__).with_name("spark_conf")))
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    if is_local:
        os.environ.update(PYSPARK_PYTHON=sys.executable, SPARK_LOCAL_IP="127.0.0.1")
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master(master).appName("inventory-land")
    if is_local:
        builder = builder.config("spark.driver.host", "127.0.0.1")
    for variable in filter(os.environ.get, CREDENTIAL_FILES):
        builder = builder.config(f"spark.executorEnv.{variable}", os.environ[variable])
    return builder.getOrCreate()


def check_master(master: str) -> None:
    """Raise click.ClickException if a standalone master is away; Spark itself would take a minute to say so."""
    if not master.startswith(STANDALONE):
        return
    for address in master.removeprefix(STANDALONE).split(","):
        host, _, port = address.rpartition(":")
        try:
            socket.create_connection((host, int(port)), SECONDS_TO_ANSWER).close()
        except (OSError, ValueError):
            continue
        return
    raise click.ClickException(
        f"no Spark master answers at {master}. Start it, or leave --master out to use this machine alone."
    )


def _from_landing(spark: SparkSession, landing: Path) -> DataFrame:
    """The names of landed files; Spark reads none of their content for it."""
    reader = spark.readStream.format("binaryFile").schema(BINARY_FILE).option("recursiveFileLookup", "true")
    return reader.option("maxBytesPerTrigger", BYTES_PER_BATCH).load(uri(landing)).select("path")


def _from_pulsar(spark: SparkSession, pulsar: dict[str, str]) -> DataFrame:
    """The names of files to which the executors write a topic's messages."""
    from ingest.pulsar.source import PulsarSource

    spark.dataSource.register(PulsarSource)
    return spark.readStream.format(PulsarSource.name()).options(**pulsar).load()


def bind_source(raw: Path, pulsar: dict[str, str]) -> None:
    """Bind raw to one source, since the checkpoint of one source knows nothing of what another brought.

    Raises click.ClickException where raw is bound to another source, or where its checkpoint is lost.
    """
    import pyarrow.parquet as pq

    source = f"topic {pulsar['topic']}" if pulsar else LANDING
    checkpoint, readings = raw / "_checkpoint", raw / "readings"
    if not any((checkpoint / "offsets").glob("[0-9]*")):
        if any(readings.glob("batch-*")):
            raise click.ClickException(
                f"{readings} holds batches but {checkpoint} does not know them: events would be refined twice. "
                f"Move {raw} away to refine everything again, or bring the checkpoint back."
            )
        shutil.rmtree(checkpoint, ignore_errors=True)  # left by a run that ended before its first batch
    elif owner(raw) != source:
        raise click.ClickException(
            f"{raw} belongs to {owner(raw)}, not to {source}: a data folder has one source. Name another folder with "
            f"--data-dir (or INVENTORY_DATA_DIR), or move {raw} away to fill it again."
        )
    newest = max(readings.glob("batch-*/*/*.parquet"), default=None)
    if newest is not None and "batch_id" not in pq.read_schema(newest).names:
        raise click.ClickException(
            f"{readings} was written by an older version, without batch_id. Move {raw} and {raw.parent / 'warehouse'} "
            "away; both are made again from landing."
        )
    with atomic_write(raw / OWNER) as temporary:
        temporary.write_text(source)


def owner(raw: Path) -> str | None:
    """The source that raw belongs to, None where it has not been filled yet."""
    path = raw / OWNER
    if path.exists():
        return path.read_text()
    return LANDING if (raw / "_checkpoint").exists() else None
