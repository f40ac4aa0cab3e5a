"""When a whole build is due, and what goes on meanwhile."""

from __future__ import annotations

import errno
import json
import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from live import building, child
from live.building import Builder
from live.whole_build import FOLDER
from pipeline import BUILT_WITH, BuildError, project_digest
from publish.build_failure import failed_at
from publish.progress import BuildStart, progress, record, start_now


class Process:
    """A child that runs until it is given an exit code."""

    def __init__(self, *arguments: str) -> None:
        self.arguments = arguments
        self.code: int | None = None

    def poll(self) -> int | None:
        return self.code


@pytest.fixture
def children(monkeypatch: pytest.MonkeyPatch) -> list[Process]:
    started: list[Process] = []

    def start(*arguments: str, **_: Any) -> Process:
        started.append(Process(*arguments))
        return started[-1]

    monkeypatch.setattr(child, "start", start)
    return started


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """The dbt commands that ran, instead of them; publication does nothing."""
    ran: list[tuple[str, ...]] = []
    monkeypatch.setattr(building, "run_dbt", lambda _, *arguments, **__: ran.append(arguments) or "a manifest")
    monkeypatch.setattr(building, "publish", lambda *_, **__: None)
    return ran


def bring(data_dir: Path, batch_id: int) -> None:
    (data_dir / f"raw/readings/batch-{batch_id:06d}").mkdir(parents=True)


def how_built(arguments: tuple[str, ...]) -> tuple[str, bool]:
    """The selector of a frequent build, and whether the shop's files passed for checked."""
    *_, selector, _, variables = arguments
    return selector, json.loads(variables)["masters_checked"]


def judged(data_dir: Path, at: datetime) -> None:
    """Leave what a whole build leaves."""
    (data_dir / BUILT_WITH).write_text(project_digest(data_dir))
    record(data_dir, BuildStart(start_now(data_dir).batch_id, at.timestamp()), "built", "judged", "published")


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    (tmp_path / "warehouse").mkdir()
    bring(tmp_path, 0)
    return tmp_path


def test_the_first_build_is_whole(data_dir: Path, children: list[Process], built: list[Any]) -> None:
    builder = Builder(data_dir, timedelta(hours=24))
    assert builder.step()
    assert not builder.step()
    assert [each.arguments for each in children] == [("whole",)]
    assert not built


def test_a_new_version_of_the_project_builds_all(data_dir: Path, children: list[Process], built: list[Any]) -> None:
    judged(data_dir, datetime.now(UTC))
    (data_dir / BUILT_WITH).write_text("another version")
    assert Builder(data_dir, timedelta(days=10_000)).step()
    assert [each.arguments for each in children] == [("whole",)]


def test_a_new_batch_is_built_and_published_once(data_dir: Path, built: list[Any]) -> None:
    judged(data_dir, datetime.now(UTC))
    builder = Builder(data_dir, timedelta(days=10_000))
    assert not builder.step()
    bring(data_dir, 1)
    assert builder.step()
    assert not builder.step()
    assert [arguments[0] for arguments in built] == ["parse", "run"]
    assert progress(data_dir)["published"].batch_id == 1


def test_the_files_of_the_shop_are_checked_again_when_they_change(data_dir: Path, built: list[Any]) -> None:
    judged(data_dir, datetime.now(UTC))
    builder = Builder(data_dir, timedelta(days=10_000))

    def next_build(batch_id: int) -> tuple[str, bool]:
        bring(data_dir, batch_id)
        assert builder.step()
        return how_built(built[-1])

    assert next_build(1) == ("frequent", False)
    assert next_build(2) == ("frequent_again", True)
    (data_dir / "stores.csv").write_text("store_location\n")
    assert next_build(3) == ("frequent", False)
    assert next_build(4) == ("frequent_again", True)
    (data_dir / "stores.csv").write_text("store_location,name\n")
    assert next_build(5) == ("frequent_again", False)
    assert next_build(6) == ("frequent_again", True)


def test_batches_that_were_refined_again_are_built(data_dir: Path, built: list[Any]) -> None:
    """After a withdrawal everything is refined again, in fewer batches."""
    bring(data_dir, 7)
    judged(data_dir, datetime.now(UTC))
    builder = Builder(data_dir, timedelta(days=10_000))
    assert not builder.step()
    shutil.rmtree(data_dir / "raw/readings")
    bring(data_dir, 2)
    assert builder.step()
    assert not builder.step()
    assert progress(data_dir)["published"].batch_id == 2


def test_frequent_builds_go_on_during_a_rehearsal(data_dir: Path, children: list[Process], built: list[Any]) -> None:
    judged(data_dir, datetime.now(UTC) - timedelta(days=2))
    builder = Builder(data_dir, timedelta(hours=24))
    builder.step()
    assert children[0].arguments == ("whole", "--rehearsal")
    bring(data_dir, 1)
    assert builder.step()
    assert progress(data_dir)["published"].batch_id == 1
    children[0].code = 0
    assert builder.step()
    assert children[1].arguments == ("whole",)
    bring(data_dir, 2)
    assert not builder.step()  # the whole build holds the warehouse


