"""The loader against a bare loop that receives the same messages, reads the same fields and keeps nothing.

The ratio of the two rates is what typed decoding, Parquet, syncing and exact accounting cost.
"""

from __future__ import annotations

import multiprocessing
import resource
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any
from uuid import uuid4

import msgspec

from bench import Figure
from dev import pulsar_broker as brokers
from ingest.landing.sources import full_topic
from ingest.pulsar.connection import connected, settings

MESSAGES = 500_000
ROUNDS = 5
LIVE_RATE = 2_000
LIVE_SECONDS = 30


def run() -> Iterator[Figure]:
    """Rates in events a second, memory in MB, and how long an event takes from publishing to a landed file."""
    from ingest.pulsar.loader import FLUSH_SECONDS
    from ingest.pulsar.publisher import publish

    with tempfile.TemporaryDirectory() as folder, brokers.running(Path(folder, "broker")) as broker:
        with connected(settings(broker.service_url)) as client:
            publish(client, "bench", _events(MESSAGES))
        bare, loader, memory = [], [], 0.0
        for number in range(ROUNDS):
            bare.append(_alone(bare_loop, broker.service_url))
            seconds, used = _alone(load, broker.service_url, Path(folder, f"data{number}"))
            loader.append(seconds)
            memory = max(memory, used)
        ratios = [one / other for one, other in zip(bare, loader, strict=True)]
        yield Figure(
            "loading from Pulsar",
            f"{MESSAGES / median(loader):,.0f} events/s",
            f"a bare batch_receive loop {MESSAGES / median(bare):,.0f}",
            median(ratios),
            "≥ 0.85",
        )
        yield Figure("memory of the loader, files of 50,000 rows", f"{memory:,.0f} MB", goal="< 400 MB")
        latency = _publish_to_visible(broker, Path(folder, "live"))
        yield Figure("publish to visible, 95th percentile", f"{latency:.1f} s", goal=f"≤ {FLUSH_SECONDS + 2:.0f} s")


def bare_loop(url: str) -> float:
    """Receive all messages, read their ids, publish times and contents, acknowledge; return the seconds it took."""
    import pulsar

    with connected(settings(url)) as client:
        start, count = time.perf_counter(), 0
        consumer = client.subscribe(
            "bench",
            f"bare-{uuid4()}",
            consumer_type=pulsar.ConsumerType.Failover,
            initial_position=pulsar.InitialPosition.Earliest,
            receiver_queue_size=50_000,
            batch_receive_policy=pulsar.ConsumerBatchReceivePolicy(5_000, 64_000_000, 100),
        )
        while count < MESSAGES:
            messages = consumer.batch_receive()
            for message in messages:
                place = message.message_id()
                place.ledger_id(), place.entry_id(), place.batch_index(), place.partition()
                message.publish_timestamp(), message.data()
            if messages:
                consumer.acknowledge_cumulative(messages[-1])
            count += len(messages)
        return time.perf_counter() - start


def load(url: str, data_dir: Path) -> tuple[float, float]:
    """Land all messages; return the seconds from connecting to the last acknowledgement, and the peak memory in MB."""
    import pyarrow as pa

    from ingest.events import READINGS
    from ingest.pulsar import loader as pulsar_loader

    pa.array([""])  # the first array imports pandas; how long a process takes to start is not the subject
    setattr(pulsar_loader, "SUBSCRIPTION", f"loader-{uuid4()}")  # noqa: B010
    acknowledged = start = time.perf_counter()
    original = pulsar_loader.acknowledge

    def acknowledge(*arguments: Any) -> None:
        nonlocal acknowledged
        original(*arguments)
        acknowledged = time.perf_counter()

    setattr(pulsar_loader, "acknowledge", acknowledge)  # noqa: B010
    counts = pulsar_loader.load_topic(data_dir / "landing", settings(url), "bench", READINGS, until_caught_up=True)
    assert counts["good"] == MESSAGES
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return acknowledged - start, peak / (1e6 if sys.platform == "darwin" else 1e3)


def _publish_to_visible(broker: brokers.Broker, data_dir: Path) -> float:
    """The 95th percentile, in seconds, of a steady stream while a loader runs."""
    import numpy as np
    import pyarrow.parquet as pq

    from ingest.pulsar.publisher import publish

    spawn = multiprocessing.get_context("spawn")
    loader = spawn.Process(target=_load_for_ever, args=(broker.service_url, data_dir))
    loader.start()
    try:
        with connected(settings(broker.service_url)) as client:
            publishing = threading.Thread(
                target=publish, args=(client, "live", _events(LIVE_RATE * LIVE_SECONDS), LIVE_RATE)
            )
            publishing.start()
            seen: dict[Path, float] = {}
            rows = 0
            while rows < LIVE_RATE * LIVE_SECONDS:
                time.sleep(0.05)
                for file in set(data_dir.glob("landing/*/[!.]*.parquet")) - set(seen):
                    seen[file] = time.time()
                    rows += pq.read_metadata(file).num_rows
            publishing.join()
    finally:
        loader.terminate()
        loader.join()
    ages = [
        landed_at - pq.ParquetFile(file).read(["publish_time"])["publish_time"].to_numpy().astype("int64") / 1e6
        for file, landed_at in seen.items()
    ]
    return float(np.quantile(np.concatenate(ages), 0.95))


def _load_for_ever(url: str, data_dir: Path) -> None:
    from ingest.events import READINGS
    from ingest.pulsar.loader import load_topic

    load_topic(data_dir / "landing", settings(url), full_topic("live"), READINGS, until_caught_up=False)


def _events(count: int) -> Iterator[tuple[str, bytes]]:
    for number in range(count):
        product = f"P{number % 200:04d}"
        event = {
            "product_id": product,
            "category": "Toys",
            "store_location": f"Store_{number % 7}",
            "quantity": number % 1000,
            "price": 9.5 + number % 13,
            "event_timestamp": f"2026-06-{number % 30 + 1:02d}T10:{number % 60:02d}:00Z",
        }
        yield product, msgspec.json.encode(event)


def _alone(function: Callable[..., Any], *arguments: Any) -> Any:
    """Run a function in a process of its own, so that neither memory nor caches are another's."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()
