"""The pipeline after loading: refine what is landed, build the warehouse, publish it."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from publish.build_failure import failure_noted
from publish.progress import record, start_now

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest

ROOT = Path(__file__).parent
BUILT_WITH = "warehouse/built_with"  # the digest of the project that the last whole build was of
# all that a table's content depends on besides the data
PROJECT_FILES = ("dbt_project.yml", "profiles.yml", "selectors.yml", "requirements.lock", "*.py")
# unit tests examine the SQL, not the data
BUILD = ("build", "--exclude-resource-type", "unit_test", "--selector")
MASTERS = ("stores.csv", "promotions.csv", "school_holidays.csv", "products.csv", "orders.csv", "orders.ndjson")
PROJECT_FOLDERS = ("models", "macros", "seeds", "tests/dbt", "ml", "ingest/refining", "publish", "notify")


class BuildError(Exception):
    """A step of the pipeline failed. Its own messages have been printed."""


@click.command()
@click.option("--frequent", is_flag=True, help="Only what is worth building every few minutes (selector `frequent`).")
@click.option("--full-refresh", is_flag=True, help="Build every table again from raw; published forecasts stay.")
@click.option("--master", default="local[*]", show_default=True, help="Spark master")
@click.option(
    "--shards", type=click.IntRange(min=1), help="Build so many groups of stores in Spark's tasks, each by itself."
)
@click.option("--data-dir", type=click.Path(path_type=Path), envvar="INVENTORY_DATA_DIR", default="data")
def command(*, frequent: bool, full_refresh: bool, master: str, shards: int | None, data_dir: Path) -> None:
    """Refine what is landed, build the warehouse and publish it. With nothing new it does nothing."""
    from ingest.durable_files import FolderBusyError, file_lock
    from ingest.refining.spark_job import check_master

    if frequent and shards:
        raise click.UsageError("shards are built whole: leave out --shards, or --frequent.")
    if not any((data_dir / "landing").glob("publish_date=*/*.parquet")):
        raise click.ClickException(f"{data_dir / 'landing'}: nothing is landed yet. Run `inventory load` first.")
    check_master(master)
    try:
        with file_lock(data_dir / "warehouse", "building"):
            build(data_dir.resolve(), frequent=frequent, full_refresh=full_refresh, master=master, shards=shards)
    except (BuildError, FolderBusyError) as error:
        raise click.ClickException(str(error)) from error


def build(
    data_dir: Path,
    *,
    frequent: bool = False,
    full_refresh: bool = False,
    refine: bool = True,
    files_only: bool = False,
    master: str = "local[*]",
    shards: int | None = None,
) -> None:
    """Run the three steps on a data folder, or the last two, where another process refines. Given `shards`, Spark's
    tasks build the tables. With `files_only`, another process brings what is published to the serving database.

    A full build is skipped if it would read exactly what the last good one read. Raises BuildError if a step fails:
    what is published stays as it was, and pages say so.
    """
    with failure_noted(data_dir, frequent=frequent):
        _build(data_dir, frequent, full_refresh, refine, files_only, master, shards)


def _build(
    data_dir: Path,
    frequent: bool,
    full_refresh: bool,
    refine: bool,
    files_only: bool,
    master: str,
    shards: int | None,
) -> None:
    built = data_dir / "warehouse" / "built_from"
    # listed before anything reads them: what arrives or changes meanwhile is new to the next build
    project, landed = project_digest(data_dir), list(_landed(data_dir))
    may_skip = not frequent and not full_refresh and built.exists()
    if may_skip and built.read_text() == _fingerprint(data_dir, [project, *landed, *_refined(data_dir)]):
        click.echo("nothing is new since the last build")
        record(data_dir, start_now(data_dir), "built", "judged", "published")
        return
    built.unlink(missing_ok=True)
    if refine:
        click.echo("» refining into raw Parquet (Spark)")
        _land(data_dir, master)
    start, refined = start_now(data_dir), list(_refined(data_dir))
    click.echo("» metrics, forecasts and anomalies (dbt)")
    refresh = ["--full-refresh"] if full_refresh else []
    if shards:
        _build_in_shards(data_dir, master, shards, refresh)
    else:
        run_dbt(data_dir, *BUILD, "frequent" if frequent else "whole", *refresh)
    record(data_dir, start, *(["built"] if frequent else ["built", "judged"]))
    click.echo("» publishing")
    publish(data_dir, files_only=files_only)
    record(data_dir, start, "published")
    if not frequent:
        (data_dir / BUILT_WITH).write_text(project)
        built.write_text(_fingerprint(data_dir, [project, *landed, *refined]))


def _fingerprint(data_dir: Path, read: list[str]) -> str:
    """A digest of what a full build reads, and of the warehouse it adds to.

    The times of the warehouse and of the published files show whether anybody else wrote them.
    """
    return hashlib.sha256("\n".join([*read, *_written(data_dir)]).encode()).hexdigest()


def project_digest(data_dir: Path) -> str:
    """A digest of what the tables of a data folder are built with: the project, settings, and where the folder is,
    since views name its files."""
    return hashlib.sha256("\n".join([*_project(), *_settings(), str(data_dir)]).encode()).hexdigest()


def found_masters(data_dir: Path) -> dict[str, str]:
    """The files in which a shop says of itself what readings do not, those that are there, each with its digest."""
    paths = [data_dir / name for name in MASTERS]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths if path.exists()}


def _landed(data_dir: Path) -> Iterator[str]:
    for folder in sorted(data_dir.glob("landing*")):
        yield from _files(data_dir, folder)


def _refined(data_dir: Path) -> Iterator[str]:
    """What dbt reads: raw, and what a shop says of itself."""
    yield from _files(data_dir, data_dir / "raw")
    for name, digest in found_masters(data_dir).items():
        yield f"{name} {digest}"


def _files(data_dir: Path, folder: Path) -> Iterator[str]:
    """The names and sizes of data files, which identify them: they are never rewritten."""
    for path in sorted(folder.rglob("*.parquet")):
        yield f"{path.relative_to(data_dir)} {path.stat().st_size}"


def _written(data_dir: Path) -> Iterator[str]:
    for pattern in ("warehouse/*.duckdb", "export/*.db"):
        for path in sorted(data_dir.glob(pattern)):
            yield f"{path.name} {path.stat().st_size} {path.stat().st_mtime_ns}"


def _project() -> Iterator[str]:
    files = [path for pattern in PROJECT_FILES for path in ROOT.glob(pattern)]
    files += [path for folder in PROJECT_FOLDERS for path in (ROOT / folder).rglob("*.*") if path.suffix != ".pyc"]
    for path in sorted(files):
        if path.is_file():
            yield f"{path.relative_to(ROOT)} {hashlib.sha256(path.read_bytes()).hexdigest()}"


def _settings() -> Iterator[str]:
    names = ("INVENTORY_CURRENCY", "INVENTORY_DETECTORS", "INVENTORY_MAX_AGE_YEARS", "INVENTORY_SERVING_DATABASE")
    yield f"{sys.version} {[os.environ.get(name) for name in names]}"


def _build_in_shards(data_dir: Path, master: str, shards: int, refresh: list[str]) -> None:
    from cluster.fits import fits_in_tasks
    from cluster.shards import ShardError, built_shards
    from ingest.refining.spark_job import session

    manifest = run_dbt(data_dir, "parse")  # once: the variables of the build, which name the shards, shape no model
    readings = compiled_readings(data_dir, manifest)
    spark = session(master)
    try:
        with built_shards(spark, data_dir, readings, shards) as warehouses, fits_in_tasks(spark):
            variables = json.dumps({"shards": [str(warehouse) for warehouse in warehouses]})
            run_dbt(data_dir, *BUILD, "after_shards", "--vars", variables, *refresh, manifest=manifest)
    except ShardError as error:
        raise BuildError(str(error)) from error
    finally:
        spark.stop()


def compiled_readings(data_dir: Path, manifest: Manifest | None = None) -> str:
    """The query of the staging model of readings, which needs no other table."""
    compiled = run_dbt(
        data_dir, "compile", "--select", "stg_inventory_events__readings", "--log-level", "none", manifest=manifest
    )
    return str(compiled.results[0].node.compiled_code)


def _land(data_dir: Path, master: str) -> None:
    # in a process of its own: what Spark's Java holds is free again before dbt starts
    land = [sys.executable, "-c", "from inventory import main; main()", "land", "--once"]
    land += ["--master", master, "--data-dir", str(data_dir)]
    if subprocess.run(land, env={**os.environ, "INVENTORY_DATA_DIR": str(data_dir)}, check=False).returncode:
        raise BuildError("`inventory land --once` failed; see above. What is published stays as it was.")


def run_dbt(data_dir: Path, *arguments: str, manifest: Manifest | None = None) -> Any:
    """Run a dbt command on a data folder and return its result. Raises BuildError where it fails.

    With the manifest that an earlier `parse` in this process returned, it does not read the project again.
    """
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager
    from dbt.cli.main import dbtRunner

    connections: Any = DuckDBConnectionManager
    os.environ["INVENTORY_DATA_DIR"] = str(data_dir)
    # dbt writes its artefacts beside the data that they describe
    os.environ.setdefault("DBT_TARGET_PATH", str(data_dir / "dbt/target"))
    os.environ.setdefault("DBT_LOG_PATH", str(data_dir / "dbt/logs"))
    os.environ.setdefault("DBT_SEND_ANONYMOUS_USAGE_STATS", "false")
    places = ["--project-dir", str(ROOT), "--profiles-dir", str(ROOT)]
    outcome = dbtRunner(manifest).invoke([*arguments, "--quiet", *places])
    # dbt holds the warehouse for its next command; the export opens it now
    connections.close_all_connections()
    if not outcome.success:
        raise BuildError(f"`dbt {arguments[0]}` failed; see above. What is published stays as it was.")
    return outcome.result


def publish(data_dir: Path, *, files_only: bool = False) -> None:
    """Publish what the last build made. Raises click.ClickException where that is refused."""
    from notify.publication import show_actions
    from publish import export

    if files_only:
        export.export(data_dir, export.in_files(data_dir))
        show_actions(data_dir, files_only=True)
    else:
        export.command.main(["--data-dir", str(data_dir)], standalone_mode=False)
