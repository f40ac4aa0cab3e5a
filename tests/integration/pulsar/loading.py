"""Loaders as real processes that can be killed at a named step, and the exact account of what they landed."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import msgspec
import pandas  # noqa: F401  pyarrow imports it at its first array, which takes most of a loader's start
import pyarrow as pa
import pyarrow.parquet as pq

from dev.pulsar_broker import Broker
from ingest import durable_files, load
from ingest.events import FIELDS, READINGS, Rejection
from ingest.landing import commit
from ingest.landing.commit import IDENTITY
from ingest.pulsar import loader as pulsar_loader
from ingest.pulsar.connection import connected, settings
from ingest.pulsar.publisher import publish
from tests.conftest import ROOT

STEPS: dict[str, tuple[Any, str]] = {
    "receive": (pulsar_loader, "decoded"),
    "write": (commit.pq, "write_table"),
    "sync": (durable_files.os, "fsync"),
    "rename": (Path, "rename"),
    "acknowledge": (pulsar_loader, "acknowledge"),
    "mid-acknowledge": (pulsar_loader, "acknowledge"),
    "after": (pulsar_loader, "acknowledge"),
}
SECONDS_FOR_AN_ACKNOWLEDGEMENT_TO_LEAVE = 0.4

# a process forked from one that has imported all is loading within a tenth of a second, so kills hit the work
processes = multiprocessing.get_context("forkserver")
processes.set_forkserver_preload(["tests.integration.pulsar.loading"])


class Plan(NamedTuple):
    """How a loader runs: where it is killed, what is wrong with it, and how its batches are cut."""

    kill_at: str | None = None
    nth: int = 1
    mutant: str | None = None
    flush_rows: int = 400
    flush_seconds: float = 1.0
    until_caught_up: bool = True
    seconds_per_batch: float = 0.0
    seconds_to_give_up: float = 60.0


def new_topic(name: str) -> str:
    return f"persistent://public/default/{name}-{uuid4().hex[:8]}"


def events(count: int, start: int = 0, products: int = 20) -> list[tuple[str, bytes]]:
    """Keys and messages, each message once; every tenth is no reading."""
    return [
        (
            f"P{number % products:04d}",
            b"broken %d" % number
            if number % 10 == 9
            else msgspec.json.encode(
                {
                    "product_id": f"P{number % products:04d}",
                    "category": "Toys",
                    "store_location": "Store_A",
                    "quantity": number,
                    "price": 9.5,
                    "event_timestamp": "2026-06-30T10:00:00Z",
                }
            ),
        )
        for number in range(start, start + count)
    ]


def send(
    broker: Broker, topic: str, messages: Iterable[tuple[str, bytes]], rate: float | None = None, **producer: Any
) -> None:
    """Publish in entries of a few messages, so that a loader's batches begin and end within them and between them."""
    messages = list(messages)
    with connected(settings(broker.service_url)) as client:
        assert publish(client, topic, messages, rate, **{"batching_max_messages": 40} | producer) == len(messages)


def start(broker: Broker, topic: str, data_dir: Path, plan: Plan = Plan()) -> BaseProcess:  # noqa: B008
    process = processes.Process(target=_run, args=(broker.service_url, topic, data_dir, plan), daemon=True)
    process.start()
    return process


def finish(broker: Broker, topic: str, data_dir: Path, plan: Plan = Plan()) -> None:  # noqa: B008
    """Run a loader until it is caught up."""
    process = start(broker, topic, data_dir, plan)
    process.join(120)
    assert process.exitcode == 0


def killed(broker: Broker, topic: str, data_dir: Path, plan: Plan) -> None:
    process = start(broker, topic, data_dir, plan)
    process.join(120)
    assert process.exitcode == -signal.SIGKILL


def stop(process: BaseProcess) -> None:
    """Ask a loader to end, as a service manager does."""
    process.terminate()
    process.join(60)
    assert process.exitcode == 0


