"""The data folder of a rehearsal."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from ingest.durable_files import file_lock
from live import whole_build
from live.whole_build import FOLDER, prepare_rehearsal


def test_a_rehearsal_shares_what_is_finished_and_copies_the_warehouse(tmp_path: Path) -> None:
    for folder in ("raw", "warehouse", "export", ".tmp-raw"):
        (tmp_path / folder).mkdir()
    (tmp_path / "warehouse/inventory.duckdb").write_text("tables")
    folder = prepare_rehearsal(tmp_path)
    copy = folder / "warehouse/inventory.duckdb"
    assert copy.read_text() == "tables"
    assert not copy.is_symlink()
    links = {path.name for path in folder.iterdir() if path.is_symlink()}
    assert links == {"raw", "forecast_cache", "detection_cache", "text_cache"}
    with file_lock(tmp_path / "live", "running"):  # which looks for unfinished files there
        assert folder.exists()


def test_a_rehearsal_writes_no_manifest_where_publications_read_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places: dict[str, str] = {}
    monkeypatch.setattr(whole_build, "run_dbt", lambda *_: places.update(os.environ))
    monkeypatch.setattr(os, "nice", lambda _: 0)
    for name in ("DBT_TARGET_PATH", "DBT_LOG_PATH"):
        monkeypatch.setenv(name, str(tmp_path / "dbt"))
    (tmp_path / FOLDER).mkdir(parents=True)
    arguments = ["--rehearsal", "--data-dir", str(tmp_path / FOLDER)]
    assert CliRunner().invoke(whole_build.command, arguments).exit_code == 0
    assert places["DBT_TARGET_PATH"] == str(tmp_path / FOLDER / "dbt/target")
    assert places["DBT_LOG_PATH"] == str(tmp_path / FOLDER / "dbt/logs")
    assert not (tmp_path / FOLDER).exists()
