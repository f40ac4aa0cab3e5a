"""Speed and memory of the synthetic data: the demo, and a hundred million events on all cores.

The baseline writes as many rows of unrelated random numbers with the same columns to Parquet in one process: the least
that any generator has to do. `BENCH_SIMULATION_STORES` (default 100) makes the large profile smaller.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bench import Figure
from ingest.events import FIELDS
from ingest.simulation.catalogue import PROFILES

STORES = int(os.environ.get("BENCH_SIMULATION_STORES", PROFILES["100m"].stores))
END = date(2026, 6, 30)
BATCH = 2_500_000
MIB = 1024 * 1024


def run() -> Iterator[Figure]:
    """Yield seconds, and MiB summed over all processes, of generating the demo and the large profile."""
    with TemporaryDirectory(prefix="simulation-") as folder:
        demo, demo_memory = _measure(f"PROFILES['demo'], 7, END, Path('{folder}/demo.ndjson'), 1")
        yield Figure("demo (400 days, NDJSON)", f"{demo:.1f} s, {demo_memory / MIB:,.0f} MiB")

        cores = os.cpu_count() or 1
        profile = f"replace(PROFILES['100m'], stores={STORES})"
        out = Path(folder, "large.parquet")
        seconds, memory = _measure(f"{profile}, 7, END, Path('{out}'), {cores}")
        rows = pq.read_metadata(out).num_rows
        plain = _write_random_rows(rows, Path(folder, "plain.parquet"))
        share = rows / 100_000_000
        yield Figure(
            f"{rows:,} events and their truth, {cores} cores",
            f"{seconds:.0f} s",
            f"{plain:.0f} s for as many random rows",
            seconds / plain,
            f"<= {180 * share:.0f} s on two cores",
        )
        yield Figure("memory at its highest, all processes", f"{memory / MIB:,.0f} MiB", goal="<= 2,048 MiB")


def _measure(arguments: str) -> tuple[float, int]:
    """Seconds, and bytes of memory at its highest over all processes, of one call of `generate`."""
    code = (
        "from dataclasses import replace\nfrom datetime import date\nfrom pathlib import Path\n"
        "from ingest.simulation.catalogue import PROFILES\nfrom ingest.simulation.generate_data import generate\n"
        f"if __name__ == '__main__':\n    END = date.fromisoformat('{END}')\n    generate({arguments})\n"
    )
    with TemporaryDirectory() as folder:
        script = Path(folder, "generate.py")  # the processes that it starts read it again
        script.write_text(code)
        started, highest = time.monotonic(), 0
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
        process = subprocess.Popen([sys.executable, script], stderr=subprocess.DEVNULL, env=environment)
        while process.poll() is None:
            highest = max(highest, sum(_memory(each) for each in _family(process.pid)))
            time.sleep(0.1)
        if process.returncode:
            raise RuntimeError(f"generating failed with {process.returncode}: generate({arguments})")
        return time.monotonic() - started, highest


def _family(process: int) -> list[int]:
    """A process and all that it started."""
    found = [process]
    for parent in found:
        try:
            found += map(int, Path(f"/proc/{parent}/task/{parent}/children").read_text().split())
        except OSError:
            continue  # it has ended
    return found


def _memory(process: int) -> int:
    """Bytes that a process holds; what is shared between processes is counted in each."""
    try:
        return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def _write_random_rows(rows: int, path: Path) -> float:
    random = np.random.default_rng(0)
    names = [pa.array([f"name {index}" for index in range(size)]) for size in (625, 5, 100)]
    started = time.monotonic()
    writer = None
    for start in range(0, rows, BATCH):
        count = min(BATCH, rows - start)
        columns = [
            *(
                pa.DictionaryArray.from_arrays(random.integers(0, len(name), count, dtype=np.int32), name)
                for name in names
            ),
            pa.array(random.integers(0, 500, count)),
            pa.array(random.integers(100, 5000, count) / 100),
            pa.array(np.sort(random.integers(0, 400 * 86_400, count)) * 1_000_000, pa.timestamp("us", tz="UTC")),
        ]
        table = pa.table(columns, names=list(FIELDS))
        writer = writer or pq.ParquetWriter(path, table.schema, compression="zstd")
        writer.write_table(table)
    if writer is not None:
        writer.close()
    return time.monotonic() - started
