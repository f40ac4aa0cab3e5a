"""Failures of stages as landed events, of which the rule `failing_stage` notifies."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path

import msgspec

from ingest.durable_files import file_lock
from ingest.events import FAILURES
from ingest.landing.commit import land, landed_file, to_table

FOLDER = "landing_failures"
TOPIC = "failures"
STILL_FAILING = timedelta(hours=4)  # a compaction that fails is tried each hour, and recorded each third time


def record_failure(data_dir: Path, stage: str, problem: str) -> None:
    """Land a failure; when this returns, it outlives a power cut."""
    import pyarrow as pa

    now = datetime.now(UTC)
    failure = {"failure_id": secrets.token_hex(16), "stage": stage, "problem": problem, "event_timestamp": now}
    with file_lock(data_dir / FOLDER, "recording a failure", wait=True):
        ids = ([int(now.timestamp() * 1_000_000)], [0], [0])
        published = pa.array([now], pa.timestamp("us", "UTC"))
        land(data_dir / FOLDER, TOPIC, 0, to_table(FAILURES, TOPIC, 0, ids, published, [msgspec.json.encode(failure)]))


def has_begun_to_fail(data_dir: Path, since: datetime) -> bool:
    """Whether a stage has failed since then that had not failed for some hours before."""
    newest = newest_failure(data_dir)
    try:
        return newest is not None and newest > since and _is_of_another_stage(data_dir, since, newest)
    except FileNotFoundError:  # compaction took it meanwhile
        return False


def newest_failure(data_dir: Path) -> datetime | None:
    """When the newest failure was recorded."""
    return max((_recorded_at(path) for path in _newest_files(data_dir, 1)), default=None)


@lru_cache(maxsize=1)
def _is_of_another_stage(data_dir: Path, since: datetime, newest: datetime) -> bool:
    """The answer stays the same until there is a newer failure."""
    import pyarrow.parquet as pq

    failed: set[str] = set()
    failed_before: set[str] = set()
    for path in _newest_files(data_dir, 2):
        if _recorded_at(path) >= since - STILL_FAILING:
            for row in pq.read_table(path, columns=["stage", "publish_time"], partitioning=None).to_pylist():
                if row["publish_time"] > since:
                    failed.add(row["stage"])
                elif row["publish_time"] >= since - STILL_FAILING:
                    failed_before.add(row["stage"])
    return bool(failed - failed_before)


def _newest_files(data_dir: Path, days: int) -> list[Path]:
    """The files of the newest days with failures: a stage may fail for weeks."""
    folders = sorted((data_dir / FOLDER).glob("publish_date=*"))[-days:]
    return [path for folder in folders for path in folder.glob("*.parquet")]


def _recorded_at(path: Path) -> datetime:
    """When the newest failure in a file was recorded. Its name says so; compaction changes the date of the file."""
    return datetime.fromtimestamp(landed_file(path).last.ledger_id / 1_000_000, UTC)
