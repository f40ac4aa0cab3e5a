"""The folders of raw: one `batch-<id>` per micro-batch, written under a temporary name and committed by one rename.

Spark's own file sink is not used. Only Spark knows which of its files are committed, and DuckDB, which reads raw, would
also read those of a crashed batch.
"""

from __future__ import annotations

import os
from pathlib import Path

from ingest.durable_files import TEMPORARY

ARRIVAL = ["publish_time", "topic", "partition", "ledger_id", "entry_id", "batch_index"]


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
    """A temporary name that only this process uses: the tasks of a killed driver may go on writing for some seconds."""
    return committed.with_name(f"{TEMPORARY}{committed.name}-{os.getpid()}")


def uri(path: Path) -> str:
    """A local path as Spark takes it: with its scheme, but not percent-encoded."""
    return f"file://{path}"
