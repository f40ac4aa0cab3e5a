"""Whole builds in a process of their own, whose memory is free again afterwards.

DuckDB has one writer, and fits and detectors take minutes. So a whole build is rehearsed on a copy of the warehouse
while frequent builds go on. What fits and detectors yield is cached by their content, and the whole build on the
warehouse itself finds it there.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import click

from ingest.durable_files import TEMPORARY, file_lock
from pipeline import BUILD, BuildError, build, run_dbt

FOLDER = "live/rehearsal"
NOT_SHARED = {"dbt", "export", "live", "outbox", "superset", "warehouse"}
CACHES = ("forecast_cache", "detection_cache", "text_cache")
LESS_URGENT = 10  # than the stages that readers wait for


def prepare_rehearsal(data_dir: Path) -> Path:
    """A data folder with a copy of the warehouse and everything else as it is. The caller holds the warehouse."""
    folder = data_dir / FOLDER
    remove_rehearsal(data_dir)
    (folder / "warehouse").mkdir(parents=True)
    for cache in CACHES:
        (data_dir / cache).mkdir(exist_ok=True)
    for path in data_dir.iterdir():
        # what is unfinished may be gone soon
        if path.name not in NOT_SHARED and not path.name.startswith(TEMPORARY):
            (folder / path.name).symlink_to(path)
    for path in (data_dir / "warehouse").glob("inventory.duckdb*"):
        shutil.copyfile(path, folder / "warehouse" / path.name)
    return folder


def remove_rehearsal(data_dir: Path) -> None:
    """Remove what a rehearsal that did not end well has left, which is as large as the warehouse."""
    shutil.rmtree(data_dir / FOLDER, ignore_errors=True)


@click.command()
@click.option("--rehearsal", is_flag=True, help="In a folder of `prepare_rehearsal`, without publication.")
@click.option("--data-dir", type=click.Path(path_type=Path), envvar="INVENTORY_DATA_DIR", required=True)
def command(*, rehearsal: bool, data_dir: Path) -> None:
    """Build everything and publish it, or rehearse it."""
    try:
        if rehearsal:
            os.nice(LESS_URGENT)
            # inherited are those of the warehouse itself, where a publication reads the manifest meanwhile
            os.environ.update(DBT_TARGET_PATH=str(data_dir / "dbt/target"), DBT_LOG_PATH=str(data_dir / "dbt/logs"))
            run_dbt(data_dir, *BUILD, "whole")
            shutil.rmtree(data_dir)
        else:
            with file_lock(data_dir / "warehouse", "building", wait=True):
                build(data_dir, refine=False, files_only=True)
    except BuildError as error:
        raise click.ClickException(str(error)) from error
