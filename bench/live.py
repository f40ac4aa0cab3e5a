"""From the event to the published file and to `/today`, while 500 events a second arrive from a real broker.

`SIZES=1,10 make bench ONLY=live` measures some of the sizes (millions of readings of history). Five times a second a
marked event carries the next number as the level of one product; the file and the page are asked for it ten times a
second. The baseline is a frequent build from the command line on the same tables, with its start and publication. The
page is asked where Superset's environment is installed (`make setup-superset`).
"""

from __future__ import annotations

import csv
import json
import os
import sqlite3
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from urllib.request import urlopen

import numpy as np

from bench import Figure
from bench.dbt import DAYS, READINGS_PER_DAY, SIZES, Size, history
from dev import pulsar_broker as brokers
from dev.pulsar_broker import Broker
from ingest.landing.commit import MessageId, landed_name
from ingest.pulsar.connection import connected, settings
from ingest.pulsar.publisher import publish
from ingest.shared_sqlite import read_only
from tests.inventory_process import ROOT, environment, inventory, inventory_command
from tests.serving import PYTHON, Site

TOPIC = "bench-live"
RATE = 500  # events a second
MARKS = 5  # of them marked
SECONDS = int(os.environ.get("SECONDS", "120"))
MARKED, FIRST_LEVEL = "MARKED", 1000  # a level that grows by one: no rule calls that a jump
PAUSE = 0.1  # between two looks
SECONDS_TO_ARRIVE = 120
GOALS = {1: "p95 ≤ 8 s", 10: "p95 ≤ 8 s", 100: "p95 ≤ 15 s"}


def run() -> Iterator[Figure]:
    """Yield the median and 95th percentile of the seconds to the file and to the page, and memory, for each size."""
    for millions in (int(size) for size in os.environ.get("SIZES", "1,10").split(",")):
        with tempfile.TemporaryDirectory(prefix="bench-live-") as folder:
            yield from _measure(millions, Path(folder))


