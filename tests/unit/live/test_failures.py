"""When a stage failed last."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

from live.failures import FOLDER, newest_failure, record_failure


def test_the_newest_failure_is_of_the_newest_day(tmp_path: Path) -> None:
    assert newest_failure(tmp_path) is None
    before = tmp_path / FOLDER / "publish_date=2026-06-30/failure.parquet"
    before.parent.mkdir(parents=True)
    before.touch()
    os.utime(before, (1, 1))
    assert newest_failure(tmp_path) == datetime.fromtimestamp(1, UTC)
    started = datetime.now(UTC)
    record_failure(tmp_path, "land", "no room")
    newest = newest_failure(tmp_path)
    assert newest is not None
    assert abs((newest - started).total_seconds()) < 60
