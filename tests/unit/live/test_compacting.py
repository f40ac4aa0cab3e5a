"""When small files are merged, and who stands still meanwhile."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner

from ingest.durable_files import file_lock
from live import child, compacting, supervisor
from live.compacting import compaction
from live.supervisor import Stage, Supervisor
from live.whole_build import FOLDER as REHEARSAL
from tests.unit.ingest.refining.test_compaction import files, raw_rows, write_batch
from tests.waiting import wait_until


def bring(data_dir: Path, *batch_ids: int) -> None:
    for batch_id in batch_ids:
        write_batch(data_dir / "raw/readings", batch_id, {"2026-01": 3, "2026-02": 2})


def test_it_is_due_after_so_many_batches_and_not_during_a_rehearsal(tmp_path: Path) -> None:
    stage = compaction(tmp_path, 4, [])
    bring(tmp_path, 0, 1, 2)
    assert not stage.is_ready()
    bring(tmp_path, 3)
    assert stage.is_ready()
    (tmp_path / REHEARSAL).mkdir(parents=True)
    assert not stage.is_ready()


def test_without_raw_it_waits(tmp_path: Path) -> None:
    assert not supervisor._is_ready(compaction(tmp_path, 4, []))


def test_merged_batches_are_not_due_again(tmp_path: Path) -> None:
    bring(tmp_path, *range(6))
    before = raw_rows(tmp_path / "raw/readings")
    assert CliRunner().invoke(compacting.command, ["--data-dir", str(tmp_path)]).exit_code == 0
    assert raw_rows(tmp_path / "raw/readings") == before
    assert not compaction(tmp_path, 4, []).is_ready()


def test_a_rehearsal_that_has_begun_meanwhile_keeps_its_files(tmp_path: Path) -> None:
    bring(tmp_path, *range(6))
    (tmp_path / REHEARSAL).mkdir(parents=True)
    before = files(tmp_path / "raw")
    assert CliRunner().invoke(compacting.command, ["--data-dir", str(tmp_path)]).exit_code == 0
    assert files(tmp_path / "raw") == before


def test_a_folder_that_somebody_else_goes_on_writing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compacting, "SECONDS_TO_END", 0.1)
    bring(tmp_path, *range(6))
    with file_lock(tmp_path / "raw", "refining"):
        result = CliRunner().invoke(compacting.command, ["--data-dir", str(tmp_path)])
    assert result.exit_code == 1
    assert f"process {os.getpid()} is refining here" in result.output


WRITER = """
import sys, time
from pathlib import Path
from ingest.durable_files import file_lock
from ingest.refining.raw import batch_ids
from tests.unit.live.test_compacting import bring

data_dir = Path(sys.argv[1])
with file_lock(data_dir / "raw", "refining"):
    while True:
        bring(data_dir / "raw/.tmp-next", batch := max(batch_ids(data_dir / "raw/readings"), default=-1) + 1)
        name = f"raw/readings/batch-{batch:06d}"
        (data_dir / "raw/.tmp-next" / name).rename(data_dir / name)
        time.sleep(0.02)
"""


@pytest.fixture
def stages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Stage, Stage]]:
    """Refinement, by a small process that writes batches, and the real compaction of them, both supervised."""
    real = child.start

    def start(*arguments: str, data_dir: Path, **options: object) -> subprocess.Popen[str]:
        if arguments == ("merge",):
            return real(*arguments, data_dir=data_dir, **options)
        writer = [sys.executable, "-c", WRITER, str(data_dir)]
        return subprocess.Popen(writer, start_new_session=True, text=True, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(child, "start", start)
    monkeypatch.setattr(supervisor, "LONGEST_PAUSE", 0.01)
    refining = Stage("land", [])
    merging = compaction(tmp_path, 20, [refining])
    (tmp_path / "raw/readings").mkdir(parents=True)
    stop = threading.Event()
    running = Supervisor(tmp_path, [refining, merging], stop)
    running.start()
    yield refining, merging
    stop.set()
    running.join()


def count(data_dir: Path) -> int:
    rows = raw_rows(data_dir / "raw/readings")
    assert set(rows.values()) == {1}
    return len(rows)


def newest(data_dir: Path) -> int:
    return max(int(folder.name[6:]) for folder in (data_dir / "raw/readings").glob("batch-*"))


def test_refinement_goes_on_while_a_build_holds_the_warehouse(tmp_path: Path, stages: tuple[Stage, Stage]) -> None:
    refining, merging = stages
    with file_lock(tmp_path / "warehouse", "building", wait=True):
        wait_until(lambda: merging.is_running and refining.is_running)
        before = newest(tmp_path)
        wait_until(lambda: newest(tmp_path) > before + 10)


def test_batches_are_merged_again_and_again_and_killed_compactions_lose_nothing(
    tmp_path: Path, stages: tuple[Stage, Stage]
) -> None:
    refining, merging = stages
    for killed in range(4):
        wait_until(lambda: merging.is_running and not refining.is_running)
        process = merging.process
        assert process is not None
        if killed % 2:  # else it ends well
            time.sleep(0.02 * killed)
            process.kill()
        wait_until(lambda process=process: process.poll() is not None)
        for _ in range(100):
            try:
                found, batches = count(tmp_path), newest(tmp_path)
                break
            except duckdb.IOException:  # a compaction came in between
                time.sleep(0.1)
        assert 5 * batches <= found <= 5 * (batches + 2)
    wait_until(lambda: refining.is_running)
    assert refining.failures == 0
