"""A real standalone Spark cluster: what it refines is what one machine refines."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import duckdb
import msgspec
import pytest

from dev.pulsar_broker import Broker, create_topic
from ingest.durable_files import file_lock
from ingest.pulsar.publisher import publish_events
from ingest.refining.spark_job import bind_source, land
from tests.integration.spark_cluster import LOOPBACK, Cluster, running_cluster

ROOT = Path(__file__).parents[3]
INVENTORY = ROOT / ".venv/bin/inventory"


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


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with running_cluster(tmp_path_factory.mktemp("cluster"), workers=1, cores=2) as started:
        yield started


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
