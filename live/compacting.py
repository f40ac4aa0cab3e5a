"""The stage that compacts, while no other stage writes or reads what it merges.

It holds the warehouse, so no build reads raw meanwhile. Once it does, the stages that load and refine are paused, and
Pulsar keeps what arrives.
"""

from __future__ import annotations

from pathlib import Path

import click
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from ingest.durable_files import FolderBusyError, file_lock, lock_holder
from ingest.refining.compaction import compact, failures_explained
from live.supervisor import SECONDS_TO_END, Stage
from live.whole_build import FOLDER as REHEARSAL

DOING = "compacting"
FIRST_PAUSE = 60.0  # after a failure: each attempt stops the flow of readings for seconds
SECONDS_BETWEEN_LOOKS = 0.2


def compaction(data_dir: Path, batch_count: int, paused: list[Stage]) -> Stage:
    """The stage, due whenever raw holds so many micro-batches, and its effect on those that are paused meanwhile."""
    stage = Stage("compact", ["merge"], lambda: _is_due(data_dir, batch_count), ends=True, first_pause=FIRST_PAUSE)
    for other in paused:
        other.must_pause = lambda: stage.is_running and DOING in (lock_holder(data_dir / "warehouse") or "")
    return stage


def _is_due(data_dir: Path, batch_count: int) -> bool:
    batches = sum(1 for _ in (data_dir / "raw/readings").iterdir())
    return batches >= batch_count and not (data_dir / REHEARSAL).exists()


@click.command()
@click.option("--data-dir", type=click.Path(path_type=Path), envvar="INVENTORY_DATA_DIR", required=True)
def command(data_dir: Path) -> None:
    """Compact once."""
    with file_lock(data_dir / "warehouse", DOING, wait=True):
        if (data_dir / REHEARSAL).exists():
            return  # a rehearsal reads raw without holding this warehouse; it is due again afterwards
        until_paused = Retrying(
            retry=retry_if_exception_type(FolderBusyError),
            wait=wait_fixed(SECONDS_BETWEEN_LOOKS),
            stop=stop_after_delay(2 * SECONDS_TO_END),
            reraise=True,
        )
        with failures_explained(data_dir):
            until_paused(compact, data_dir, "local[*]")
