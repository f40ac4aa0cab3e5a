"""The published file, as the pages know it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import date
from pathlib import Path

from dashboards.published import day_after_newest_reading, file_id


def publish(path: Path, as_of: str | None) -> None:
    written = path.with_suffix(".new")
    with closing(sqlite3.connect(written)) as file, file:
        file.execute("CREATE TABLE pipeline_status (as_of TEXT)")
        file.execute("INSERT INTO pipeline_status VALUES (?)", [as_of])
    written.rename(path)


def test_periods_end_with_the_newest_reading_of_the_file_that_is_there_now(tmp_path):
    path = tmp_path / "inventory_metrics.db"
    publish(path, "2026-06-30 21:59:00")
    first = file_id(path)
    assert day_after_newest_reading(path) == date(2026, 7, 1)
    publish(path, "2026-07-02 00:00:00")
    assert file_id(path) != first
    assert day_after_newest_reading(path) == date(2026, 7, 3)


def test_without_a_reading_periods_end_today(tmp_path):
    publish(tmp_path / "inventory_metrics.db", None)
    assert day_after_newest_reading(tmp_path / "inventory_metrics.db") > date.today()
