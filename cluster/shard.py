"""What a task of Spark does: run dbt on the readings of some stores, in a folder of its own on its machine's disk."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from ingest.durable_files import TEMPORARY, atomic_write

if TYPE_CHECKING:
    import pyarrow as pa

ROOT = Path(__file__).parents[1]
PREFIX = "inventory-shard-"  # of the folders of tasks
PARSED = "dbt/target/partial_parse.msgpack"
FAILURE_LENGTH = 2000  # of dbt's last words
NOT_SHARED = {"raw", "warehouse", "export", "dbt"}  # what a shard has of its own, or does not need


def readings_of(folder: Path, shard: str) -> Path:
    """Where the readings of a shard lie."""
    return folder / f"shard-{shard}"


@contextmanager
def project_parsed(folder: Path, newest: str, settings: Mapping[str, str]) -> Iterator[None]:
    """Parse the project for all shards while the block runs; a shard that finds nothing parses for itself."""
    with subprocess.Popen(
        _dbt("parse", newest),
        cwd=folder,
        env=_environment(folder, settings),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as parsing:
        try:
            yield
        except BaseException:
            parsing.kill()
            raise


def build_shard(
    data_dir: Path, folder: Path, newest: str, settings: Mapping[str, str], shard: str
) -> Iterator[pa.RecordBatch]:
    """Run dbt for a shard and yield its number and its warehouse, or what dbt said when it failed.

    Only warehouses whose names Spark returns are used, so that an attempt which Spark has given up harms none.
    """
    import pyarrow as pa

    warehouse, failure = folder / f"{shard}-{uuid4().hex}.duckdb", None
    with task_folder() as own:
        _link(data_dir, readings_of(folder, shard), own)
        if (folder / PARSED).exists():
            (own / PARSED).parent.mkdir(parents=True)
            shutil.copyfile(folder / PARSED, own / PARSED)
        dbt = subprocess.run(
            [*_dbt("build", newest), "--selector", "shard", "--exclude-resource-type", "unit_test"],
            cwd=own,
            env=_environment(own, settings),
            capture_output=True,
            text=True,
            check=False,
        )
        if dbt.returncode:
            failure = (dbt.stdout + dbt.stderr)[-FAILURE_LENGTH:]
        else:
            with atomic_write(warehouse) as temporary:
                shutil.copyfile(own / "warehouse/inventory.duckdb", temporary)
    yield pa.RecordBatch.from_pydict({"shard": [shard], "warehouse": [str(warehouse)], "failure": [failure]})


@contextmanager
def task_folder() -> Iterator[Path]:
    """A folder that a task holds. What killed tasks have left on this machine is removed first."""
    _remove_abandoned()
    unnamed = Path(tempfile.mkdtemp(prefix=TEMPORARY))
    lock = os.open(unnamed, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        folder = unnamed.rename(unnamed.with_name(f"{PREFIX}{uuid4().hex}"))  # others see it once it is held
        try:
            yield folder
        finally:
            shutil.rmtree(folder)
    finally:
        os.close(lock)


def _remove_abandoned() -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError):  # held, another user's, or removed by another task meanwhile
            lock = os.open(folder, os.O_RDONLY)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder)
            finally:
                os.close(lock)


def _dbt(command: str, newest: str) -> list[str]:
    places = ["--project-dir", str(ROOT), "--profiles-dir", str(ROOT)]
    shared = ["--target", "shard", "--vars", json.dumps({"newest_reading_at": newest}), "--quiet"]
    # Spark kills tasks that it has given up; their dbt would build on
    run = f"from ingest.stopping import die_with; die_with({os.getpid()}); from dbt.cli.main import cli; cli()"
    return [sys.executable, "-c", run, command, *places, *shared]


def _environment(folder: Path, settings: Mapping[str, str]) -> dict[str, str]:
    return {
        **os.environ,
        **settings,
        "INVENTORY_DATA_DIR": ".",  # by the same path in every shard, the project has to be parsed once only
        "INVENTORY_SHARD_MEMORY": _memory_per_core(),
        "LOKY_MAX_CPU_COUNT": "1",  # other tasks have the other cores
        "DBT_TARGET_PATH": str(folder / PARSED.rpartition("/")[0]),
        "DBT_LOG_PATH": str(folder / "dbt/logs"),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    }


def _link(data_dir: Path, readings: Path, own: Path) -> None:
    """A data folder that holds the readings of one shard, and all else that the whole one holds."""
    (own / "raw").mkdir()
    shared = [entry for entry in data_dir.iterdir() if entry.name not in NOT_SHARED]
    shared += [entry for entry in (data_dir / "raw").iterdir() if entry.name != "readings"]
    for entry in shared:
        (own / entry.relative_to(data_dir)).symlink_to(entry)
    (own / "raw/readings").symlink_to(readings)


def _memory_per_core() -> str:
    """DuckDB's share of this machine where each core runs a task; a quarter is left to Python and Spark."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return f"{memory * 3 // 4 // (os.cpu_count() or 1) // 2**20}MiB"
