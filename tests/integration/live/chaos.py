"""Disturb `inventory live` at random, and compare what it publishes in the end with an undisturbed run.

`python -m tests.integration.live.chaos --minutes 10` (or `make chaos MINUTES=10`) starts a broker of its own. The clock
that steps back and forth is that of `inventory live` alone (`stepped_clock.c`), since a machine's clock is everybody's.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import click
import yaml

from dev import pulsar_broker as brokers
from dev.pulsar_broker import Broker
from ingest.pulsar.connection import connected, settings
from ingest.pulsar.publisher import publish
from tests.integration.dbt.project import take_fits
from tests.inventory_process import ROOT, environment, inventory, inventory_command

RATE = 10.0  # events a second
DISK_MEGABYTES = 1_500
COMPACT_AFTER = "8"  # micro-batches: small files are merged every minute or so
LONGEST_CLOCK_STEP = 7_200  # seconds
SECONDS_TO_CATCH_UP = 900
# these say when a table was built and what failed meanwhile, which a disturbance changes
MAY_DIFFER = {"build_history", "stage_lags"}
BY_DISTURBANCE = ("failing_stage", "The pipeline failed")


class Chaos:
    """Two `inventory live` on one data folder, of which one waits, and what can be done to them."""

    def __init__(self, broker: Broker, data_dir: Path, topic: str, dice: random.Random, longest_stop: float) -> None:
        self.done: Counter[str] = Counter()
        self._broker = broker
        self._data_dir = data_dir
        self._topic = topic
        self._dice = dice
        self._longest_stop = longest_stop
        self._clock = stepped_clock(data_dir.parent)
        self._lives = [self._start(), self._start()]

    def disturb(self) -> None:
        """Do one thing, drawn by lot."""
        name, what = self._dice.choice(list(self._disturbances().items()))
        print(f"{datetime.now(UTC):%H:%M:%S}  {name}", flush=True)
        what()
        self.done[name] += 1

    def end(self) -> None:
        for live in self._lives:
            live.terminate()
        for live in self._lives:
            live.wait(30)  # what is promised

    def _disturbances(self) -> dict[str, Callable[[], None]]:
        found: dict[str, Callable[[], None]] = {
            "kill a stage": self._kill_stage,
            "stop a stage": self._stop_stage,
            "kill a live": self._kill_live,
            "restart the broker": self._restart_broker,
        }
        if self._data_dir.is_mount():
            found["fill the disk"] = self._fill_disk
        if self._clock:
            found["step the clock"] = self._step_clock
        return found

    def _start(self) -> subprocess.Popen[bytes]:
        log = (self._data_dir.parent / "live.log").open("a")
        return subprocess.Popen(
            inventory_command("live", "--full-every", "10000000", "--compact-after", COMPACT_AFTER),
            cwd=ROOT,
            env=environment(self._data_dir)
            | {"PULSAR_URL": self._broker.service_url, "PULSAR_TOPIC": self._topic}
            | self._clock,
            stdout=log,
            stderr=log,
        )

    def _stages(self) -> list[int]:
        """The processes of the stages."""
        lives = {live.pid for live in self._lives}
        return [process for process, parent in _parents().items() if parent in lives]

    def _kill_stage(self) -> None:
        for process in self._dice.sample(self._stages(), 1) if self._stages() else []:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)

    def _stop_stage(self) -> None:
        for process in self._dice.sample(self._stages(), 1) if self._stages() else []:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGSTOP)
                time.sleep(self._dice.uniform(1, self._longest_stop))
                os.kill(process, signal.SIGCONT)

    def _kill_live(self) -> None:
        """Kill one of the two, whichever of them works, and start another one to wait."""
        live = self._lives.pop(self._dice.randrange(2))
        live.kill()
        live.wait()
        self._lives.append(self._start())

    def _restart_broker(self) -> None:
        brokers.kill(self._broker.folder)
        brokers.start(self._broker.folder, self._broker.port, self._broker.web_port)

    def _step_clock(self) -> None:
        """Let the clock of every process jump to some other time."""
        step(self._clock, self._dice.randint(-LONGEST_CLOCK_STEP, LONGEST_CLOCK_STEP))

    def _fill_disk(self) -> None:
        ballast = self._data_dir / "ballast"
        with ballast.open("wb") as file:
            for spared in range(200_000, 10_000_000, 200_000):
                # a stage may take of the room between the two calls
                with suppress(OSError):
                    os.posix_fallocate(file.fileno(), 0, max(shutil.disk_usage(self._data_dir).free - spared, 1))
                    break
        time.sleep(self._dice.uniform(1, self._longest_stop))
        ballast.unlink()


def run(
    broker: Broker, folder: Path, minutes: float, seed: int, longest_stop: float, *, fitted: Path | None = None
) -> dict[str, Any]:
    """Disturb a data folder; return what was done, and in what it differs from an undisturbed run.

    That is one frequent build of the same landed files, from the same tables, in the same place. Fits of the tiny
    history are taken from the caches of the data folder `fitted`.
    """
    data_dir, before, disturbed = folder / "disk/data", folder / "before", folder / "disturbed"
    topic = f"persistent://public/default/chaos-{seed}-{os.getpid()}"
    brokers.create_topic(broker, topic)
    with ExitStack() as stack:
        stack.enter_context(small_disk(data_dir))
        if fitted:
            take_fits(fitted, data_dir)
        build_tiny(data_dir, folder / "tiny.ndjson")
        shutil.copytree(data_dir, before, symlinks=True)
        received = stack.enter_context(receiver(data_dir))
        messages = events(data_dir, int(minutes * 60 * RATE))
        chaos = Chaos(broker, data_dir, topic, random.Random(seed), longest_stop)
        publishing = threading.Thread(target=send, args=(broker, topic, messages))
        publishing.start()
        ends_at = time.monotonic() + minutes * 60
        while time.monotonic() < ends_at:
            chaos.disturb()
            time.sleep(2)
        publishing.join()
        caught_up = wait_until_caught_up(data_dir, len(messages))
        chaos.end()
        landed = landed_exactly(data_dir, messages)
        for part in ("landing", "export"):
            shutil.copytree(data_dir / part, disturbed / part)

        for path in data_dir.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        shutil.copytree(before, data_dir, dirs_exist_ok=True, symlinks=True)
        shutil.rmtree(data_dir / "landing")
        shutil.copytree(disturbed / "landing", data_dir / "landing")
        for path in data_dir.glob("landing/publish_date=*/*chaos-*.parquet"):
            path.touch()  # this run has not refined what is merged
        inventory(data_dir, "build", "--frequent")
        return {
            "disturbances": dict(chaos.done),
            "events": len(messages),
            "caught up": caught_up,
            "landed": landed,
            "differences": differences(disturbed, data_dir),
            "sent": len(received),
            "sent twice": sent_twice(received),
        }


def build_tiny(data_dir: Path, events_file: Path) -> None:
    """Tables of a small history, for live events to come on top of."""
    generate = ("generate-data", "--profile", "tiny", "--end", "2026-06-30", "--out", str(events_file))
    for arguments in (generate, ("load", "--source", str(events_file)), ("build",)):
        inventory(data_dir, *arguments)


def stepped_clock(folder: Path) -> dict[str, str]:
    """The environment in which processes, and all that they start, read the clock off by the seconds in a file."""
    library, offset = folder / "stepped_clock.so", folder / "clock"
    compiler = shutil.which("cc")
    if not compiler or sys.platform != "linux":
        print("the clock is not stepped: that needs a C compiler", flush=True)
        return {}
    source = Path(__file__).with_name("stepped_clock.c")
    subprocess.run([compiler, "-O2", "-Wall", "-Werror", "-shared", "-fPIC", source, "-o", library], check=True)
    offset.write_bytes(struct.pack("q", 0))
    return {"LD_PRELOAD": str(library), "STEPPED_CLOCK": str(offset)}


def step(clock: dict[str, str], seconds: int) -> None:
    """Set the clock of all processes in the environment of `stepped_clock` off by so many seconds in all."""
    # in place: the processes have mapped the file
    with Path(clock["STEPPED_CLOCK"]).open("r+b") as offset:
        offset.write(struct.pack("q", seconds))


@contextmanager
def small_disk(data_dir: Path) -> Iterator[None]:
    """A disk of its own for the data folder, where that may be mounted; else nothing can fill it."""
    data_dir.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MEGABYTES}m", "tmpfs", str(data_dir)]
    mounted = os.getuid() == 0 and not subprocess.run(mount, capture_output=True, check=False).returncode
    if not mounted:
        print("the disk is not filled: that needs the right to mount one", flush=True)
    try:
        yield
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(data_dir)], check=True)


@contextmanager
def receiver(data_dir: Path) -> Iterator[list[tuple[str, str]]]:
    """Somebody who gets all notifications: the delivery's id and the text of each request."""
    requests: list[tuple[str, str]] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            requests.append((self.headers["Idempotency-Key"], body["message"]))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"json://127.0.0.1:{server.server_port}/"
    everybody = {"name": "Everybody", "stores": "all", "send_to": [{"url": address}]}
    content = {"people": {"everybody": everybody}, "routes": [{"to": ["everybody"]}], "link": "http://127.0.0.1/today"}
    (data_dir / "notifications.yml").write_text(yaml.safe_dump(content))
    try:
        yield requests
    finally:
        server.shutdown()
        server.server_close()