def test_after_a_failed_rehearsal_frequent_builds_go_on(
    data_dir: Path, children: list[Process], built: list[Any]
) -> None:
    judged(data_dir, datetime.now(UTC) - timedelta(days=2))
    builder = Builder(data_dir, timedelta(hours=24))
    builder.step()
    children[0].code = 1
    bring(data_dir, 1)
    builder.step()
    builder.step()
    assert len(children) == 1
    assert progress(data_dir)["published"].batch_id == 1
    assert list(data_dir.glob("landing_failures/publish_date=*/*.parquet"))


def test_without_room_for_a_copy_the_whole_build_runs_unrehearsed(
    data_dir: Path, children: list[Process], built: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(_: Path) -> Path:
        (data_dir / FOLDER).mkdir(parents=True)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    judged(data_dir, datetime.now(UTC) - timedelta(days=2))
    monkeypatch.setattr(building, "prepare_rehearsal", no_room)
    assert Builder(data_dir, timedelta(hours=24)).step()
    assert [each.arguments for each in children] == [("whole",)]
    assert not (data_dir / FOLDER).exists()


def test_a_failure_that_cannot_be_recorded_stops_no_frequent_build(
    data_dir: Path, children: list[Process], built: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    judged(data_dir, datetime.now(UTC) - timedelta(days=2))
    monkeypatch.setattr(building, "record_failure", no_room)
    builder = Builder(data_dir, timedelta(hours=24))
    builder.step()
    children[0].code = 1
    bring(data_dir, 1)
    builder.step()
    assert progress(data_dir)["published"].batch_id == 1


def test_no_copy_of_the_warehouse_outlives_its_rehearsal(
    data_dir: Path, children: list[Process], built: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child, "end", lambda _: None)
    judged(data_dir, datetime.now(UTC) - timedelta(days=2))
    (data_dir / FOLDER / "warehouse").mkdir(parents=True)  # of a stage that was killed
    builder = Builder(data_dir, timedelta(hours=24))
    assert not (data_dir / FOLDER).exists()
    builder.step()
    assert (data_dir / FOLDER).exists()
    children[0].code = 1
    builder.step()
    assert not (data_dir / FOLDER).exists()
    builder = Builder(data_dir, timedelta(hours=24))
    builder.step()
    assert (data_dir / FOLDER).exists()
    builder.stop()
    assert not (data_dir / FOLDER).exists()


def test_a_project_that_changes_meanwhile_is_taken_in(
    data_dir: Path, children: list[Process], built: list[Any]
) -> None:
    builder = Builder(data_dir, timedelta(hours=24))
    builder.step()
    judged(data_dir, datetime.now(UTC))
    (data_dir / BUILT_WITH).write_text("another version")  # which the whole build was of
    children[0].code = 0
    with pytest.raises(BuildError, match="the project has changed"):
        builder.step()
    assert len(children) == 1


def test_pages_are_told_of_a_frequent_build_that_failed(
    data_dir: Path, built: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise BuildError("`dbt run` failed")

    judged(data_dir, datetime.now(UTC))
    builder = Builder(data_dir, timedelta(days=10_000))
    builder.step()
    bring(data_dir, 1)
    with monkeypatch.context() as patch:
        patch.setattr(building, "run_dbt", fails)
        with pytest.raises(BuildError):
            builder.step()
    assert failed_at(data_dir)
    builder.step()
    assert failed_at(data_dir) is None


def test_views_are_renewed_when_the_shop_adds_or_removes_a_file(
    data_dir: Path, children: list[Process], built: list[Any]
) -> None:
    judged(data_dir, datetime.now(UTC))
    builder = Builder(data_dir, timedelta(days=10_000))
    orders, selectors = data_dir / "orders.csv", []

    def build(batch_id: int) -> None:
        bring(data_dir, batch_id)
        assert builder.step()
        selectors.append(how_built(built[-1])[0])

    build(1)
    build(2)
    orders.touch()
    build(3)
    build(4)
    orders.unlink()
    build(5)
    assert selectors == ["frequent", "frequent_again", "frequent", "frequent_again", "frequent"]


@pytest.mark.parametrize(
    ("hours", "last", "now", "due"),
    [
        (24, "2026-06-30T00:06", "2026-07-01T00:04", False),
        (24, "2026-07-01T00:04", "2026-07-01T00:05", True),
        (6, "2026-06-30T06:04", "2026-06-30T06:05", True),
        (6, "2026-06-30T06:05", "2026-06-30T12:04", False),
        (24, "2099-01-01T00:06", "2026-07-01T00:06", True),  # the clock was wrong
    ],
)
def test_whole_builds_are_counted_from_five_past_midnight(
    data_dir: Path, hours: int, last: str, now: str, due: bool
) -> None:
    judged(data_dir, datetime.fromisoformat(last).replace(tzinfo=UTC))
    builder = Builder(data_dir, timedelta(hours=hours))
    assert builder._is_whole_due(datetime.fromisoformat(now).replace(tzinfo=UTC)) == due