def _measure(millions: int, folder: Path) -> Iterator[Figure]:
    size, data_dir, name = SIZES[millions], folder / "data", f"{millions}M readings of history"
    _land_history(data_dir, size)
    inventory(data_dir, "build")
    started = time.perf_counter()
    inventory(data_dir, "build", "--frequent")
    baseline = time.perf_counter() - started

    with ExitStack() as stack:
        broker = stack.enter_context(brokers.running(folder / "broker"))
        metrics = stack.enter_context(_live(data_dir, broker))
        places = {"file": lambda: _level_in_file(data_dir)}
        if PYTHON.exists():
            places["/today"] = stack.enter_context(_page(data_dir))
        sent: dict[int, float] = {}
        _publish(broker, size, 5 * RATE, sent)  # Spark and dbt start
        _wait_until_published(data_dir, max(sent))
        first = max(sent) + 1
        seen: dict[str, list[tuple[float, int]]] = {place: [] for place in places}
        stop = threading.Event()
        threads = [threading.Thread(target=_watch, args=(places[place], seen[place], stop)) for place in places]
        for thread in threads:
            thread.start()
        _publish(broker, size, SECONDS // 2 * RATE, sent)
        halfway = _memory(metrics)
        _publish(broker, size, SECONDS // 2 * RATE, sent)
        at_end = _memory(metrics)
        _wait_until_published(data_dir, max(sent))
        stop.wait(2)
        stop.set()
        for thread in threads:
            thread.join()

    for place, looks in seen.items():
        taken = [
            next((at for at, level in looks if level >= mark), np.inf) - then
            for mark, then in sent.items()
            if mark >= first
        ]
        median, p95 = np.quantile(taken, 0.5), np.quantile(taken, 0.95)
        yield Figure(
            f"{name}, event to {place}, median and p95",
            f"{median:.1f} s and {p95:.1f} s",
            f"a cold frequent build {baseline:.1f} s",
            float(p95 / baseline),
            GOALS[millions],
        )
    for process, used in at_end.items():
        if used:
            before = halfway[process]
            yield Figure(
                f"{name}, memory of {process} at the end",
                f"{used / 1e6:,.0f} MB",
                f"half-way {before / 1e6:,.0f} MB",
                used / before,
                "flat",
            )


def _land_history(data_dir: Path, size: Size) -> None:
    """The readings of `bench.dbt` as landed files, a million each, moved so that they end last midnight."""
    import duckdb

    count = DAYS * READINGS_PER_DAY * size.stores * size.products
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    folder = data_dir / f"landing/publish_date={midnight:%Y-%m-%d}"
    folder.mkdir(parents=True)
    moved = f"to_days({(midnight - datetime(2025, 1, 1, tzinfo=UTC)).days - DAYS})"
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute(
            f"create table history as select row_number() over () as line, * from ({history(size)}) order by line"
        )
        for first in range(1, count + 1, 1_000_000):
            last = min(first + 999_999, count)
            path = folder / landed_name("history", 0, MessageId(1, first, -1), MessageId(1, last, -1))
            connection.execute(
                f"""
                copy (
                    select
                        'history' as topic, 0::integer as partition, 1::bigint as ledger_id, line as entry_id,
                        -1::integer as batch_index, timestamptz '{midnight}' as publish_time, product_id,
                        category, store_location, quantity, price, event_timestamp + {moved} as event_timestamp, extra,
                        null::varchar as error, null::blob as raw
                    from history
                    where line between {first} and {last}
                ) to '{path}' (format parquet)
                """
            )


def _publish(broker: Broker, size: Size, count: int, sent: dict[int, float]) -> None:
    """Publish readings of now, at the rate; note when each marked one was sent."""
    begin = max(sent, default=FIRST_LEVEL - 1) + 1

    def readings() -> Iterator[tuple[str, bytes]]:
        for number in range(count):
            mark, is_marked = begin + number * MARKS // RATE, number % (RATE // MARKS) == 0
            product = MARKED if is_marked else f"P{number % size.products:06d}"
            level = mark if is_marked else 20 + number % 100
            event = {
                "store_location": f"Store_{number // size.products % size.stores:03d}"
                if not is_marked
                else "Store_000",
                "product_id": product,
                "category": "Category_00" if is_marked else f"Category_{number % size.products % 5:02d}",
                "quantity": level,
                "price": 9.5,
                "event_timestamp": datetime.now(UTC).isoformat(),
            }
            if is_marked:
                sent[mark] = time.time()
            yield product, json.dumps(event).encode()

    with connected(settings(broker.service_url)) as client:
        publish(client, TOPIC, readings(), RATE)


def _watch(look: Callable[[], int], seen: list[tuple[float, int]], stop: threading.Event) -> None:
    """Note when a place first shows each level."""
    while not stop.wait(PAUSE):
        with suppress(sqlite3.Error, OSError):
            level = look()
            if not seen or level > seen[-1][1]:
                seen.append((time.time(), level))


def _level_in_file(data_dir: Path) -> int:
    path = data_dir / "export/inventory_metrics.db"
    with closing(read_only(path)) as file:
        row = file.execute("SELECT max(quantity) FROM current_stock WHERE product_id = ?", [MARKED]).fetchone()
    return int(row[0] or 0)


def _wait_until_published(data_dir: Path, level: int) -> None:
    until = time.monotonic() + SECONDS_TO_ARRIVE
    while time.monotonic() < until and _level_in_file(data_dir) < level:
        time.sleep(PAUSE)


@contextmanager
def _page(data_dir: Path) -> Iterator[Callable[[], int]]:
    """The level of the marked product, as a page behind `/today` shows it to the administrator."""
    site = Site(data_dir, brokers.free_port())
    site.start()
    try:
        client = site.signed_in("admin")

        def look() -> int:
            answer = client.get(f"{site.url}/today/list/stock.csv?product_id={MARKED}", timeout=60)
            rows = csv.DictReader(answer.text.splitlines())
            return max((int(float(row["On hand"])) for row in rows), default=0)

        yield look
    finally:
        site.run("stop")


@contextmanager
def _live(data_dir: Path, broker: Broker) -> Iterator[str]:
    """`inventory live`; yields where its metrics are."""
    port = brokers.free_port()
    arguments = ["live", "--url", broker.service_url, "--topic", TOPIC, "--metrics-port", str(port)]
    arguments += ["--full-every", "1000000"]
    with (data_dir / "live.log").open("w") as log:
        live = subprocess.Popen(
            inventory_command(*arguments), cwd=ROOT, env=environment(data_dir), stdout=log, stderr=log
        )
    try:
        yield f"http://127.0.0.1:{port}/metrics"
    finally:
        live.terminate()
        live.wait()


def _memory(metrics: str) -> dict[str, float]:
    """The resident bytes of each process of `inventory live`."""
    with urlopen(metrics, timeout=30) as answer:
        lines = answer.read().decode().splitlines()
    name = "inventory_process_resident_memory_bytes"
    return {line.split('"')[1]: float(line.split()[-1]) for line in lines if line.startswith(f"{name}{{")}
