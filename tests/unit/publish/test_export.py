"""Publishing a small warehouse: what is written, what is refused, and that a refusal changes nothing."""

from __future__ import annotations

import errno
import fcntl
import os
import sqlite3
import subprocess
import sys
import threading
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from ingest import durable_files
from ingest.durable_files import file_lock
from publish import export
from publish.destinations import sqlite, sqlite_whole
from publish.publication import PublicationRefusedError
from publish.schema import DOCUMENTED, INDEXES
from tests.conftest import ROOT
from tests.full_disk import FullDisk
from tests.unit.publish.warehouse import VIEWS, build, change, model_id, tables, write_manifest

INDEXED = "select tbl_name from sqlite_master where type = 'index'"


def publish(data_dir: Path) -> dict[str, str]:
    """What became of each database's file, by the database's name."""
    outcomes = export.publish(data_dir, sqlite.SqliteFiles(data_dir / "export"))
    return {Path(path).stem: outcome for path, outcome in outcomes.items()}


def rows(data_dir: Path, database: str, query: str) -> list[tuple]:
    with closing(sqlite3.connect(data_dir / "export" / f"{database}.db")) as connection:
        return connection.execute(query).fetchall()


def published_bytes(data_dir: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (data_dir / "export").glob("*.db")}


def forget_what_is_published(data_dir: Path) -> None:
    """Let the next publication write whole files."""
    for note in (data_dir / "export").glob("*.parts-*"):
        note.unlink()


def test_documented_tables_are_declared_as_documented_and_carry_no_index(data_dir):
    publish(data_dir)
    for database, group in DOCUMENTED.items():
        stored = dict(rows(data_dir, database, "select name, sql from sqlite_master"))
        for table, columns in group.items():
            declared = ", ".join(f"{name} {kind}" for name, kind in columns.items())
            assert stored[table] == f"CREATE TABLE {table} ({declared})"
        assert not {table for (table,) in rows(data_dir, database, INDEXED)} & group.keys()


def test_companion_tables_have_indexes_of_columns_that_exist(data_dir):
    publish(data_dir)
    assert ("daily_stock",) in rows(data_dir, "inventory_metrics", INDEXED)
    models = {
        model["name"]: {column["name"] for column in model["columns"]}
        for path in (ROOT / "models/serving/inventory_metrics").glob("_*__models.yml")
        for model in yaml.safe_load(path.read_text())["models"]
    }
    for table, indexes in INDEXES.items():
        for columns in indexes:
            assert set(columns) <= models[table], table


def test_values_and_nulls_survive_with_their_types(data_dir):
    publish(data_dir)
    assert rows(data_dir, "inventory", "select quantity, price, category from inventory order by 1") == [
        (None, None, None),
        (9007199254740993, 0.1, "Größe · 2"),
    ]
    assert rows(data_dir, "inventory", "select typeof(quantity), typeof(price) from inventory where price > 0") == [
        ("integer", "real")
    ]


def test_what_sqlite_has_no_type_for_is_written_as_documented(data_dir):
    """Times of documented tables are ISO 8601 with a fraction where there is one, as in events; booleans are 0 or 1."""
    publish(data_dir)
    for table, written in {
        "metrics": ("event_timestamp", "2026-06-30T10:00:00.250000Z", "text"),
        "ml_metrics": ("actual_quantity", 9007199254740993.0, "real"),
        "daily_stock": ("event_date", "2026-06-30", "text"),
        "current_stock": ("is_stale, last_reading_at", 1, "2026-06-30 10:00:00", "integer", "text"),
        "late_events": ("event_timestamp", "2026-06-30T10:00:00.250000Z", "text"),
    }.items():
        columns, *expected = written
        types = ", ".join(f"typeof({column})" for column in columns.split(", "))
        wanted = f"select {columns}, {types} from {table} where {columns.split(', ')[0]} is not null"
        assert rows(data_dir, "inventory_metrics", wanted) == [tuple(expected)], table
    assert rows(data_dir, "inventory_metrics", "select published_at from late_events where store_location <> ''") == [
        ("2026-06-30 10:00:00",)
    ]


def test_a_view_shows_what_its_table_holds(data_dir):
    publish(data_dir)
    for view, table in VIEWS.items():
        assert rows(data_dir, "inventory_metrics", f"select type from sqlite_master where name = '{view}'") == [
            ("view",)
        ]
        assert rows(data_dir, "inventory_metrics", f"select * from {view}") == rows(
            data_dir, "inventory_metrics", f"select * from {table}"
        )