def events(data_dir: Path, count: int) -> list[tuple[str, bytes]]:
    """Readings of known products in the hours after the newest one, in order; each message once."""
    with closing(sqlite3.connect(data_dir / "export/inventory.db")) as database:
        products = database.execute(
            "SELECT store_location, product_id, max(category), max(price), max(event_timestamp) FROM inventory "
            "WHERE price > 0 GROUP BY store_location, product_id"
        ).fetchall()
    newest = max(datetime.fromisoformat(product[4]) for product in products)
    found = []
    for number in range(count):
        store, product, category, price, _ = products[number % len(products)]
        event = {
            "product_id": product,
            "category": category,
            "store_location": store,
            "quantity": 20 + number * 7 % 90,
            "price": price,
            "event_timestamp": (newest + timedelta(seconds=number + 1)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        found.append((product, json.dumps(event).encode()))
    return found


def send(broker: Broker, topic: str, messages: list[tuple[str, bytes]]) -> None:
    """Publish a second's messages at a time, each until the broker has taken it; its client may not wait so long."""
    step = int(RATE)
    for first in range(0, len(messages), step):
        until = time.monotonic() + 1
        while True:
            try:
                with connected(settings(broker.service_url)) as client:
                    publish(client, topic, messages[first : first + step])
                break
            except Exception as error:  # the broker is away; what it had taken comes twice, which changes no table
                print(f"publishing again: {type(error).__name__}", flush=True)
                time.sleep(1)
        time.sleep(max(0.0, until - time.monotonic()))


def wait_until_caught_up(data_dir: Path, count: int) -> bool:
    """Wait until all events are published to readers."""
    until = time.monotonic() + SECONDS_TO_CATCH_UP
    while time.monotonic() < until:
        time.sleep(5)  # to ask costs as much as the stages use meanwhile
        # compaction may take a file that was listed
        with suppress(subprocess.CalledProcessError, sqlite3.Error, FileNotFoundError):
            stages = json.loads(inventory(data_dir, "status", "--json"))["stages"]
            lags = {stage["stage"]: stage["lag_seconds"] for stage in stages if stage["stage"] != "delivered"}
            if not any(lags.values()) and landed_count(data_dir) >= count:
                return True
    return False


def landed_count(data_dir: Path) -> int:
    import pyarrow.parquet as pq

    return sum(pq.read_metadata(path).num_rows for path in data_dir.glob("landing/publish_date=*/*chaos-*.parquet"))


def landed_exactly(data_dir: Path, messages: list[tuple[str, bytes]]) -> dict[str, int]:
    """Events that are nowhere, and messages that landed twice."""
    import pyarrow.parquet as pq

    rows = [
        row
        for path in data_dir.glob("landing/publish_date=*/*chaos-*.parquet")
        for row in pq.ParquetFile(path).read().to_pylist()
    ]
    ids = Counter((row["partition"], row["ledger_id"], row["entry_id"], row["batch_index"]) for row in rows)
    landed = {(row["product_id"], row["store_location"], row["event_timestamp"]) for row in rows}
    sent = {
        (event["product_id"], event["store_location"], datetime.fromisoformat(event["event_timestamp"]))
        for event in (json.loads(message) for _, message in messages)
    }
    return {"lost": len(sent - landed), "doubled": ids.total() - len(ids)}


def differences(one: Path, other: Path) -> list[str]:
    """The published tables that do not hold the same rows."""
    found = []
    for name in ("inventory.db", "inventory_metrics.db"):
        with closing(sqlite3.connect(one / "export" / name)) as left:
            left.execute("ATTACH ? AS other", [str(other / "export" / name)])
            tables = [row[0] for row in left.execute("SELECT name FROM main.sqlite_master WHERE type = 'table'")]
            for table in sorted(set(tables) - MAY_DIFFER):
                rows = [
                    Counter(filter(_is_of_readings, left.execute(f"SELECT * FROM {schema}.{table}")))
                    for schema in ("main", "other")
                ]
                missing, further = (rows[1] - rows[0]).total(), (rows[0] - rows[1]).total()
                if missing or further:
                    found.append(f"{table}: {missing} rows missing, {further} further ones")
    return found


def _is_of_readings(row: tuple[object, ...]) -> bool:
    """Whether a row says something else than that a stage failed."""
    return not any(isinstance(value, str) and words in value for value in row for words in BY_DISTURBANCE)


def sent_twice(received: list[tuple[str, str]]) -> list[str]:
    """Episodes that are in two deliveries; a delivery in doubt may come again under its own id."""
    deliveries: dict[str, set[str]] = {}
    for delivery, message in received:
        for line in message.splitlines():
            if "/notifications/" in line:
                deliveries.setdefault(line.strip(), set()).add(delivery)
    return sorted(line for line, ids in deliveries.items() if len(ids) > 1)


def _parents() -> dict[int, int]:
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            process, _, rest = path.read_text().partition(" ")
            parents[int(process)] = int(rest.rpartition(")")[2].split()[1])
    return parents


def is_sound(report: dict[str, Any]) -> bool:
    """Whether the disturbed run came to the same as the undisturbed one."""
    exact = report["landed"] == {"lost": 0, "doubled": 0}
    return bool(report["caught up"] and exact and not report["differences"] and not report["sent twice"])


@click.command()
@click.option("--minutes", default=10.0, show_default=True)
@click.option("--seed", default=7, show_default=True)
def main(minutes: float, seed: int) -> None:
    """Run the chaos and report."""
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder, brokers.running(Path(folder, "broker")) as broker:
        report = run(broker, Path(folder), minutes, seed, longest_stop=60 if minutes >= 10 else 5)
        print(json.dumps(report, indent=2))
        if not is_sound(report):
            print((Path(folder) / "disk/live.log").read_text()[-20_000:])
            raise SystemExit("the disturbed run came to something else; see above")


if __name__ == "__main__":
    main()
