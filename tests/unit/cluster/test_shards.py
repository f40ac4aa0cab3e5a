"""How stores are divided into shards."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from cluster import shards
from cluster.shards import SETTINGS, ShardError, built_shards, shards_of
from ingest.refining import tasks
from tests.conftest import ROOT


def test_shards_have_about_as_many_readings_each():
    stores = {"A": 9, "B": 5, "C": 4, "D": 4, "E": 1, "F": 1}
    assert shards_of(stores, 2) == {"A": 0, "B": 1, "C": 1, "D": 0, "E": 1, "F": 1}


@pytest.mark.parametrize("count", [1, 3, 5])
def test_no_shard_is_empty_and_the_order_of_stores_does_not_matter(count):
    stores = {f"Store_{number}": 7 for number in range(5)}
    shards = shards_of(stores, count)
    assert set(shards.values()) == set(range(count))
    assert shards_of(dict(reversed(stores.items())), count) == shards


def test_more_shards_than_stores_are_refused_before_anything_is_built(tmp_path: Path) -> None:
    readings = "select unnest(['Nord', 'West']) as store_location, timestamp '2026-06-30' as event_timestamp"
    refused = pytest.raises(ShardError, match=r"^3 shards are more than the 2 stores\. Build with --shards 2\.$")
    with refused, built_shards(None, tmp_path, readings, 3):  # type: ignore[arg-type]
        pytest.fail("something was built")
    assert not list(tmp_path.iterdir())


def test_a_time_limit_that_spark_meets_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Job:
        def collect(self) -> list[Any]:
            raise TimeoutError("timed out")

    monkeypatch.setattr(tasks, "in_tasks", lambda *_: Job())
    with pytest.raises(TimeoutError, match="timed out"):
        shards._build(None, tmp_path, tmp_path, "2026-06-30", {}, 2)  # type: ignore[arg-type]


def test_a_task_gets_all_settings_that_the_project_reads() -> None:
    folders = [ROOT / "models", ROOT / "macros"]
    files = [path for folder in folders for path in folder.rglob("*.*") if path.suffix in {".sql", ".yml"}]
    read = {name for file in files for name in re.findall(r"env_var\(['\"](\w+)['\"]", file.read_text())}
    assert read == {*SETTINGS, "INVENTORY_DATA_DIR"}  # a task has a data folder of its own
