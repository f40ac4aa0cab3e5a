"""What is left of tasks that are killed while they build shards: nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest

from cluster.shard import PREFIX, task_folder
from tests.waiting import wait_until

BUILDING = """
import sys
from pathlib import Path
from cluster.shard import build_shard
data_dir, folder = map(Path, sys.argv[1:])
list(build_shard(data_dir, folder, "2026-06-30", {}, "0"))
"""


def is_running(process: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False


def test_dbt_dies_with_its_task_and_their_folder_goes_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary, data_dir = tmp_path / "temporary", tmp_path / "data"
    for folder in (temporary, data_dir / "raw"):
        folder.mkdir(parents=True)
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))

    def left() -> list[Path]:
        """The folders of tasks that stay when another one starts."""
        with task_folder() as own:
            return [folder for folder in temporary.glob(f"{PREFIX}*") if folder != own]

    task = subprocess.Popen(
        [sys.executable, "-c", BUILDING, str(data_dir), str(tmp_path)], env={**os.environ, "TMPDIR": str(temporary)}
    )
    try:
        wait_until(lambda: list(temporary.glob(f"{PREFIX}*/dbt/logs/*")))
        (dbt,) = map(int, Path(f"/proc/{task.pid}/task/{task.pid}/children").read_text().split())
        os.kill(dbt, signal.SIGSTOP)  # it cannot end by itself
        assert left()
    finally:
        task.kill()  # as Spark does with a task that it has given up
        task.wait()
    try:
        wait_until(lambda: not is_running(dbt))
    finally:
        with suppress(ProcessLookupError):
            os.kill(dbt, signal.SIGKILL)
    assert not left()
    assert not list(temporary.iterdir())
