"""Spark straight from a real topic: what is published is in raw or in quarantine, once, whatever is killed when."""

from __future__ import annotations

import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from urllib.request import urlopen
from uuid import uuid4

import click
import duckdb
import msgspec
import pulsar
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from dev.pulsar_broker import Broker, create_topic, raise_partitions
from ingest.durable_files import file_lock
from ingest.landing.commit import MessageId
from ingest.pulsar.connection import SUBSCRIPTION as LOADER
from ingest.pulsar.connection import connected, settings
from ingest.pulsar.publisher import publish
from ingest.pulsar.source import PulsarStreamReader, Span
from ingest.refining.spark_job import bind_source, command, land

ROOT = Path(__file__).parents[3]
SUBSCRIPTION = "inventory-land"
Options = dict[str, str]


def event(number: int) -> bytes:
    return msgspec.json.encode(
        {
            "product_id": f"P{number % 13}",
            "category": "Toys",
            "store_location": f"Store_{number % 3}",
            "quantity": number,
            "price": 2.5,
            "event_timestamp": (datetime(2026, 1 + number % 2, 3) + timedelta(seconds=number)).isoformat() + "Z",
        }
    )


def broken(number: int) -> bytes:
    return b"\xff no reading %d" % number


def mixed(first: int, count: int) -> list[bytes]:
    """Readings, a tenth of them no readings and a tenth published twice."""
    lines = [broken(number) if number % 10 == 3 else event(number) for number in range(first, first + count)]
    return [line for number, line in enumerate(lines) for _ in range(2 if number % 10 == 7 else 1)]


@pytest.fixture
def topic(broker: Broker) -> str:
    name = f"persistent://public/default/readings-{uuid4().hex[:8]}"
    create_topic(broker, name, 3)
    return name


def send(broker: Broker, topic: str, lines: Sequence[bytes], **producer_settings: object) -> None:
    with connected(settings(broker.service_url)) as client:
        keyed = ((f"P{number % 13}", line) for number, line in enumerate(lines))
        assert publish(client, topic, keyed, **producer_settings) == len(lines)


def options(broker: Broker, topic: str) -> Options:
    return {"url": broker.service_url, "topic": topic, "subscription": SUBSCRIPTION}


def refine(spark, data_dir: Path, pulsar_options: Options) -> None:
    with file_lock(data_dir / "raw", "refining"):
        bind_source(data_dir / "raw", pulsar_options)
        land(spark, data_dir, pulsar_options, once=True)


def assert_exact(data_dir: Path, lines: Sequence[bytes]) -> None:
    """Published = refined + quarantined: readings once each, however often published; no reading as often as sent."""
    readings = duckdb.sql(
        "select product_id, store_location, quantity, "
        "strftime(event_timestamp at time zone 'UTC', '%Y-%m-%dT%H:%M:%SZ') "
        f"from read_parquet('{data_dir}/raw/readings/batch-*/*/*.parquet')"
    ).fetchall()
    expected = {
        (row["product_id"], row["store_location"], row["quantity"], row["event_timestamp"])
        for line in lines
        if not line.startswith(b"\xff")
        for row in [json.loads(line)]
    }
    assert Counter(readings) == Counter(expected)
    quarantined = duckdb.sql(
        "select raw, error is not null, product_id is null, topic, partition, ledger_id, entry_id, batch_index "
        f"from read_parquet('{data_dir}/quarantine/publish_date=*/*.parquet')"
    ).fetchall()
    assert Counter(raw for raw, *_ in quarantined) == Counter(line for line in lines if line.startswith(b"\xff"))
    assert all(has_reason and is_empty for _, has_reason, is_empty, *_ in quarantined)
    assert len({row[3:] for row in quarantined}) == len(quarantined)


def backlog(broker: Broker, topic: str, subscription: str = SUBSCRIPTION) -> int:
    """How many entries the broker holds for a subscription; those of the loader's, which never ran, are all."""
    path = topic.replace("://", "/")
    with urlopen(f"{broker.admin_url}/admin/v2/{path}/partitioned-stats") as answer:
        counted: int = json.load(answer)["subscriptions"][subscription]["msgBacklog"]
        return counted


@pytest.mark.parametrize("batched", [True, False], ids=["in batches", "one by one"])
def test_a_span_is_exact_to_the_message_of_a_batch(broker, tmp_path, batched):
    topic = f"persistent://public/default/spans-{uuid4().hex[:8]}"
    create_topic(broker, topic)
    with connected(settings(broker.service_url)) as client:
        producer = client.create_producer(
            topic, batching_enabled=batched, batching_max_messages=4, batching_max_publish_delay_ms=1000
        )
        for number in range(14):
            producer.send_async(event(number), None)
        producer.flush()
    reader = PulsarStreamReader({**options(broker, topic), "folder": str(tmp_path)})
    (everything,) = reader.partitions({}, reader.latestOffset({}, None))  # type: ignore[arg-type]

    def read(after: MessageId | None, last: MessageId) -> list[tuple[MessageId, int]]:
        return [
            (MessageId(row["ledger_id"], row["entry_id"], row["batch_index"]), row["quantity"])
            for batch in reader.read(Span(everything.partition_topic, after, last))
            for name in batch["path"].to_pylist()
            for row in pq.read_table(name).to_pylist()
        ]

    found = read(None, everything.last)
    ids = [id_ for id_, _ in found]
    assert [quantity for _, quantity in found] == list(range(14))
    assert len({entry for _, entry, _ in ids}) == (4 if batched else 14)
    for after, last in itertools.combinations(range(14), 2):
        if after % 3 == 0:  # every place in a batch comes up as the one and as the other
            assert read(ids[after], ids[last]) == found[after + 1 : last + 1]
    reader.stop()


