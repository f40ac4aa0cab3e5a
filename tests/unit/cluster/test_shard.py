"""The folders in which tasks build shards."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from cluster.shard import PREFIX, task_folder

# a task that started dbt, says so and builds on
BUILDING = """
import subprocess, time
from cluster.shard import task_folder
with task_folder() as (folder, lock):
    dbt = subprocess.Popen(["sleep", "600"], pass_fds=[lock], stdout=subprocess.DEVNULL)
    print(folder, dbt.pid, flush=True)
    time.sleep(600)
"""


def test_a_folder_stays_while_a_process_holds_it_and_goes_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    task = subprocess.Popen(
        [sys.executable, "-c", BUILDING], env={**os.environ, "TMPDIR": str(tmp_path)}, stdout=subprocess.PIPE, text=True
    )
    assert task.stdout is not None
    folder, dbt = task.stdout.readline().split()

    def stays() -> bool:
        with task_folder() as (own, _):
            assert own.name.startswith(PREFIX)
            return Path(folder).exists()

    try:
        assert stays()
        task.kill()  # as Spark's executor and its tasks, while dbt goes on
        task.communicate()
        assert stays()
    finally:
        os.kill(int(dbt), signal.SIGKILL)
    while stays():  # a killed process still has to end
        time.sleep(0.01)
    assert not list(tmp_path.iterdir())
