"""When stages have failed, as whole builds ask."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ingest.refining.compaction import compact_landing
from live import failures
from live.failures import FOLDER, has_begun_to_fail, record_failure

BUILT = datetime(2026, 6, 30, 12, tzinfo=UTC)


def fail(data_dir: Path, monkeypatch: pytest.MonkeyPatch, stage: str, hours: float) -> None:
    """Record a failure so many hours after the last whole build."""

    class Clock(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:
            return BUILT + timedelta(hours=hours)

    with monkeypatch.context() as patch:
        patch.setattr(failures, "datetime", Clock)
        record_failure(data_dir, stage, "no room")


def test_a_stage_that_fails_on_asks_for_one_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not has_begun_to_fail(tmp_path, BUILT)
    fail(tmp_path, monkeypatch, "land", -0.5)
    assert has_begun_to_fail(tmp_path, BUILT - timedelta(hours=1))
    assert not has_begun_to_fail(tmp_path, BUILT)
    fail(tmp_path, monkeypatch, "land", 0.5)
    assert not has_begun_to_fail(tmp_path, BUILT)
    fail(tmp_path, monkeypatch, "load", 0.6)
    assert has_begun_to_fail(tmp_path, BUILT)


def test_a_stage_that_fails_again_after_hours_asks_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fail(tmp_path, monkeypatch, "land", -20)
    fail(tmp_path, monkeypatch, "land", 0.5)
    assert len(list((tmp_path / FOLDER).glob("publish_date=*"))) == 2
    assert has_begun_to_fail(tmp_path, BUILT)


def test_merged_failures_say_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for stage, hours in (("land", -0.5), ("land", 0.5), ("load", 0.6)):
        fail(tmp_path, monkeypatch, stage, hours)
    compact_landing(tmp_path / FOLDER)
    assert len(list((tmp_path / FOLDER).glob("*/*.parquet"))) == 1
    assert has_begun_to_fail(tmp_path, BUILT)
    assert not has_begun_to_fail(tmp_path, BUILT + timedelta(hours=1))
