"""The stage that builds: the warehouse follows raw and is published, again and again in one warm process.

Levels, metrics and current stock follow each batch. Everything else is built whole on its own schedule.
"""

from __future__ import annotations

import json
import math
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from ingest.durable_files import file_lock
from ingest.stopping import stop_signals
from live import child
from live.failures import has_begun_to_fail, record_failure
from live.whole_build import prepare_rehearsal, remove_rehearsal
from pipeline import BUILT_WITH, BuildError, found_masters, project_digest, publish, run_dbt
from publish.build_failure import failure_noted
from publish.progress import progress, record, start_now

SECONDS_BETWEEN_LOOKS = 0.2
# seeds change with the project only, and the manifest was written when the project was parsed
FREQUENT = ("run", "--no-write-json", "--log-level-file", "warn", "--selector")
STARTS_AFTER = timedelta(minutes=5)  # the last readings of a day come late, and would change what fits learn from
RETRY_AFTER = timedelta(minutes=15)  # a whole build that failed
SOONEST = timedelta(hours=1)  # between two whole builds that failures of stages ask for
NEVER = datetime.min.replace(tzinfo=UTC)


@click.command()
@click.option("--full-every", type=float, required=True, help="Hours between whole builds")
@click.option("--data-dir", type=click.Path(path_type=Path), envvar="INVENTORY_DATA_DIR", required=True)
def command(full_every: float, data_dir: Path) -> None:
    """Build until stopped."""
    builder = Builder(data_dir, timedelta(hours=full_every))
    with stop_signals() as stop:
        try:
            while not stop.is_set():
                if not builder.step():
                    stop.wait(SECONDS_BETWEEN_LOOKS)
        except BuildError as error:
            raise click.ClickException(str(error)) from error
        finally:
            builder.stop()


class Builder:
    """The state of the stage: the parsed project, the shop's files that its views name, a whole build or its rehearsal
    that is running, and when to try a failed one again."""

    def __init__(self, data_dir: Path, full_every: timedelta) -> None:
        self._data_dir = data_dir
        self._full_every = full_every
        self._project = project_digest(data_dir)
        self._manifest: Any = None
        self._masters: dict[str, str] | None = None
        self._rehearsal: subprocess.Popen[str] | None = None
        self._whole: subprocess.Popen[str] | None = None
        self._not_before = -math.inf  # by the monotonic clock, since the other one may step
        remove_rehearsal(data_dir)

    def step(self) -> bool:
        """Do what is due; return whether anything was. Raises BuildError, and click.ClickException where publication is
        refused."""
        if self._whole is not None:
            if self._is_over(self._whole, "whole build"):
                ended_well = self._whole.poll() == 0
                self._whole = self._masters = None
                if ended_well and not self._can_follow:
                    raise BuildError("the project has changed meanwhile; the stage starts again with what it is now")
            return False  # it holds the warehouse
        if self._rehearsal is not None:
            if self._is_over(self._rehearsal, "rehearsal of the whole build"):
                self._rehearsal = None
                remove_rehearsal(self._data_dir)
                if time.monotonic() >= self._not_before:
                    self._whole = child.start("whole", data_dir=self._data_dir)
                    return True
        elif self._is_whole_due(datetime.now(UTC)):
            if not self._can_follow:  # nothing could go on meanwhile
                self._whole = child.start("whole", data_dir=self._data_dir)
                return True
            try:
                with file_lock(self._data_dir / "warehouse", "building", wait=True):
                    folder = prepare_rehearsal(self._data_dir)
            except OSError as error:
                remove_rehearsal(self._data_dir)
                click.echo(f"no rehearsal is possible ({error}); frequent builds wait for the whole build", err=True)
                self._whole = child.start("whole", data_dir=self._data_dir)
                return True
            self._rehearsal = child.start("whole", "--rehearsal", data_dir=folder)
        return self._can_follow and self._follow()

    def stop(self) -> None:
        """End a whole build or its rehearsal; the next one begins again, with what they have cached."""
        for process in filter(None, (self._whole, self._rehearsal)):
            child.end(process)
        remove_rehearsal(self._data_dir)

    @property
    def _can_follow(self) -> bool:
        """Whether the tables are there, and of this version of the project and this folder."""
        built_with = self._data_dir / BUILT_WITH
        return built_with.exists() and built_with.read_text() == self._project

    def _is_whole_due(self, now: datetime) -> bool:
        """Whether five past midnight (UTC), or a multiple of the interval after it, has passed since the last whole
        build began. A stage that has begun to fail since makes it due, too: only a whole build notifies of that."""
        if time.monotonic() < self._not_before:
            return False
        if not self._can_follow:
            return True
        last = progress(self._data_dir)["judged"].time
        if now - last >= SOONEST and has_begun_to_fail(self._data_dir, last):
            return True
        passed, passed_before = ((each - NEVER - STARTS_AFTER) // self._full_every for each in (now, last))
        return passed != passed_before  # a clock that was ahead once must not hold builds up until then

    def _follow(self) -> bool:
        """Take in the batches since the last build and publish them; return whether there were any."""
        if self._manifest is None:
            with file_lock(self._data_dir / "warehouse", "building", wait=True):
                self._manifest = run_dbt(self._data_dir, "parse")
        last, newest = progress(self._data_dir).get("published"), start_now(self._data_dir)
        if last and last.batch_id == newest.batch_id:  # batches count from 0 again after a withdrawal
            return False
        with (
            file_lock(self._data_dir / "warehouse", "building", wait=True),
            failure_noted(self._data_dir, frequent=True),
        ):
            start = start_now(self._data_dir)
            masters, known = found_masters(self._data_dir), self._masters
            selector = "frequent_again" if known is not None and masters.keys() == known.keys() else "frequent"
            # what is wrong with the same files has been said
            variables = json.dumps({"masters_checked": masters == known})
            run_dbt(self._data_dir, *FREQUENT, selector, "--vars", variables, manifest=self._manifest)
            self._masters = masters
            record(self._data_dir, start, "built")
            publish(self._data_dir, files_only=True)
            record(self._data_dir, start, "published")
        return True

    def _is_over(self, process: subprocess.Popen[str], what: str) -> bool:
        """Whether a whole build or its rehearsal has ended. Frequent builds go on after one that failed: what they
        publish is right, though the rest is of the last whole build."""
        code = process.poll()
        if code:
            problem = f"the {what} failed (exit code {code})"
            click.echo(f"{problem}; see above. It is tried again in {RETRY_AFTER}.", err=True)
            self._not_before = time.monotonic() + RETRY_AFTER.total_seconds()
            try:
                record_failure(self._data_dir, "whole build", problem)
            except OSError as error:  # a full disk
                click.echo(f"the failure could not be recorded: {error}", err=True)
        return code is not None
