"""How `inventory live` is seen from outside: its stages and their lags, in a file and for Prometheus."""

from __future__ import annotations

import csv
import os
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from live.report import report
from live.supervisor import Stage
from publish.lags import Lag, as_rows, lags, landing_lag

LAGS_FILE = "live/lags.csv"
COLUMNS = ["stage", "lag_seconds", "newest_message_at", "measured_at"]
SECONDS_BETWEEN_MEASUREMENTS = 10.0


class Monitor(Collector):
    """Measures the lags every few seconds; a scrape gets the last measurement."""

    def __init__(self, data_dir: Path, stages: list[Stage], source_url: str | None, topic: str) -> None:
        self._data_dir = data_dir
        self._stages = stages
        self._source = (source_url, topic)
        self._lags: list[Lag] = []

    def run(self, stop: threading.Event) -> None:
        """Measure until stopped."""
        while not stop.wait(SECONDS_BETWEEN_MEASUREMENTS):
            try:
                self.measure()
            except Exception as error:  # whatever it is, the stages go on without being measured
                report(f"the lags could not be measured: {error}")

    def measure(self) -> None:
        now = datetime.now(UTC)
        self._lags = [*landing_lag(self._data_dir, *self._source, now), *lags(self._data_dir, now)]
        path = self._data_dir / LAGS_FILE
        with path.with_suffix(".part").open("w", newline="") as temporary:
            writer = csv.DictWriter(temporary, COLUMNS)
            writer.writeheader()
            writer.writerows(as_rows(self._lags, now))
        path.with_suffix(".part").rename(path)  # not synced: after a power cut it is measured again

    def serve(self, port: int) -> None:
        """Answer Prometheus on loopback. Raises OSError where the port is taken."""
        registry = CollectorRegistry()
        registry.register(self)
        start_http_server(port, addr="127.0.0.1", registry=registry)

    def collect(self) -> Iterator[Metric]:
        """See `Collector`."""
        lag = GaugeMetricFamily(
            "inventory_stage_lag_seconds",
            "Age of the oldest message that the stage has not passed on; 0 where none waits.",
            labels=["stage"],
        )
        newest = GaugeMetricFamily(
            "inventory_stage_newest_message_timestamp_seconds",
            "Publish time of the newest message that the stage has passed on.",
            labels=["stage"],
        )
        for each in self._lags:
            lag.add_metric([each.stage], each.seconds)
            if each.newest_at is not None:
                newest.add_metric([each.stage], each.newest_at.timestamp())
        up = GaugeMetricFamily("inventory_process_up", "Whether the process of a stage runs.", labels=["process"])
        failures = CounterMetricFamily(
            "inventory_process_failures", "How often the process of a stage has ended by itself.", labels=["process"]
        )
        memory = GaugeMetricFamily(
            "inventory_process_resident_memory_bytes",
            "Resident memory of a stage's process and all that it has started.",
            labels=["process"],
        )
        for stage in self._stages:
            up.add_metric([stage.name], float(stage.is_running))
            failures.add_metric([stage.name], stage.failures)
            memory.add_metric([stage.name], resident_bytes(stage))
        yield from (lag, newest, up, failures, memory)


def resident_bytes(stage: Stage) -> int:
    """The resident memory of a stage's process and of all that it has started; 0 where it does not run."""
    if stage.process is None:
        return 0
    parents, resident = {}, {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            process, _, rest = path.read_text().partition(" ")
        except OSError:  # it has ended
            continue
        values = rest.rpartition(")")[2].split()
        parents[int(process)], resident[int(process)] = int(values[1]), int(values[21])

    def is_of_stage(process: int) -> bool:
        return process == stage_process or (process in parents and is_of_stage(parents[process]))

    stage_process = stage.process.pid
    return os.sysconf("SC_PAGE_SIZE") * sum(pages for process, pages in resident.items() if is_of_stage(process))
