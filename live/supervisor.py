"""Keep the stages running: each is a process of its own, started again with back-off when it ends."""

from __future__ import annotations

import signal
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tenacity import RetryCallState, Retrying, retry_if_exception_type, wait_exponential
from tenacity.nap import sleep_using_event
from tenacity.stop import stop_when_event_set

from live import child
from live.failures import record_failure
from live.report import report

LONGEST_PAUSE = 60.0  # times the first
HEALTHY_AFTER = 60.0  # seconds of work, after which a failure is a new one
FAILURES_TO_REPORT = 3  # in a row: a stage that works again at the first or second try needs nobody
SECONDS_TO_END = 20.0
SECONDS_BETWEEN_LOOKS = 0.2
SECONDS_FOR_LAST_LINES = 1.0


class StageEndedError(RuntimeError):
    """A stage ended by itself; the message is the last that it wrote."""


@dataclass
class Stage:
    """A stage: its name, the arguments of its process, what must be there before it can work; and how it goes.

    One that `ends` has done its work when its process ends well; others go on until they are stopped. `first_pause` is
    in seconds, after a failure.
    """

    name: str
    arguments: list[str]
    is_ready: Callable[[], bool] = lambda: True
    must_pause: Callable[[], bool] = lambda: False
    ends: bool = False
    first_pause: float = 1.0
    process: subprocess.Popen[str] | None = None
    failures: int = 0
    problem: str | None = None
    lines: list[str] = field(default_factory=list)

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None


class Supervisor:
    """The stages of a data folder, each kept by a thread of its own until the event `stop` is set."""

    def __init__(self, data_dir: Path, stages: list[Stage], stop: threading.Event) -> None:
        self.stages = stages
        self._data_dir = data_dir
        self._stop = stop
        # a child dies with the thread that started it, so each thread stays until its child has ended
        self._threads = [threading.Thread(target=self._keep, args=(stage,), name=stage.name) for stage in stages]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        """Wait until all have ended, after the event was set."""
        for thread in self._threads:
            thread.join()

    def _keep(self, stage: Stage) -> None:
        while not self._stop.is_set():
            if stage.must_pause() or not _is_ready(stage):
                self._stop.wait(SECONDS_BETWEEN_LOOKS)
                continue
            attempts = Retrying(
                retry=retry_if_exception_type(StageEndedError),
                wait=wait_exponential(stage.first_pause, max=LONGEST_PAUSE * stage.first_pause),
                stop=stop_when_event_set(self._stop),
                sleep=sleep_using_event(self._stop),
                before_sleep=lambda state: self._failed_again(stage, state),
                retry_error_callback=lambda _: None,
            )
            attempts(self._run, stage)

    def _run(self, stage: Stage) -> None:
        """Run a stage until it ends or must pause. Raises StageEndedError where it failed and had not worked for a
        while before."""
        if stage.must_pause():
            return
        started = time.monotonic()
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        try:
            stage.process = process = child.start(*stage.arguments, data_dir=self._data_dir, **pipes)
        except OSError as error:  # no memory for another process, say
            stage.failures += 1
            stage.problem = f"it cannot be started ({error.strerror})"
            report(f"[{stage.name}] {stage.problem}")
            raise StageEndedError(stage.problem) from error
        # what a stage leaves running holds the pipe open: nobody waits for its end
        stage.lines = []
        reader = threading.Thread(target=_read, args=(stage, process), daemon=True)
        reader.start()
        while process.poll() is None and not self._stop.wait(SECONDS_BETWEEN_LOOKS):
            if stage.must_pause():
                child.end(process, SECONDS_TO_END)
                return
        if self._stop.is_set():
            child.end(process, SECONDS_TO_END)
            return
        child.end(process)  # what it has started
        reader.join(SECONDS_FOR_LAST_LINES)
        if stage.ends and process.returncode == 0:
            stage.problem = None
            return
        stage.failures += 1
        stage.problem = _reason(stage, process.returncode)
        report(f"[{stage.name}] ended: {stage.problem}")
        if stage.ends or time.monotonic() - started < HEALTHY_AFTER:
            raise StageEndedError(stage.problem)

    def _failed_again(self, stage: Stage, state: RetryCallState) -> None:
        pause = state.next_action.sleep if state.next_action else 0.0
        report(f"[{stage.name}] starts again in {pause:.0f} s")
        if state.attempt_number % FAILURES_TO_REPORT == 0:
            try:
                record_failure(self._data_dir, stage.name, stage.problem or "")
            except OSError as error:  # a full disk stops stages first, and is no reason to stop keeping them
                report(f"[{stage.name}] the failure could not be recorded: {error}")


def _is_ready(stage: Stage) -> bool:
    try:
        return stage.is_ready()
    except OSError:  # a folder went while it was listed
        return False


def _read(stage: Stage, process: subprocess.Popen[str]) -> None:
    """Pass on what a stage writes, and keep its last lines."""
    assert process.stdout is not None
    for line in process.stdout:
        if text := line.strip():
            stage.lines = [*stage.lines[-4:], text]
            report(f"[{stage.name}] {text}")


def _reason(stage: Stage, code: int) -> str:
    if code < 0:
        return f"it was killed ({signal.Signals(-code).name})"
    return stage.lines[-1].removeprefix("Error: ") if stage.lines else f"exit code {code}"
