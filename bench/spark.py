"""Spark's refining against the least that Spark and a Pulsar client do: read the same events and write Parquet."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from bench import Figure

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from dev.pulsar_broker import Broker

COPIES = 12  # of the demo, as stores of their own: so many events that what a micro-batch costs in any case is little
WARM_UP = 2  # rounds in which Java still compiles what it runs
ROUNDS = 3
PUBLISHED = 400_000
EVENT_SCHEMA = (
    "product_id string, category string, store_location string, quantity bigint, price double, "
    "event_timestamp timestamp"
)


def run() -> Iterator[Figure]:
    """Refining from landing and from Pulsar: repeats, months, quarantine and commit; and the features beside it."""
    from dev.pulsar_broker import missing_prerequisites, running
    from ingest.refining.spark_job import session

    with TemporaryDirectory() as folder:
        data_dir = Path(folder)
        events = _events(data_dir)
        spark = session("local[*]")
        plain, landed = _alternately(
            lambda: (_plain_spark(spark, events, data_dir),), lambda: _refine(spark, data_dir, {}, "landing")
        )
        lines = sum(1 for _ in events.open("rb"))
        for name, seconds, goal in (
            ("refining landed events, without features", landed[0], "≥ 0.8"),
            ("refining landed events, with features", sum(landed), ""),
        ):
            yield Figure(
                name,
                f"{lines / seconds:,.0f} events/s",
                f"plain Spark reading JSON and writing Parquet, {lines / plain[0]:,.0f} events/s",
                plain[0] / seconds,
                goal,
            )
        yield Figure(
            "features of refined events, in the same run",
            f"{lines / landed[1]:,.0f} events/s, {landed[1] / sum(landed):.0%} of the time of both",
        )
        lacking = missing_prerequisites()
        if lacking:
            yield Figure("refining from Pulsar", lacking)
            return
        with running(data_dir / "broker") as broker:
            options = _publish(broker, events)
            loop, streamed = _alternately(
                lambda: (_plain_loop(broker.service_url, options["topic"], data_dir),),
                lambda: _refine(spark, data_dir, options, "pulsar"),
            )
            yield Figure(
                "refining from Pulsar, without features",
                f"{PUBLISHED / streamed[0]:,.0f} events/s",
                "one process reading each partition after the other, decoding and writing Parquet, "
                f"{PUBLISHED / loop[0]:,.0f} events/s",
                loop[0] / streamed[0],
                "≥ 0.8",
            )
        spark.stop()


def _events(data_dir: Path) -> Path:
    """Demo events several times over, in the order of time, as NDJSON and landed."""
    demo, events = data_dir / "demo.ndjson", data_dir / "events.ndjson"
    inventory = Path(sys.executable).with_name("inventory")
    subprocess.run([inventory, "generate-data", "--profile", "demo", "--out", demo], check=True, capture_output=True)
    with demo.open("rb") as lines, events.open("wb") as file:
        while some := b"".join(lines.readlines(1_000_000)):
            for copy in range(COPIES):
                file.write(some.replace(b"Store_", b"Store_%d" % copy))
    subprocess.run([inventory, "load", "--source", events, "--data-dir", data_dir], check=True, capture_output=True)
    return events


def _alternately(
    baseline: Callable[[], tuple[float, ...]], ours: Callable[[], tuple[float, ...]]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The median seconds of each's parts, run in turns, so that a burst of load on the machine slows both."""
    rounds = [(baseline(), ours()) for _ in range(WARM_UP + ROUNDS)][WARM_UP:]
    one, other = (tuple(map(median, zip(*side, strict=True))) for side in zip(*rounds, strict=True))
    return one, other


def _plain_spark(spark: SparkSession, events: Path, data_dir: Path) -> float:
    target = data_dir / "plain"
    shutil.rmtree(target, ignore_errors=True)
    started = time.monotonic()
    spark.read.schema(EVENT_SCHEMA).json(f"file://{events}").write.parquet(f"file://{target}")
    return time.monotonic() - started


def _refine(spark: SparkSession, data_dir: Path, pulsar: dict[str, str], source: str) -> tuple[float, float]:
    """The seconds of refining, from the start of the query to its end, and those of its features."""
    from ingest.refining import refinement
    from ingest.refining.features import update_features
    from ingest.refining.spark_job import bind_source, land

    target = data_dir / f"from-{source}"
    shutil.rmtree(target, ignore_errors=True)
    (target / "raw").mkdir(parents=True)
    if not pulsar:
        (target / "landing").symlink_to(data_dir / "landing")
    bind_source(target / "raw", pulsar)
    features = 0.0

    def timed(raw: Path) -> None:
        nonlocal features
        began = time.monotonic()
        update_features(raw)
        features += time.monotonic() - began

    setattr(refinement, "update_features", timed)  # noqa: B010
    started = time.monotonic()
    land(spark, target, pulsar, once=True)
    seconds = time.monotonic() - started
    setattr(refinement, "update_features", update_features)  # noqa: B010
    return seconds - features, features


def _publish(broker: Broker, events: Path) -> dict[str, str]:
    from dev.pulsar_broker import create_topic
    from ingest.events import READINGS, Rejection
    from ingest.pulsar.publisher import publish_events

    topic = "persistent://public/default/bench"
    create_topic(broker, topic, 2)
    now = datetime.now(UTC)
    with events.open("rb") as lines:
        good = (line for line in lines if not isinstance(READINGS.decode(line, now), Rejection))
        publish_events(broker.service_url, topic, islice(good, PUBLISHED))
    return {"url": broker.service_url, "topic": topic, "subscription": "inventory-land"}


def _plain_loop(url: str, topic: str, data_dir: Path) -> float:
    import msgspec
    import pulsar
    import pyarrow as pa
    import pyarrow.parquet as pq

    from ingest.pulsar.connection import connected, settings

    started = time.monotonic()
    with connected(settings(url)) as client:
        for partition in client.get_topic_partitions(topic):
            reader = client.create_reader(partition, pulsar.MessageId.earliest, receiver_queue_size=20_000)
            rows = []
            while reader.has_message_available():
                rows.append(msgspec.json.decode(reader.read_next().data()))
            pq.write_table(pa.Table.from_pylist(rows), data_dir / "loop.parquet", compression="zstd")
    return time.monotonic() - started
