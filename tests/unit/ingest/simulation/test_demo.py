"""The demo lands where nothing else does, and makes way for somebody's own events."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from click import ClickException

from ingest.durable_files import file_lock
from ingest.landing.commit import landed_topics
from ingest.simulation.demo import BUILT, MASTERS, land_events
from tests.unit.ingest.test_events import EVENT


def one_event(folder: Path, name: str) -> Path:
    path = folder / name
    path.write_bytes(msgspec.json.encode(EVENT) + b"\n")
    return path


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A data folder with a demo that is landed and built."""
    folder = tmp_path / "data"
    (folder / "events" / "demo.truth").mkdir(parents=True)
    for name in ("demo.ndjson", "demo.actuals-2026-06-30.ndjson"):
        land_events(folder, one_event(folder / "events", name))
    for name in BUILT:
        (folder / name).mkdir()
    return folder


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name != ".lock")


def test_the_demo_makes_way_for_somebodys_one_event(data_dir, tmp_path):
    land_events(data_dir, one_event(tmp_path, "own.ndjson"))
    assert landed_topics(data_dir / "landing") == ["own.ndjson"]
    assert names(data_dir) == ["events", "landing"]
    assert names(data_dir / "events") == []


def test_what_the_demo_says_of_its_stores_goes_with_it_and_what_a_shop_says_stays(data_dir, tmp_path):
    for name in MASTERS:
        (data_dir / "events/demo.truth" / name).write_text("demo")
        (data_dir / name).write_text("demo")
    (data_dir / MASTERS[0]).write_text("a shop's own")
    land_events(data_dir, one_event(tmp_path, "own.ndjson"))
    assert names(data_dir) == ["events", "landing", MASTERS[0]]


def test_files_that_only_begin_like_the_demos_stay(data_dir, tmp_path):
    beside = one_event(data_dir / "events", "demo.shop.ndjson")
    land_events(data_dir, beside)
    land_events(data_dir, one_event(tmp_path, "demo.of.my.own.ndjson"))
    assert landed_topics(data_dir / "landing") == ["demo.of.my.own.ndjson", "demo.shop.ndjson"]
    assert beside.exists()


def test_events_that_cannot_be_landed_leave_the_demo(data_dir, tmp_path):
    with pytest.raises(ClickException, match="no such file"):
        land_events(data_dir, tmp_path / "missing.ndjson")
    assert {*BUILT} < {*names(data_dir)}
    assert "demo.ndjson" in landed_topics(data_dir / "landing")


def test_events_of_the_demos_name_are_refused_before_they_land(data_dir, tmp_path):
    with pytest.raises(ClickException, match="Rename yours"):
        land_events(data_dir, one_event(tmp_path, "demo.ndjson"))
    assert {*BUILT} < {*names(data_dir)}


def test_a_data_folder_that_is_in_use_keeps_the_demo(data_dir, tmp_path):
    with file_lock(data_dir / "raw", "refining"), pytest.raises(ClickException, match="is refining here"):
        land_events(data_dir, one_event(tmp_path, "own.ndjson"))
    assert "demo.ndjson" in landed_topics(data_dir / "landing")
    land_events(data_dir, tmp_path / "own.ndjson")
    assert landed_topics(data_dir / "landing") == ["own.ndjson"]


def test_the_demo_is_made_only_where_nothing_is_landed(tmp_path, monkeypatch):
    made: list[Path] = []

    def generate(*_: object) -> tuple[int, int]:
        made.append(one_event(tmp_path / "events", "demo.ndjson"))
        return 1, 0

    monkeypatch.setattr("ingest.simulation.generate_data.generate", generate)
    monkeypatch.setattr("ingest.simulation.demo.NOTES", 1)
    (tmp_path / "events").mkdir()
    land_events(tmp_path, None)
    land_events(tmp_path, None)
    assert made == [tmp_path / "events" / "demo.ndjson"]
    assert landed_topics(tmp_path / "landing_notes") == ["demo.notes.ndjson"]
    land_events(tmp_path, one_event(tmp_path, "own.ndjson"))
    assert landed_topics(tmp_path / "landing_notes") == []
    assert names(tmp_path / "events") == []
    land_events(tmp_path, None)
    assert made == [tmp_path / "events" / "demo.ndjson"]
    assert landed_topics(tmp_path / "landing") == ["own.ndjson"]
