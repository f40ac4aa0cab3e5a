"""What is published of new stores is applied once, and again in a minute where that failed."""

from __future__ import annotations

import logging
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from dashboards.access import new_stores
from dashboards.access.access_file import AccessError
from dashboards.access.new_stores import NewStores


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "export").mkdir()
    path = tmp_path / "export/inventory_metrics.db"
    execute(path, "create table stores as select 'Store_A' as store_location, 'North' as region")
    return path


def execute(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as file, file:
        file.execute(statement)


def test_a_region_that_could_not_be_applied_is_applied_in_a_minute(path, monkeypatch, caplog):
    times, problems, applied = [0.0], [AccessError("no region South"), OSError("no space")], []

    def apply(_: NewStores) -> None:
        if problems:
            raise problems.pop()
        applied.append(times[0])

    monkeypatch.setattr(new_stores, "monotonic", lambda: times[0])
    monkeypatch.setattr(NewStores, "_apply", apply)
    stores = NewStores(path.parent.parent / "superset")
    stores.apply()
    assert applied == []
    execute(path, "update stores set region = 'South'")
    with pytest.raises(OSError, match="no space"):
        stores.apply()
    times[0] = 59.0
    stores.apply()
    assert len(problems) == 1
    times[0] = 60.0
    with caplog.at_level(logging.WARNING):
        stores.apply()
    assert "no region South" in caplog.text
    times[0] = 120.0
    stores.apply()
    stores.apply()
    assert applied == [120.0]
    execute(path, "update stores set region = 'West'")
    stores.apply()  # at once
    assert applied == [120.0, 120.0]