def test_all_that_is_published_is_refined_or_quarantined_once_and_acknowledged(spark, broker, topic, tmp_path):
    lines = mixed(0, 3000)
    send(broker, topic, lines[:2000], compression_type=pulsar.CompressionType.ZSTD)
    send(broker, topic, lines[2000:])
    refine(spark, tmp_path, options(broker, topic))
    assert_exact(tmp_path, lines)
    assert backlog(broker, topic) == 0
    before = sorted(tmp_path.rglob("*.parquet"))
    refine(spark, tmp_path, options(broker, topic))
    assert sorted(tmp_path.rglob("*.parquet")) == before

    # more partitions, more messages, and some that were published before
    raise_partitions(broker, topic, 5)
    more = [*mixed(3000, 500), *lines[100:300]]
    send(broker, topic, more)
    refine(spark, tmp_path, options(broker, topic))
    assert_exact(tmp_path, [*lines, *more])
    partitions = duckdb.sql(
        f"select distinct partition from read_parquet('{tmp_path}/raw/readings/batch-*/*/*.parquet')"
    ).fetchall()
    assert {partition for (partition,) in partitions} > {0, 1, 2}
    assert backlog(broker, topic) == 0


@pytest.mark.parametrize("step", ["between write and rename", "between rename and Spark's commit"])
def test_killed_around_the_commit_point_nothing_is_lost_or_doubled(spark, broker, topic, tmp_path, step):
    lines = mixed(0, 600)
    send(broker, topic, lines)
    place = {
        "between write and rename": "refinement.commit",
        "between rename and Spark's commit": "refinement.click.echo",
    }
    killer = textwrap.dedent(f"""
        import os, signal
        from ingest.refining import refinement, spark_job
        {place[step]} = lambda *arguments, **settings: os.killpg(os.getpgrp(), signal.SIGKILL)
        spark_job.command()
    """)
    arguments = ["--source", "pulsar", "--topic", topic, "--url", broker.service_url, "--data-dir", tmp_path, "--once"]
    killed = subprocess.run([sys.executable, "-c", killer, *arguments], check=False, start_new_session=True)
    assert killed.returncode == -signal.SIGKILL
    committed = list(tmp_path.glob("raw/readings/batch-*"))
    assert len(committed) == (0 if step == "between write and rename" else 1)
    # nothing is acknowledged that Spark has not committed
    assert backlog(broker, topic) == backlog(broker, topic, LOADER) > 0
    more = mixed(600, 100)
    send(broker, topic, more)
    refine(spark, tmp_path, options(broker, topic))
    assert_exact(tmp_path, [*lines, *more])
    assert backlog(broker, topic) == 0


@contextmanager
def running(*arguments: object) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [ROOT / ".venv/bin/inventory", "land", *map(str, arguments)],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_killed_at_random_times_while_messages_come_nothing_is_lost_or_doubled(spark, broker, topic, tmp_path):
    chance, lines = random.Random(7), []
    for _ in range(2):
        with running(
            "--source", "pulsar", "--topic", topic, "--url", broker.service_url, "--data-dir", tmp_path
        ) as job:
            assert job.stderr is not None
            for _ in range(chance.randint(1, 2)):
                more = mixed(len(lines), 200)
                send(broker, topic, more)
                lines += more
                while " readings refined" not in (line := job.stderr.readline()):
                    assert line, "it ended by itself"
            time.sleep(chance.uniform(0, 2))
            send(broker, topic, more := mixed(len(lines), 50))
            lines += more
            time.sleep(chance.uniform(0, 6))
    refine(spark, tmp_path, options(broker, topic))
    assert_exact(tmp_path, lines)


def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(command, list(map(str, arguments)), env={"PULSAR_URL": "", "PULSAR_TOPIC": ""})
    return result.exit_code, result.output


def test_a_data_folder_has_one_source(tmp_path):
    raw = tmp_path / "raw"
    raw.mkdir()
    bind_source(raw, {})
    bind_source(raw, {"topic": "readings"})  # nothing was refined yet
    (raw / "_checkpoint/offsets").mkdir(parents=True)
    (raw / "_checkpoint/offsets/0").touch()
    bind_source(raw, {"topic": "readings"})
    for other in ({}, {"topic": "other"}):
        with pytest.raises(click.ClickException, match=r"belongs to topic readings.*INVENTORY_DATA_DIR"):
            bind_source(raw, other)
    shutil.rmtree(raw / "_checkpoint")
    (raw / "readings/batch-000000").mkdir(parents=True)
    with pytest.raises(click.ClickException, match="refined twice"):
        bind_source(raw, {"topic": "readings"})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ((), "PULSAR_URL"),
        (("--url", "pulsar://127.0.0.1:1", "--topic", "readings"), "no broker can be reached"),
    ],
)
def test_what_is_missing_is_reported_before_spark_starts(tmp_path, settings, message):
    code, output = run("--source", "pulsar", *settings, "--data-dir", tmp_path)
    assert code != 0
    assert message in output
    assert not (tmp_path / "raw/_source").exists()
