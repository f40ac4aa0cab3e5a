"""The published file, as the pages know it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import date
from pathlib import Path

from dashboards.published import day_after_newest_reading
from ingest.shared_sqlite import shared_sqlite, transaction


def publish(path: Path, as_of: str | None) -> None:
    with shared_sqlite(path) as file, transaction(file):
        file.execute("CREATE TABLE IF NOT EXISTS pipeline_status (as_of TEXT)")
        file.execute("DELETE FROM pipeline_status")
        file.execute("INSERT INTO pipeline_status VALUES (?)", [as_of])


def test_periods_end_with_the_newest_reading_that_is_published_now(tmp_path):
    path = tmp_path / "inventory_metrics.db"
    publish(path, "2026-06-30 21:59:00")
    assert day_after_newest_reading(path) == date(2026, 7, 1)
    with closing(sqlite3.connect(path)) as reader:  # while it reads, what is published stays in the log
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM pipeline_status").fetchall()
        publish(path, "2026-07-02 00:00:00")
        assert day_after_newest_reading(path) == date(2026, 7, 3)
    publish(path, "2026-07-03 00:00:00")
    assert day_after_newest_reading(path) == date(2026, 7, 4)


def test_without_a_reading_periods_end_today(tmp_path):
    publish(tmp_path / "inventory_metrics.db", None)
    assert day_after_newest_reading(tmp_path / "inventory_metrics.db") > date.today()
