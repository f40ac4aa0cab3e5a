"""Stages that end, that hang, and that lose their supervisor."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pyarrow.parquet as pq
import pytest

from live import child, supervisor
from live.supervisor import Stage, Supervisor
from tests.conftest import ROOT
from tests.waiting import wait_until


@pytest.fixture
def keep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Stage]]:
    """Keep a stage that runs a line of Python instead of a subcommand, until the test is over."""

    def start(code: str, *, data_dir: Path, **options: object) -> subprocess.Popen[str]:
        arguments = [sys.executable, "-c", code]
        return subprocess.Popen(arguments, start_new_session=True, text=True, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(child, "start", start)
    monkeypatch.setattr(supervisor, "LONGEST_PAUSE", 0.1)
    monkeypatch.setattr(supervisor, "SECONDS_TO_END", 1.0)
    stop = threading.Event()
    running: list[Supervisor] = []

    def run(code: str, is_ready: Callable[[], bool] = lambda: True, **options: Any) -> Stage:
        stage = Stage("land", [code], is_ready, **options)
        running.append(Supervisor(tmp_path, [stage], stop))
        running[0].start()
        return stage

    yield run
    stop.set()
    for each in running:
        each.join()


def test_a_stage_that_ends_starts_again_and_says_why_it_ended(keep: Callable[..., Stage]) -> None:
    stage = keep("print('Error: the disk is full'); raise SystemExit(1)")
    wait_until(lambda: stage.failures >= 2)
    assert stage.problem == "the disk is full"


def test_a_stage_that_says_nothing_is_not_reported_by_what_it_said_before(
    keep: Callable[..., Stage], tmp_path: Path
) -> None:
    before = tmp_path / "before"
    stage = keep(
        f"""
from pathlib import Path
if Path({str(before)!r}).exists():
    raise SystemExit(3)
Path({str(before)!r}).touch()
print("all is well")
raise SystemExit(2)
"""
    )
    wait_until(lambda: stage.failures >= 2)
    assert stage.problem == "exit code 3"


def test_a_stage_that_is_killed_works_again_without_a_notification(keep: Callable[..., Stage], tmp_path: Path) -> None:
    stage = keep("import time; time.sleep(600)")
    wait_until(lambda: stage.is_running)
    os.kill(stage.process.pid, signal.SIGKILL)
    wait_until(lambda: stage.failures == 1 and stage.is_running)
    assert stage.problem == "it was killed (SIGKILL)"
    assert not (tmp_path / "landing_failures").exists()


def test_three_failures_in_a_row_are_landed(keep: Callable[..., Stage], tmp_path: Path) -> None:
    keep("raise SystemExit('no room')")
    wait_until(lambda: list(tmp_path.glob("landing_failures/publish_date=*/*.parquet")))
    (file, *_) = tmp_path.glob("landing_failures/publish_date=*/*.parquet")
    (row,) = pq.ParquetFile(file).read().to_pylist()
    assert (row["stage"], row["problem"], row["error"]) == ("land", "no room", None)


def test_a_stage_waits_for_what_it_works_on(keep: Callable[..., Stage]) -> None:
    ready: list[bool] = []
    stage = keep("import time; time.sleep(600)", lambda: bool(ready))
    time.sleep(0.5)
    assert stage.process is None
    ready.append(True)
    wait_until(lambda: stage.is_running)


def test_a_stage_that_must_pause_ends_without_a_failure_and_goes_on_afterwards(keep: Callable[..., Stage]) -> None:
    pauses: list[bool] = []
    stage = keep("import time; time.sleep(600)", must_pause=lambda: bool(pauses))
    wait_until(lambda: stage.is_running)
    pauses.append(True)
    wait_until(lambda: not stage.is_running)
    time.sleep(0.5)
    assert not stage.is_running
    pauses.clear()
    wait_until(lambda: stage.is_running)
    assert stage.failures == 0


def test_a_stage_that_ends_well_is_no_failure_and_runs_when_it_is_due_again(
    keep: Callable[..., Stage], tmp_path: Path
) -> None:
    due, done = tmp_path / "due", tmp_path / "done"
    code = f"from pathlib import Path; Path({str(due)!r}).unlink(); Path({str(done)!r}).open('a').write('.')"
    stage = keep(code, due.exists, ends=True)
    for runs in (".", ".."):
        due.touch()
        wait_until(lambda runs=runs: done.exists() and done.read_text() == runs)
    assert stage.failures == 0


def test_a_stage_that_ends_badly_is_tried_again_however_long_it_worked(
    keep: Callable[..., Stage], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "HEALTHY_AFTER", 0.0)
    keep("raise SystemExit('no room')", ends=True)
    wait_until(lambda: list(tmp_path.glob("landing_failures/publish_date=*/*.parquet")))


def test_a_stage_that_does_not_heed_sigterm_is_ended(tmp_path: Path, keep: Callable[..., Stage]) -> None:
    stage = keep("import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('on'); time.sleep(600)")
    wait_until(lambda: stage.lines)
    # the fixture stops it, and waits for its end


def test_a_stage_that_cannot_be_started_is_tried_again(
    keep: Callable[..., Stage], monkeypatch: pytest.MonkeyPatch
) -> None:
    start, attempts = child.start, iter([OSError(errno.ENOMEM, "Cannot allocate memory")])

    def short_of_memory(*arguments: str, **options: Any) -> subprocess.Popen[str]:
        for error in attempts:
            raise error
        return start(*arguments, **options)

    monkeypatch.setattr(child, "start", short_of_memory)
    stage = keep("import time; time.sleep(600)")
    wait_until(lambda: stage.is_running)
    assert stage.problem == "it cannot be started (Cannot allocate memory)"


def test_a_stage_is_read_on_where_nobody_can_take_what_it_says(
    keep: Callable[..., Stage], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr(click, "echo", refuse)
    stage = keep("print('first'); print('second'); raise SystemExit('third')")
    wait_until(lambda: stage.failures >= 2)
    assert stage.problem == "third"


def test_a_stage_reads_the_files_that_settings_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PULSAR_TOKEN_FILE", "secrets/token")
    process = child.start("load", data_dir=tmp_path)
    path = Path(f"/proc/{process.pid}/environ")
    wait_until(path.read_bytes)  # empty until the new program is loaded
    environment = path.read_bytes().split(b"\0")
    child.end(process)
    assert f"PULSAR_TOKEN_FILE={tmp_path}/secrets/token".encode() in environment


def test_a_stage_may_write_any_bytes() -> None:
    process = child.start("no such \udcff command", data_dir=Path("/nowhere"), stderr=subprocess.PIPE)
    assert process.stderr is not None
    assert process.stderr.errors == "replace"
    child.end(process)


def test_a_stage_dies_with_a_supervisor_that_is_killed() -> None:
    code = """
        import time
        from pathlib import Path
        from live import child
        print(child.start("deliver", "--data-dir", "/nowhere", data_dir=Path("/nowhere")).pid, flush=True)
        time.sleep(600)
    """
    parent = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert parent.stdout is not None
    orphan = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    wait_until(lambda: not Path(f"/proc/{orphan}").exists() or "Z" in Path(f"/proc/{orphan}/stat").read_text())
