"""`inventory export`: write, audit, publish.

The serving tables of the last good build become SQLite files. Each file is written under a temporary name, compared
with the warehouse, synced and renamed, so that readers see the old or the new file whole.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import math
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dashboards.schema import DECLARED_TYPES, DOCUMENTED

if TYPE_CHECKING:
    import duckdb

TEMPORARY = ".tmp-"
# what SQLite, its Arrow driver, DuckDB and the operating system say, each with an error class of its own
DISK_FULL = ("disk is full", "No space left", "Disk quota exceeded")


class PublicationRefusedError(RuntimeError):
    """What stands in the way of publishing, and what to do about it."""


@dataclass(frozen=True)
class PublishedTable:
    """A table to publish: its relation in the warehouse, its columns as SQLite declares them, and the table that it is
    a mere view of, if it is one."""

    name: str
    relation: str
    columns: dict[str, str]
    view_of: str | None


@click.command()
@click.option("--data-dir", type=click.Path(path_type=Path), envvar="INVENTORY_DATA_DIR", default="data")
def command(data_dir: Path) -> None:
    """Publish the serving tables of the last good build as SQLite files in DATA/export."""
    try:
        for database, outcome in publish(data_dir).items():
            click.echo(f"  {data_dir / 'export' / database}.db: {outcome}")
    except PublicationRefusedError as error:
        raise click.ClickException(f"not published: {error}") from error


def publish(data_dir: Path) -> dict[str, str]:
    """Publish each database of the publication list; return what became of each.

    Raises PublicationRefusedError, with nothing changed, when the last build did not end well or the manifest and the
    warehouse disagree.
    """
    import duckdb

    manifest = _manifest(data_dir)
    warehouse = data_dir / "warehouse" / "inventory.duckdb"
    if not warehouse.exists():
        raise PublicationRefusedError(f"{warehouse} does not exist. Run `dbt build` first.")
    try:
        connection = duckdb.connect(str(warehouse), read_only=True)
    except duckdb.IOException as error:
        raise PublicationRefusedError(f"{warehouse} cannot be opened ({error}). Wait for the build to end.") from error
    with connection:
        connection.execute("set TimeZone = 'UTC'")
        _audit_build(connection, manifest)
        tables = publication_list(manifest, connection)
        export = data_dir / "export"
        export.mkdir(parents=True, exist_ok=True)
        export.chmod(0o700)  # what the row rules keep apart is not for everybody who has an account on the machine
        with _alone_in(export):
            for leftover in export.glob(f"{TEMPORARY}*"):
                leftover.unlink()
            return {
                database: _publish_database(connection, export / f"{database}.db", members)
                for database, members in tables.items()
            }


@contextmanager
def _alone_in(export: Path) -> Iterator[None]:
    """Keep a second export out; the lock goes with its process, so that a killed one leaves none behind."""
    with (export / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise PublicationRefusedError(f"another export is writing to {export}. Wait for it to end.") from error
        yield


def publication_list(
    manifest: dict[str, Any], connection: duckdb.DuckDBPyConnection
) -> dict[str, list[PublishedTable]]:
    """The serving models that an exposure depends on, by database (their folder's name)."""
    exposed = {node for exposure in manifest["exposures"].values() for node in exposure["depends_on"]["nodes"]}
    tables: dict[str, list[PublishedTable]] = {}
    for node_id in sorted(exposed):
        node = manifest["nodes"][node_id]
        layer, *_, database, name = node["fqn"][1:]
        if layer != "serving":
            raise PublicationRefusedError(f"an exposure depends on {name}, which is no serving model")
        relation = f'"{node["schema"]}"."{node["alias"]}"'
        documented = DOCUMENTED.get(database, {}).get(name)
        found = _columns(connection, relation)
        strange = {column: kind for column, kind in found.items() if kind not in DECLARED_TYPES}
        if strange:
            raise PublicationRefusedError(f"{name} has types that SQLite lacks ({strange}). Cast them in the model.")
        columns = {column: DECLARED_TYPES[kind] for column, kind in found.items()}
        if documented and list(documented.items()) != list(columns.items()):
            raise PublicationRefusedError(f"{name} has the columns {columns}; documented are {documented}.")
        view_of = node["config"]["meta"].get("view_of")
        tables.setdefault(database, []).append(PublishedTable(name, relation, columns, view_of))
    missing = [
        f"{database}.{name}"
        for database, names in DOCUMENTED.items()
        for name in names
        if name not in {table.name for table in tables.get(database, [])}
    ]
    if missing:
        raise PublicationRefusedError(f"no exposure depends on {', '.join(missing)}. Add it to the exposures.")
    return tables


def _columns(connection: duckdb.DuckDBPyConnection, relation: str) -> dict[str, str]:
    import duckdb

    try:
        return {row[0]: row[1] for row in connection.execute(f"describe {relation}").fetchall()}
    except duckdb.CatalogException as error:
        raise PublicationRefusedError(f"the warehouse has no {relation}. Run `dbt build`.") from error


def _manifest(data_dir: Path) -> dict[str, Any]:
    # `make` keeps dbt's artefacts with the data; dbt by itself in its own folder
    told = os.environ.get("DBT_TARGET_PATH")
    folders = [Path(told)] if told else [data_dir / "dbt" / "target", Path("target")]
    paths = [folder / "manifest.json" for folder in folders if (folder / "manifest.json").exists()]
    if not paths:
        raise PublicationRefusedError(f"{folders[0] / 'manifest.json'} does not exist. Run `dbt build` first.")
    path = max(paths, key=lambda path: path.stat().st_mtime)
    manifest: dict[str, Any] = json.loads(path.read_text())
    return manifest


def _audit_build(connection: duckdb.DuckDBPyConnection, manifest: dict[str, Any]) -> None:
    """Refuse unless the last build ended, and the latest result of every model, seed and test was good."""
    for table in ("invocations", "node_results"):
        _columns(connection, f"build_audit.{table}")
    last = connection.execute(
        "select command, started_at, finished_at from build_audit.invocations order by started_at desc limit 1"
    ).fetchone()
    if last is None or last[2] is None:
        started = f"started at {last[1]:%Y-%m-%d %H:%M} UTC" if last else "was never started"
        raise PublicationRefusedError(f"the last build ({started}) did not end. Run `dbt build` again.")
    results = connection.execute(
        """
        select node_id, arg_max(status, finished_at), arg_max(message, finished_at)
        from build_audit.node_results
        group by node_id
        """
    ).fetchall()
    known = {node_id: (status, message) for node_id, status, message in results}
    wanted = [
        node_id
        for node_id, node in manifest["nodes"].items()
        if node["resource_type"] in {"model", "seed", "test"} and node["config"]["enabled"]
    ]
    # a build may leave unit tests out, but not fail them
    wanted += [node_id for node_id in manifest["unit_tests"] if node_id in known]
    bad = [node_id for node_id in wanted if known.get(node_id, ("not built", ""))[0] not in {"success", "pass", "warn"}]
    if bad:
        told = "; ".join(
            ": ".join([node_id.split(".")[2], *known.get(node_id, ("not built", ""))]) for node_id in bad[:5]
        )
        raise PublicationRefusedError(
            f"{len(bad)} of the last build's models and tests were not good ({told}). "
            "What was published before stays. Mend them and run `dbt build` again."
        )


def _publish_database(connection: duckdb.DuckDBPyConnection, path: Path, tables: list[PublishedTable]) -> str:
    stored = [table for table in tables if table.view_of is None]
    fingerprint = _fingerprint(connection, tables, stored)
    mark = path.with_suffix(".fingerprint")
    rows = sum(_count(connection, table) for table in stored)
    if path.exists() and mark.exists() and mark.read_text() == fingerprint:
        path.chmod(0o600)  # it may be of a time when it was not
        return f"unchanged, {rows:,} rows"

    temporary = path.with_name(f"{TEMPORARY}{path.name}")
    with _no_leftover(temporary):
        temporary.touch(mode=0o600)
        with closing(sqlite3.connect(temporary)) as database:
            database.execute("pragma journal_mode = off")
            for table in tables:
                database.execute(_definition(table))
            database.commit()
        for table in stored:
            _copy(connection, table, temporary)
        _audit_copy(connection, stored, temporary)
        _sync(temporary)
        mark.unlink(missing_ok=True)
        temporary.rename(path)  # the commit point
        _sync(path.parent)
        mark.write_text(fingerprint)
    return f"published, {rows:,} rows in {len(stored)} tables"


@contextmanager
def _no_leftover(temporary: Path) -> Iterator[None]:
    """Remove the half-written file, and SQLite's own beside it, if writing fails: a full disk needs the space."""
    try:
        yield
    except Exception as error:
        for leftover in temporary.parent.glob(f"{temporary.name}*"):
            leftover.unlink()
        if any(sign in str(error) for sign in DISK_FULL):
            raise PublicationRefusedError(
                f"the disk is full: {temporary} could not be written. "
                "What was published before stays. Free some space and run `inventory export` again."
            ) from error
        raise


def _definition(table: PublishedTable) -> str:
    if table.view_of is not None:
        return f"CREATE VIEW {table.name} AS SELECT * FROM {table.view_of}"
    columns = ", ".join(f"{name} {kind}" for name, kind in table.columns.items())
    return f"CREATE TABLE {table.name} ({columns})"


def _copy(connection: duckdb.DuckDBPyConnection, table: PublishedTable, path: Path) -> None:
    from adbc_driver_sqlite import dbapi

    # ordered, so that the same tables give the same bytes
    reader = connection.cursor().sql(f"select * from {table.relation} order by all").to_arrow_reader(100_000)
    with dbapi.connect(str(path)) as database, database.cursor() as cursor:
        cursor.adbc_ingest(table.name, reader, mode="append")
        database.commit()


def _audit_copy(connection: duckdb.DuckDBPyConnection, tables: list[PublishedTable], path: Path) -> None:
    """Compare what was written with the warehouse: row counts, and of each column the values' number, sum and ends."""
    with closing(sqlite3.connect(path)) as database:
        for table in tables:
            written = database.execute(f"{_digest_query(table, 'length(cast({} as blob))')} {table.name}").fetchone()
            wanted = connection.execute(f"{_digest_query(table, 'strlen({})')} {table.relation}").fetchone()
            aspects = [
                f"{aspect} of {name}" for name in table.columns for aspect in ("count", "sum", "least", "greatest")
            ]
            for aspect, ours, theirs in zip(["row count", *aspects], written, wanted or (), strict=True):
                if not _same(ours, theirs):
                    raise PublicationRefusedError(
                        f"{path.name}: {table.name}: {aspect} is {ours}, in the warehouse {theirs}. Export again."
                    )


def _same(ours: float | str | None, theirs: float | str | None) -> bool:
    """Equal; sums of floats may differ in their last digits, since each side adds in its own order."""
    if isinstance(ours, float) and isinstance(theirs, float):
        return math.isclose(ours, theirs, rel_tol=1e-9, abs_tol=1e-6)
    return ours == theirs


def _digest_query(table: PublishedTable, text_bytes: str) -> str:
    digests = []
    for name, kind in table.columns.items():
        summand = text_bytes.format(name) if kind == "TEXT" else f"1e0 * {name}"
        digests.append(f"count({name}), sum({summand}), min({name}), max({name})")
    return f"select count(*), {', '.join(digests)} from"


def _fingerprint(
    connection: duckdb.DuckDBPyConnection, tables: list[PublishedTable], stored: list[PublishedTable]
) -> str:
    """A digest of all that the file would hold, whatever the order of its rows."""
    digest = hashlib.sha256("\n".join(_definition(table) for table in tables).encode())
    for table in stored:
        row = connection.execute(
            f"select count(*), sum(cast(hash(published) as hugeint)) from {table.relation} as published"
        ).fetchone()
        digest.update(repr(row).encode())
    return digest.hexdigest()


def _count(connection: duckdb.DuckDBPyConnection, table: PublishedTable) -> int:
    row = connection.execute(f"select count(*) from {table.relation}").fetchone()
    return int(row[0]) if row else 0


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
