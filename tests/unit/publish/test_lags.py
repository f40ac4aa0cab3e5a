"""Lags from the files that the stages leave."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from publish.lags import Lag, lags
from publish.progress import BuildStart, record

NOW = datetime(2026, 6, 30, 12, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def write(path: Path, *published: float, finished: float) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    times = pa.array([at(seconds) for seconds in published], pa.timestamp("us", "UTC"))
    pq.write_table(pa.table({"publish_time": times}), path)
    os.utime(path, (at(finished).timestamp(),) * 2)


def commit(data_dir: Path, batch_id: int, listed: float) -> None:
    """What Spark leaves of a micro-batch."""
    for folder in ("offsets", "commits"):
        path = data_dir / f"raw/_checkpoint/{folder}/{batch_id}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        os.utime(path, (at(listed).timestamp(),) * 2)


def test_a_folder_without_events_has_no_stages(tmp_path: Path) -> None:
    assert lags(tmp_path, NOW) == []


def test_a_stage_is_as_old_as_the_oldest_message_that_it_has_not_passed_on(tmp_path: Path) -> None:
    write(tmp_path / "landing/publish_date=2026-06-30/a.parquet", -60, -50, finished=-49)
    write(tmp_path / "landing/publish_date=2026-06-30/b.parquet", -40, -30, finished=-29)
    write(tmp_path / "landing/publish_date=2026-06-30/c.parquet", -20, -10, finished=-9)
    write(tmp_path / "raw/readings/batch-000000/event_month=2026-06/a.parquet", -60, -50, finished=-44)
    write(tmp_path / "raw/readings/batch-000001/event_month=2026-06/b.parquet", -40, -30, finished=-24)
    commit(tmp_path, 0, listed=-45)
    commit(tmp_path, 1, listed=-25)
    (tmp_path / "warehouse").mkdir()
    record(tmp_path, BuildStart(1, at(-20).timestamp()), "built")
    record(tmp_path, BuildStart(0, at(-40).timestamp()), "published", "served")
    assert lags(tmp_path, NOW) == [
        Lag("refined", 20, at(-30)),
        Lag("built", 20, at(-30)),
        Lag("published", 40, at(-50)),
        Lag("served", 40, at(-50)),
    ]


def test_nothing_waits_where_all_is_passed_on(tmp_path: Path) -> None:
    write(tmp_path / "landing/publish_date=2026-06-30/a.parquet", -60, finished=-59)
    write(tmp_path / "raw/readings/batch-000000/event_month=2026-06/a.parquet", -60, finished=-44)
    commit(tmp_path, 0, listed=-45)
    (tmp_path / "warehouse").mkdir()
    record(tmp_path, BuildStart(0, at(-40).timestamp()), "built", "published")
    assert {lag.seconds for lag in lags(tmp_path, NOW)} == {0}


def test_only_days_that_may_hold_what_waits_are_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    landing = tmp_path / "landing"
    for day in range(20, 31):
        write(landing / f"publish_date=2026-06-{day}/a.parquet", -60, finished=-59)
        os.utime(landing / f"publish_date=2026-06-{day}", (at(-59).timestamp(),) * 2)
    commit(tmp_path, 0, listed=-45)
    write(landing / "publish_date=2026-06-22/late.parquet", -40, finished=-29)  # what a broker had kept for days
    listed = []
    glob = Path.glob
    monkeypatch.setattr(Path, "glob", lambda path, pattern: listed.append(path.name) or glob(path, pattern))
    assert lags(tmp_path, NOW) == [Lag("refined", 40, at(-60))]
    assert [name for name in listed if name.startswith("publish_date=")] == [
        "publish_date=2026-06-22",
        "publish_date=2026-06-29",
        "publish_date=2026-06-30",
    ]
