"""Failures of stages as landed events, of which the rule `failing_stage` notifies."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from ingest.durable_files import file_lock
from ingest.events import FAILURES
from ingest.landing.commit import land, landed_file, to_table

FOLDER = "landing_failures"
TOPIC = "failures"


def record_failure(data_dir: Path, stage: str, problem: str) -> None:
    """Land a failure; when this returns, it outlives a power cut."""
    import pyarrow as pa

    now = datetime.now(UTC)
    failure = {"failure_id": secrets.token_hex(16), "stage": stage, "problem": problem, "event_timestamp": now}
    with file_lock(data_dir / FOLDER, "recording a failure", wait=True):
        ids = ([int(now.timestamp() * 1_000_000)], [0], [0])
        published = pa.array([now], pa.timestamp("us", "UTC"))
        land(data_dir / FOLDER, TOPIC, 0, to_table(FAILURES, TOPIC, 0, ids, published, [msgspec.json.encode(failure)]))


def newest_failure(data_dir: Path) -> datetime | None:
    """When the newest failure was recorded. Those of days before are not looked at: a stage may fail for weeks."""
    newest_day = max((data_dir / FOLDER).glob("publish_date=*"), default=data_dir / FOLDER)
    # by the ids in the names: compaction changes the dates of files
    recorded = [landed_file(path).last.ledger_id for path in newest_day.glob("*.parquet")]
    return datetime.fromtimestamp(max(recorded) / 1_000_000, UTC) if recorded else None