def test_unchanged_tables_are_not_written_again(data_dir):
    assert publish(data_dir)["inventory"].startswith("published")
    before = (data_dir / "export" / "inventory.db").stat().st_mtime_ns
    build(data_dir, {model_id(table): "success" for table in tables()})
    assert publish(data_dir)["inventory"] == "unchanged, 2 rows"
    assert (data_dir / "export" / "inventory.db").stat().st_mtime_ns == before


def test_only_what_changed_is_written(data_dir):
    publish(data_dir)
    change(data_dir, "update metrics set total_quantity = 3 where total_quantity is null")
    outcome = publish(data_dir)
    assert outcome["inventory"].startswith("unchanged")
    assert outcome["inventory_metrics"].startswith("published")
    assert rows(data_dir, "inventory_metrics", "select min(total_quantity) from metrics") == [(3,)]


def test_the_same_rows_in_another_order_give_the_same_bytes(data_dir):
    publish(data_dir)
    before = published_bytes(data_dir)
    change(data_dir, "create or replace table inventory as select * from inventory order by price nulls last")
    assert publish(data_dir)["inventory"].startswith("unchanged")
    (data_dir / "export/inventory.db").unlink()
    assert publish(data_dir)["inventory"].startswith("published")
    assert published_bytes(data_dir) == before


def test_a_file_that_was_taken_away_comes_back(data_dir):
    publish(data_dir)
    (data_dir / "export" / "inventory.db").unlink()
    assert publish(data_dir)["inventory"].startswith("published")
    assert (data_dir / "export" / "inventory.db").exists()


def test_leftovers_of_a_killed_export_are_removed(data_dir):
    publish(data_dir)
    (data_dir / "export" / ".tmp-inventory.db").write_text("half")
    publish(data_dir)
    assert not list((data_dir / "export").glob(".tmp-*"))


def test_only_the_user_reads_what_is_published(data_dir):
    publish(data_dir)
    export = data_dir / "export"
    assert export.stat().st_mode & 0o777 == 0o700
    for path in export.glob("*.db"):
        assert path.stat().st_mode & 0o777 == 0o600
        path.chmod(0o644)  # as an earlier version left them
    publish(data_dir)
    assert {path.stat().st_mode & 0o777 for path in export.glob("*.db")} == {0o600}


@pytest.mark.parametrize("kilobytes", [4, 64, 300])
def test_a_full_disk_is_one_line_and_leaves_no_file_behind(data_dir, kilobytes):
    """Full at the first table, while rows are copied, or at the last file."""
    change(
        data_dir, "insert into metrics select m.* replace (repeat('x', 1000) as category) from metrics as m, range(500)"
    )
    (data_dir / "export").mkdir()
    with FullDisk(data_dir / "export", kilobytes):
        result = CliRunner().invoke(export.command, ["--data-dir", str(data_dir)])
        left = [path.name for path in (data_dir / "export").iterdir()]
    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit)
    (line,) = [line for line in result.output.splitlines() if "not published" in line]
    assert "the disk is full" in line
    assert "inventory" in line
    assert not [name for name in left if name.startswith(".tmp-")]


def test_a_full_disk_by_any_name_is_reported(data_dir, monkeypatch):
    publish(data_dir)
    before = published_bytes(data_dir)
    change(data_dir, "update inventory set quantity = 4")
    for error in (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))):
        monkeypatch.setattr(durable_files, "_sync", lambda path, error=error: raise_(error))
        with pytest.raises(PublicationRefusedError, match=r"the disk is full: .*inventory\.db"):
            publish(data_dir)
        assert published_bytes(data_dir) == before
        assert not list((data_dir / "export").glob(".tmp-*"))


def raise_(error: Exception) -> None:
    raise error


