"""A real standalone Spark cluster, a master and a worker of their own: what it refines is what one machine refines."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.error import URLError
from urllib.request import urlopen
from uuid import uuid4

import duckdb
import msgspec
import pyspark
import pytest

from dev.pulsar_broker import Broker, create_topic, free_port
from ingest.durable_files import file_lock
from ingest.pulsar.publisher import publish_events
from ingest.refining.java import java_environment
from ingest.refining.spark_job import bind_source, land

ROOT = Path(__file__).parents[3]
INVENTORY = ROOT / ".venv/bin/inventory"
LOOPBACK = "127.0.0.1"
SECONDS_TO_START = 60


def lines(count: int) -> list[bytes]:
    """Readings, each third of them twice, and one line that is none."""
    events = [
        {
            "product_id": f"P{number % 7}",
            "category": "Toys",
            "store_location": f"Store_{number % 3}",
            "quantity": number,
            "price": 2.5,
            "event_timestamp": f"2026-{1 + number % 2:02d}-03T09:{number % 60:02d}:00Z",
        }
        for number in range(count)
    ]
    encoded = [msgspec.json.encode(event) for event in events]
    return [*encoded, *encoded[::3], b"broken"]


@contextmanager
def process(name: str, log: Path, *arguments: str) -> Iterator[None]:
    """A process of Spark's standalone cluster; it is killed at the end, whatever happens."""
    environment = {**os.environ, **java_environment(), "SPARK_LOCAL_IP": LOOPBACK, "SPARK_NO_DAEMONIZE": "1"}
    spark_class = Path(pyspark.__file__).parent / "bin/spark-class"
    with log.open("w") as output:
        started = subprocess.Popen(
            [spark_class, f"org.apache.spark.deploy.{name}", "--host", LOOPBACK, *arguments],
            env=environment,
            stdout=output,
            stderr=output,
        )
        try:
            yield
        finally:
            started.kill()
            started.wait()


class Cluster(NamedTuple):
    master: str
    work: Path  # where each application's executors leave their logs


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster, once a worker of two cores has joined its master."""
    port, page, folder = free_port(), free_port(), tmp_path_factory.mktemp("cluster")
    started = Cluster(f"spark://{LOOPBACK}:{port}", folder / "work")
    resources = ["--cores", "2", "--memory", "2g", "--work-dir", str(started.work), "--webui-port", str(free_port())]
    with ExitStack() as running:
        at = ["--port", str(port), "--webui-port", str(page)]
        running.enter_context(process("master.Master", folder / "master.log", *at))
        running.enter_context(process("worker.Worker", folder / "worker.log", *resources, started.master))
        given_up = time.monotonic() + SECONDS_TO_START
        while not joined(page):
            assert time.monotonic() < given_up, (folder / "worker.log").read_text()
            time.sleep(0.2)
        yield started


def joined(page: int) -> bool:
    try:
        with urlopen(f"http://{LOOPBACK}:{page}/json/") as answer:
            return bool(msgspec.json.decode(answer.read())["aliveworkers"])
    except URLError:
        return False


def inventory(*arguments: object, data_dir: Path) -> None:
    environment = {**os.environ, "INVENTORY_DATA_DIR": str(data_dir), "SPARK_LOCAL_IP": LOOPBACK}
    environment.pop("PYSPARK_PYTHON", None)
    command = [INVENTORY, *map(str, arguments)]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def refined(data_dir: Path, messages: str) -> tuple[list[tuple[object, ...]], ...]:
    """All that raw and the folder of messages hold."""
    patterns = ["raw/readings/batch-*/*/*.parquet", "raw/features/batch-*/*.parquet", f"{messages}/*/*.parquet"]
    return tuple(duckdb.sql(f"from read_parquet('{data_dir}/{files}') order by all").fetchall() for files in patterns)


@pytest.mark.parametrize("source", ["landing", "pulsar"])
def test_a_cluster_refines_what_one_machine_refines(spark, broker: Broker, cluster: Cluster, tmp_path, source):
    messages = lines(600)
    here, there = tmp_path / "here", tmp_path / "there"
    pulsar: dict[str, str] = {}
    arguments: list[object] = []
    if source == "pulsar":
        topic = f"persistent://public/default/cluster-{uuid4().hex[:8]}"
        create_topic(broker, topic, 2)
        publish_events(broker.service_url, topic, iter(messages))
        pulsar = {"url": broker.service_url, "topic": topic, "subscription": "here"}
        arguments = ["--source", "pulsar", "--url", broker.service_url, "--topic", topic, "--subscription", "there"]
    else:
        events = tmp_path / "events.ndjson"
        events.write_bytes(b"\n".join(messages) + b"\n")
        inventory("load", "--source", events, data_dir=there)
        here.mkdir()
        (here / "landing").symlink_to(there / "landing")
    earlier = set(cluster.work.glob("app-*/*/stderr"))
    inventory("land", "--once", "--master", cluster.master, *arguments, data_dir=there)
    assert set(cluster.work.glob("app-*/*/stderr")) - earlier, "no executor of the cluster did any of it"
    with file_lock(here / "raw", "refining"):
        bind_source(here / "raw", pulsar)
        land(spark, here, pulsar, once=True)
    messages_in = "quarantine" if pulsar else "landing"
    found = refined(there, messages_in)
    assert found == refined(here, messages_in)
    assert len(found[0]) == 600
