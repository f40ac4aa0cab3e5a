"""Builds in shards: whether the time grows with the readings, and the memory of a task not at all.

`SHARDS=2,4,40 make bench ONLY=scale` measures other sizes. A shard is six stores with 2.5 million readings, in the
shape of the 100m profile; so 4 shards are 10 million readings and 120 are 300 million. What is measured is what the
machines of a cluster do: dividing the readings, and the tasks. The baseline, in the same run, is the smallest size.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench import Figure
from bench.dbt import DAYS, READINGS_PER_DAY, Size, history, write_readings

STORES_PER_SHARD = 6
PRODUCTS = 260
READINGS_PER_SHARD = STORES_PER_SHARD * PRODUCTS * DAYS * READINGS_PER_DAY
SECONDS_BETWEEN_LOOKS = 0.2


def run() -> Iterator[Figure]:
    """Measure each number of shards on readings of their own."""
    with tempfile.TemporaryDirectory(prefix="bench-scale-") as folder:
        yield from _figures(Path(folder))


def _figures(folder: Path) -> Iterator[Figure]:
    sizes = [int(size) for size in os.environ.get("SHARDS", "2,4").split(",")]
    first_seconds = first_peak = 0.0
    for shards in sizes:
        data_dir = folder / str(shards)
        seconds, peak = _measure(data_dir, shards)
        shutil.rmtree(data_dir)
        if shards == sizes[0]:
            first_seconds, first_peak = seconds / shards, peak
        name = f"{shards * READINGS_PER_SHARD / 1e6:.3g}M readings in {shards} shard{'s' if shards > 1 else ''}"
        linear = first_seconds * shards
        yield Figure(
            f"{name}, dividing and building",
            f"{seconds:.0f} s",
            f"{linear:.0f} s, {shards / sizes[0]:g} times the first size",
            seconds / linear,
            "≤ 1.1: linear",
        )
        yield Figure(
            f"{name}, largest task",
            f"{peak:.2f} GiB",
            f"{first_peak:.2f} GiB at the first size",
            peak / first_peak,
            "≤ 1.1: flat",
        )


def _measure(data_dir: Path, shards: int) -> tuple[float, float]:
    """Seconds to divide the readings and to run the tasks, and the largest task's memory in GiB."""
    from cluster.shards import built_shards
    from ingest.refining.spark_job import session
    from pipeline import compiled_readings

    (data_dir / "warehouse").mkdir(parents=True)
    size = Size(STORES_PER_SHARD * shards, PRODUCTS)
    write_readings(data_dir, 0, history(size))
    readings = compiled_readings(data_dir)
    spark = session("local[*]")
    try:
        with _watched() as peaks:
            started = time.perf_counter()
            with built_shards(spark, data_dir, readings, shards):
                seconds = time.perf_counter() - started
    finally:
        spark.stop()
    return seconds, max(peaks.values())


@contextmanager
def _watched() -> Iterator[dict[str, float]]:
    """The peak of resident memory of each process that builds a shard, in GiB."""
    peaks: dict[str, float] = {}
    is_over = threading.Event()

    def watch() -> None:
        while not is_over.wait(SECONDS_BETWEEN_LOOKS):
            for process in Path("/proc").glob("[0-9]*"):
                try:
                    if b"\0--selector\0shard\0" in (process / "cmdline").read_bytes():
                        (peak,) = re.findall(r"VmHWM:\s+(\d+) kB", (process / "status").read_text())
                        peaks[process.name] = int(peak) / 2**20
                except (OSError, ValueError):  # it has ended
                    continue

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield peaks
    finally:
        is_over.set()
        watching.join()