def _run(url: str, topic: str, data_dir: Path, plan: Plan) -> None:
    pulsar_loader.FLUSH_ROWS = plan.flush_rows
    pulsar_loader.RECEIVE_ROWS = max(plan.flush_rows // 4, 1)
    pulsar_loader.DISCOVERY_SECONDS = 0.5
    pulsar_loader.FLUSH_SECONDS = plan.flush_seconds
    pulsar_loader.GIVE_UP_SECONDS = plan.seconds_to_give_up
    if plan.seconds_per_batch:
        _wrap(pulsar_loader, "land", lambda land: _slowly(land, plan.seconds_per_batch))
    if plan.mutant:
        MUTANTS[plan.mutant]()
    if plan.kill_at:
        owner, name = STEPS[plan.kill_at]
        _wrap(owner, name, lambda original: _killer(original, plan))
    arguments = ["--url", url, "--topic", topic, "--data-dir", str(data_dir)]
    load.command([*arguments, "--until-caught-up"] if plan.until_caught_up else arguments)


def _wrap(owner: Any, name: str, wrapper: Callable[[Any], Any]) -> None:
    setattr(owner, name, wrapper(getattr(owner, name)))


def _slowly(original: Callable[..., Any], seconds: float) -> Callable[..., Any]:
    def slow(*arguments: Any, **named: Any) -> Any:
        time.sleep(seconds)
        return original(*arguments, **named)

    return slow


def _killer(original: Callable[..., Any], plan: Plan) -> Callable[..., Any]:
    calls = 0

    def kill_or_go_on(*arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == plan.nth and plan.kill_at in {"mid-acknowledge", "after"}:
            original(*arguments, **named)
            time.sleep(SECONDS_FOR_AN_ACKNOWLEDGEMENT_TO_LEAVE if plan.kill_at == "after" else 0)
        if calls == plan.nth:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(*arguments, **named)

    return kill_or_go_on


def _acknowledge_first() -> None:
    def acknowledge_then_land(commit: Callable[..., Any]) -> Callable[..., Any]:
        def wrong(loader: Any, before: Any, partition: Any, batch: Any, received: Any) -> None:
            partition.consumer.acknowledge_cumulative(received)
            time.sleep(SECONDS_FOR_AN_ACKNOWLEDGEMENT_TO_LEAVE)
            commit(loader, before, partition, batch, received)

        return wrong

    _wrap(pulsar_loader.Loader, "_commit", acknowledge_then_land)


def _no_high_water_mark() -> None:
    _wrap(pulsar_loader, "_in_order_after", lambda _: lambda *_: True)


MUTANTS = {"acknowledge first": _acknowledge_first, "no high-water mark": _no_high_water_mark}


class Account(NamedTuple):
    """Published messages that are nowhere, and rows too many."""

    lost: int
    doubled: int


EXACT = Account(lost=0, doubled=0)


def account(data_dir: Path | list[Path], messages: Iterable[tuple[str, bytes]]) -> Account:
    """Hold the landed rows, good and quarantined, against what was published, content by content.

    `data_dir` may be several whose rows count together, each message once.
    """
    folders = data_dir if isinstance(data_dir, list) else [data_dir]
    expected = Counter(_content(message) for _, message in messages)
    found: Counter[Any] = Counter()
    ids: Counter[Any] = Counter()
    for folder in folders:
        assert not list(folder.rglob(".tmp-*"))
        rows = [
            row for file in folder.glob("landing/publish_date=*/*.parquet") for row in pq.read_table(file).to_pylist()
        ]
        if len(folders) > 1:
            rows = [row for row in rows if (row["partition"], *(row[name] for name in IDENTITY)) not in ids]
        ids.update((row["partition"], *(row[name] for name in IDENTITY)) for row in rows)
        found.update(row["raw"] if row["error"] else tuple(row[name] for name in FIELDS) for row in rows)
    unknown = set(found) - set(expected)
    assert not unknown
    doubled_ids = ids.total() - len(ids)
    doubled = (found - expected).total()
    assert doubled >= doubled_ids
    return Account((expected - found).total(), doubled)


def _content(message: bytes) -> Any:
    reading = READINGS.decode(message, pa.scalar(time.time_ns(), pa.timestamp("ns", "UTC")).as_py())
    return message if isinstance(reading, Rejection) else tuple(getattr(reading, name) for name in FIELDS)


def landed(data_dir: Path, folder: str = "landing") -> list[dict[str, Any]]:
    """The landed rows in the order of their ids."""
    files = data_dir.glob(f"{folder}/publish_date=*/*.parquet")
    rows = [row for file in files for row in pq.read_table(file).to_pylist()]
    return sorted(rows, key=lambda row: (row["partition"], row["ledger_id"], row["entry_id"], row["batch_index"]))


def run(broker: Broker | None, *arguments: str, data_dir: Path, **environment: Any) -> subprocess.CompletedProcess[str]:
    """Run the `inventory` command as a user would."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PULSAR_", "INVENTORY_"))}
    settings = {"INVENTORY_DATA_DIR": data_dir} | ({"PULSAR_URL": broker.service_url} if broker else {}) | environment
    return subprocess.run(
        [ROOT / ".venv/bin/inventory", *arguments],
        env=inherited | {name: str(value) for name, value in settings.items()},
        capture_output=True,
        text=True,
        check=False,
    )
