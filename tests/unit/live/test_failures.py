"""When a stage failed last."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from ingest.refining.compaction import compact_landing
from live.failures import FOLDER, newest_failure, record_failure


def test_the_newest_failure_is_of_the_newest_day(tmp_path: Path) -> None:
    assert newest_failure(tmp_path) is None
    record_failure(tmp_path, "load", "no broker")
    (today,) = (tmp_path / FOLDER).glob("publish_date=*")
    today.rename(today.with_name("publish_date=2026-06-30"))
    assert newest_failure(tmp_path) is not None
    started = datetime.now(UTC)
    record_failure(tmp_path, "land", "no room")
    newest = newest_failure(tmp_path)
    assert newest is not None
    assert started <= newest <= datetime.now(UTC)


def test_merged_failures_are_as_new_as_before(tmp_path: Path) -> None:
    for problem in ("no room", "no memory"):
        record_failure(tmp_path, "land", problem)
    before = newest_failure(tmp_path)
    compact_landing(tmp_path / FOLDER)
    assert len(list((tmp_path / FOLDER).glob("*/*.parquet"))) == 1
    assert newest_failure(tmp_path) == before
