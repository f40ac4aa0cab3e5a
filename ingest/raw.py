"""Folders of raw: one `batch-<id>` a micro-batch, written under a temporary name and committed by one rename.

Spark's own file sink is not used: only Spark can tell its committed files from those of a crashed batch, and DuckDB
reads raw.
"""

from __future__ import annotations

import ctypes
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ingest.landing import TEMPORARY, held, sync_folder

AT_FDCWD, RENAME_EXCHANGE = -100, 2
ARRIVAL = ["publish_time", "topic", "partition", "ledger_id", "entry_id", "batch_index"]


class ExchangeError(RuntimeError):
    """A folder cannot be replaced safely here; nothing was changed."""


@contextmanager
def exclusive_raw(raw: Path) -> Iterator[None]:
    """Hold raw for one writer, and clear what a killed one left half written.

    Raises LandingBusyError, naming the holder's process id.
    """
    with held(raw, "refining"):
        for leftover in [*raw.glob(f"{TEMPORARY}*/"), *raw.glob(f"*/{TEMPORARY}*/")]:
            shutil.rmtree(leftover)
        yield


def batch_folder(table: Path, batch_id: int) -> Path:
    """Where a table of raw keeps a micro-batch."""
    return table / f"batch-{batch_id:06d}"


def batch_ids(table: Path) -> set[int]:
    """The micro-batches that a table of raw holds."""
    return {batch_id_of(folder) for folder in table.glob("batch-*")}


def batch_id_of(folder: Path) -> int:
    """The micro-batch that a folder of a table of raw is named by."""
    return int(folder.name.removeprefix("batch-"))


def temporary_for(committed: Path) -> Path:
    """A name to write under, of this process alone: Spark's tasks may outlive a killed driver for some seconds."""
    return committed.with_name(f"{TEMPORARY}{committed.name}-{os.getpid()}")


def commit(temporary: Path, committed: Path) -> None:
    """Make a folder that is written whole durable and give it its name. The rename is the commit point."""
    sync_tree(temporary)
    temporary.rename(committed)  # the commit point
    sync_folder(committed.parent)


def exchange(one: Path, other: Path) -> None:
    """Give two folders each other's name in one step. Raises ExchangeError where that cannot be done."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    arguments = (AT_FDCWD, os.fsencode(one), AT_FDCWD, os.fsencode(other), RENAME_EXCHANGE)
    if rename is None or rename(*arguments):
        reason = os.strerror(ctypes.get_errno()) if rename else "no renameat2 on this system"
        raise ExchangeError(
            f"{other}: two folders cannot be exchanged in one step on this file system ({reason}); nothing was "
            "changed. Keep the data folder on a local Linux file system (ext4, xfs, btrfs, tmpfs)."
        )


def sync_tree(folder: Path) -> None:
    """Make a folder, all that is in it, and their names durable."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
        else:
            sync_folder(path)
    sync_folder(folder)


def uri(path: Path) -> str:
    """A local path as Spark takes it: with its scheme, but not percent-encoded."""
    return f"file://{path}"


def quoted(text: Path | str) -> str:
    """A path or a name as it stands between quotes in SQL."""
    return str(text).replace("'", "''")