REFUSALS = {
    "failed test": (lambda data: build(data, {"test.inventory.unique": "fail"}), "unique: fail: message from dbt"),
    "failed unit test": (lambda data: build(data, {"unit_test.inventory.worked": "fail"}), "worked: fail"),
    "failed model": (lambda data: build(data, {model_id("metrics"): "error"}), "metrics: error"),
    "skipped model": (lambda data: build(data, {model_id("metrics"): "skipped"}), "metrics: skipped"),
    "unfinished build": (lambda data: build(data, {}, ended=False), "did not end"),
    "no build": (lambda data: change(data, "drop schema build_audit cascade"), "build_audit.invocations"),
    "no results": (lambda data: change(data, "delete from build_audit.node_results"), "not built"),
    "missing table": (lambda data: change(data, "drop table metrics"), "metrics"),
    "missing column": (lambda data: change(data, "alter table metrics drop column avg_price"), "documented are"),
    "other type": (
        lambda data: change(data, "alter table metrics alter column avg_price type varchar"),
        "documented are",
    ),
    "type that nobody publishes": (
        lambda data: change(data, "alter table daily_stock alter column event_date type interval using null"),
        "daily_stock has types that nobody publishes",
    ),
    "documented table not listed": (
        lambda data: write_manifest(data, [table for table in tables() if table != "anomalies"]),
        "does not list inventory_metrics.anomalies",
    ),
    "no manifest": (lambda data: (data / "dbt/target/manifest.json").unlink(), "Run `dbt build` first"),
    "no warehouse": (lambda data: (data / "warehouse/inventory.duckdb").unlink(), "Run `dbt build` first"),
}


@pytest.mark.parametrize(("spoil", "reason"), REFUSALS.values(), ids=REFUSALS)
def test_a_refusal_says_why_and_changes_nothing(data_dir, monkeypatch, spoil, reason):
    monkeypatch.chdir(data_dir)  # away from a manifest that dbt left in the project's own folder
    publish(data_dir)
    before = published_bytes(data_dir)
    change(data_dir, "update inventory set quantity = 4")
    spoil(data_dir)
    result = CliRunner().invoke(export.command, ["--data-dir", str(data_dir)])
    assert result.exit_code == 1
    assert "not published" in result.output
    assert reason in result.output
    assert published_bytes(data_dir) == before


def test_a_warning_and_a_repaired_test_are_published(data_dir):
    build(data_dir, {"test.inventory.unique": "fail"})
    build(data_dir, {"test.inventory.unique": "warn"})
    assert publish(data_dir)["inventory"].startswith("published")


def test_a_warehouse_in_use_is_named(data_dir):
    hold = "import duckdb, sys; held = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", hold, data_dir / "warehouse" / "inventory.duckdb"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"held\n"
        with pytest.raises(PublicationRefusedError, match="cannot be opened"):
            publish(data_dir)
        writer.communicate()


def test_an_export_waits_while_an_action_on_a_notification_is_shown(data_dir):
    publish(data_dir)
    change(data_dir, "insert into daily_stock values ('Store_A', '2026-06-30', 1)")
    with ExitStack() as showing:
        showing.enter_context(file_lock(data_dir / "export", "showing actions"))
        timer = threading.Timer(0.3, showing.close)
        timer.start()
        assert publish(data_dir)["inventory_metrics"].startswith("published")
        timer.join()


def test_two_exports_do_not_meet(data_dir, monkeypatch):
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.2)
    publish(data_dir)
    with (data_dir / "export" / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(PublicationRefusedError, match="another export"):
            publish(data_dir)
    publish(data_dir)


@pytest.mark.parametrize(
    "damage",
    [
        "delete from inventory where quantity is null",
        "update inventory set quantity = quantity + 1 where quantity > 0",
        "update inventory set price = null",
        "update inventory set category = 'Groesse · 2' where category is not null",
        "update inventory set product_id = category, category = null",
    ],
)
def test_a_damaged_copy_is_found_before_it_is_published(data_dir, monkeypatch, damage):
    publish(data_dir)
    forget_what_is_published(data_dir)
    before = published_bytes(data_dir)
    change(data_dir, "update inventory set event_timestamp = '2026-07-01'")
    copy = sqlite_whole._copy

    def copy_and_damage(connection, table, path):
        copy(connection, table, path)
        if table.name == "inventory":
            with closing(sqlite3.connect(path)) as database:
                database.execute(damage)
                database.commit()

    monkeypatch.setattr(sqlite_whole, "_copy", copy_and_damage)
    with pytest.raises(PublicationRefusedError, match=r"inventory\.db: inventory: .* in the warehouse"):
        publish(data_dir)
    assert published_bytes(data_dir)["inventory.db"] == before["inventory.db"]
