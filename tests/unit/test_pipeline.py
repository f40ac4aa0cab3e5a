"""When a build may be skipped, and what a failed step leaves."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

import pipeline
from publish.build_failure import FILE, failed_at, failure_noted


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the steps that ran, instead of the steps."""
    ran: list[str] = []
    monkeypatch.setattr(pipeline, "_land", lambda data_dir, master: ran.append("land"))
    monkeypatch.setattr(pipeline, "run_dbt", lambda data_dir, *arguments: ran.append("dbt"))
    monkeypatch.setattr(pipeline, "publish", lambda *_, **__: ran.append("export"))
    return ran


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    for name in ("landing/publish_date=2026-06-30/events.parquet", "raw/part.parquet", "warehouse/inventory.duckdb"):
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True)
        path.write_text("first")
    (tmp_path / "data/export").mkdir()
    (tmp_path / "data/export/inventory.db").write_text("published")
    return tmp_path / "data"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "project"
    (folder / "models").mkdir(parents=True)
    (folder / "models/metrics.sql").write_text("select 1")
    monkeypatch.setattr(pipeline, "ROOT", folder)
    return folder


CHANGES: dict[str, Callable[[Path, Path], object]] = {
    "a landed file": lambda data, _: (data / "landing/publish_date=2026-06-30/more.parquet").write_text("x"),
    "a merged raw": lambda data, _: (data / "raw/part.parquet").write_text("first and second"),
    "a withdrawal": lambda data, _: (data / "raw/withdrawn-1.parquet").write_text("x"),
    "a dbt run by hand": lambda data, _: os.utime(data / "warehouse/inventory.duckdb", ns=(1, 1)),
    "a lost publication": lambda data, _: (data / "export/inventory.db").unlink(),
    "a changed model": lambda _, project: (project / "models/metrics.sql").write_text("select 2"),
    "a new model": lambda _, project: (project / "models/anomalies.sql").write_text("select 1"),
}


def test_with_nothing_new_no_step_runs(data_dir: Path, project: Path, steps: list[str]) -> None:
    pipeline.build(data_dir)
    assert steps == ["land", "dbt", "export"]
    pipeline.build(data_dir)
    assert steps == ["land", "dbt", "export"]


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_change_is_built(
    data_dir: Path, project: Path, steps: list[str], change: Callable[[Path, Path], object]
) -> None:
    pipeline.build(data_dir)
    steps.clear()
    change(data_dir, project)
    pipeline.build(data_dir)
    assert steps == ["land", "dbt", "export"]


@pytest.mark.parametrize(
    ("setting", "value"),
    [("INVENTORY_MAX_AGE_YEARS", "3"), ("INVENTORY_DETECTORS", "lstm_autoencoder"), ("INVENTORY_CURRENCY", "GBP")],
)
def test_a_new_setting_is_built(
    data_dir: Path, project: Path, steps: list[str], monkeypatch: pytest.MonkeyPatch, setting: str, value: str
) -> None:
    pipeline.build(data_dir)
    monkeypatch.setenv(setting, value)
    pipeline.build(data_dir)
    assert steps.count("dbt") == 2


@pytest.mark.parametrize("asked", ["frequent", "full_refresh"])
def test_what_is_asked_for_is_built(data_dir: Path, project: Path, steps: list[str], asked: str) -> None:
    pipeline.build(data_dir)
    pipeline.build(data_dir, **{asked: True})
    assert steps.count("dbt") == 2


def test_after_a_frequent_build_the_next_whole_one_runs(data_dir: Path, project: Path, steps: list[str]) -> None:
    pipeline.build(data_dir)
    pipeline.build(data_dir, frequent=True)
    pipeline.build(data_dir)
    assert steps.count("dbt") == 3


@pytest.mark.parametrize("place", ["landing/publish_date=2026-06-30/later.parquet", "raw/later.parquet"])
def test_what_arrives_during_a_build_is_built_by_the_next_one(
    data_dir: Path, project: Path, steps: list[str], monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "run_dbt", lambda data_dir, *_: (data_dir / place).write_text("later"))
        pipeline.build(data_dir)
    steps.clear()
    pipeline.build(data_dir)
    pipeline.build(data_dir)
    assert steps == ["land", "dbt", "export"]


def test_a_data_folder_that_has_moved_is_built(data_dir: Path, project: Path, steps: list[str]) -> None:
    pipeline.build(data_dir)
    pipeline.build(data_dir.rename(data_dir.with_name("moved")))
    assert steps.count("dbt") == 2


def test_a_failed_step_ends_the_build_and_the_next_one_runs_again(
    data_dir: Path, project: Path, steps: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.build(data_dir)
    (data_dir / "raw/part.parquet").write_text("first and second")

    def fail(data_dir: Path, *arguments: str) -> None:
        raise pipeline.BuildError("`dbt build` failed; see above. What is published stays as it was.")

    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "run_dbt", fail)
        result = CliRunner().invoke(pipeline.command, ["--data-dir", str(data_dir)])
    assert result.exit_code == 1
    assert "`dbt build` failed" in result.output
    assert steps == ["land", "dbt", "export", "land"]
    assert failed_at(data_dir)
    pipeline.build(data_dir, frequent=True)
    assert failed_at(data_dir), "the forecasts are still old"
    pipeline.build(data_dir)
    assert steps[7:] == ["land", "dbt", "export"]
    assert failed_at(data_dir) is None


def test_a_failure_that_cannot_be_noted_is_reported_itself(tmp_path: Path) -> None:
    (tmp_path / FILE).mkdir(parents=True)  # as little can be written there as on a full disk
    with pytest.raises(pipeline.BuildError, match="`dbt build` failed"), failure_noted(tmp_path, frequent=False):
        raise pipeline.BuildError("`dbt build` failed")


def test_with_nothing_landed_the_next_step_is_named(tmp_path: Path) -> None:
    result = CliRunner().invoke(pipeline.command, ["--data-dir", str(tmp_path / "data")])
    assert result.exit_code == 1
    assert "nothing is landed yet. Run `inventory load` first." in result.output
    assert not (tmp_path / "data").exists()
