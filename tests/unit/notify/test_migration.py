import os
import random
import signal
import sqlite3
import subprocess
import time
from contextlib import closing

import pytest
from click.testing import CliRunner

from notify.migration import command
from tests.conftest import ROOT
from tests.inventory_process import inventory_command

NOTIFICATIONS = [
    # type, notification, store, timestamp, product; the category that is to be found
    ("numerical", "Isolation Forest: quantity off in Store_A, category: Toys", "Store_A", "N/A", "Toys"),
    ("pipeline", "P1 is out of stock", "Store_A", "P1", "Electronics"),
    ("pipeline", "P1 is out of stock", "Store_A", "N/A", "Electronics"),
    ("stock", "Stock of Home & Garden fell by half", "Store_B", "N/A", "Home & Garden"),
    ("stock", "Toys and Electronics fell", "Store_B", "N/A", "Unknown"),
    ("pipeline", "Pipeline ran without errors", "N/A", "N/A", "Unknown"),
    ("pipeline", None, None, None, "Unknown"),
    ("pipeline", "no longer sold", "Store_A", "P2", "Toys"),
    ("pipeline", "at home nobody knows", "Store_A", "P99", "Unknown"),
]


@pytest.fixture
def file(tmp_path):
    with closing(sqlite3.connect(tmp_path / "inventory.db")) as database, database:
        database.execute("CREATE TABLE inventory (product_id TEXT, category TEXT, event_timestamp TEXT)")
        database.executemany(
            "INSERT INTO inventory VALUES (?, ?, ?)",
            [("P1", "Toys", "2025-01-01"), ("P1", "Electronics", "2025-02-01"), ("P2", "Toys", "2025-01-01")],
        )
    path = tmp_path / "inventory_metrics.db"
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(
            "CREATE TABLE dashboard_notifications "
            "(type TEXT, notification TEXT, store_location TEXT, event_timestamp TEXT, product_id TEXT)"
        )
        database.execute("CREATE TABLE metrics (store_location TEXT, category TEXT)")
        database.execute("INSERT INTO metrics VALUES ('Store_B', 'Home & Garden'), ('Store_B', 'N/A')")
        database.executemany(
            "INSERT INTO dashboard_notifications VALUES (?, ?, ?, '2025-01-01', ?)",
            [row[:-1] for row in NOTIFICATIONS],
        )
    return path


def run(path):
    return CliRunner().invoke(command, [str(path)])


def rows(path, query="SELECT * FROM dashboard_notifications"):
    with closing(sqlite3.connect(path)) as database:
        return database.execute(query).fetchall()


def test_categories_come_from_the_text_or_the_product_else_they_are_unknown(file):
    before = rows(file)
    result = run(file)
    assert result.exit_code == 0, result.output
    assert "9 notifications got a category (2 by text, 3 by product, 4 Unknown)" in result.output
    assert [row[:-1] for row in rows(file)] == before
    assert [row[-1] for row in rows(file)] == [row[-1] for row in NOTIFICATIONS]
    declared = [row[1:3] for row in rows(file, "PRAGMA table_info(dashboard_notifications)")]
    assert declared[-1] == ("category", "TEXT")


def test_a_second_run_changes_nothing(file):
    run(file)
    before = file.read_bytes(), file.stat().st_mtime_ns
    result = run(file)
    assert result.exit_code == 0
    assert "of today's version already" in result.output
    assert (file.read_bytes(), file.stat().st_mtime_ns) == before


def test_a_column_that_was_added_and_not_filled_is_filled(file):
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("ALTER TABLE dashboard_notifications ADD COLUMN Category TEXT")
        database.execute("UPDATE dashboard_notifications SET category = 'Kept' WHERE product_id = 'P2'")
    assert "8 notifications got a category" in run(file).output
    assert [row[-1] for row in rows(file)] == [row[-1] if row[-2] != "P2" else "Kept" for row in NOTIFICATIONS]


def test_without_the_tables_beside_it_the_text_is_all_there_is(file):
    (file.parent / "inventory.db").write_bytes(b"no database at all, but long enough to be looked at" * 99)
    result = run(file)
    assert result.exit_code == 0
    assert "inventory.db is left out" in result.output
    assert [row[-1] for row in rows(file)][:4] == ["Toys", "Unknown", "Unknown", "Home & Garden"]


def test_text_that_is_not_utf_8_and_a_table_without_products_are_no_obstacle(tmp_path):
    path = tmp_path / "old.db"
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE dashboard_notifications (notification)")
        database.execute(
            "INSERT INTO dashboard_notifications VALUES (CAST(x'ff63617465676f72793a20546f7973' AS TEXT)), (7)"
        )
    assert run(path).exit_code == 0
    assert rows(path, "SELECT category FROM dashboard_notifications") == [("Toys",), ("Unknown",)]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "does not exist"),
        (b"", "has no table dashboard_notifications; it has no table"),
        (b"type,notification\n" * 400, "file is not a database"),
        ("CREATE TABLE other (a)", "it has other"),
        ("CREATE TABLE dashboard_notifications (a, b)", "has no column notification, but a, b"),
        ("CREATE VIEW dashboard_notifications AS SELECT 1 AS notification", "has no table dashboard_notifications"),
    ],
)
def test_a_file_that_is_no_such_database_gets_one_clear_line(tmp_path, content, problem):
    path = tmp_path / "file.db"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content:
        with closing(sqlite3.connect(path)) as database, database:
            database.execute(content)
    before = path.read_bytes() if path.exists() else None
    result = run(path)
    assert result.exit_code == 1
    assert problem in result.output
    assert len(result.output.strip().splitlines()) == 1
    assert (path.read_bytes() if path.exists() else None) == before


def test_a_folder_and_a_database_that_is_written_to_get_one_clear_line(file, monkeypatch):
    assert "does not exist" in run(file.parent).output
    monkeypatch.setattr("notify.migration.BUSY_SECONDS", 0.1)
    with closing(sqlite3.connect(file)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        assert "is unchanged: database is locked" in run(file).output


def test_a_killed_migration_loses_nothing(file):
    with closing(sqlite3.connect(file)) as database, database:
        database.execute(
            "INSERT INTO dashboard_notifications SELECT a.* FROM dashboard_notifications AS a, "
            "(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) SELECT i FROM n)"
        )
    columns = "type, notification, store_location, event_timestamp, product_id"
    before = rows(file, f"SELECT {columns} FROM dashboard_notifications ORDER BY rowid")
    chance = random.Random(7)
    start = inventory_command("migrate-notifications", str(file))
    for _ in range(6):
        with subprocess.Popen(start, cwd=ROOT, stdout=subprocess.DEVNULL) as process:
            deadline = time.monotonic() + 10
            while (
                not file.with_name(f"{file.name}-journal").exists()
                and process.poll() is None
                and time.monotonic() < deadline
            ):
                time.sleep(0.002)
            time.sleep(chance.uniform(0, 0.4))
            os.kill(process.pid, signal.SIGKILL)
        assert rows(file, f"SELECT {columns} FROM dashboard_notifications ORDER BY rowid") == before
    assert run(file).exit_code == 0
    assert rows(file, f"SELECT {columns} FROM dashboard_notifications ORDER BY rowid") == before
    assert rows(file, "SELECT count(*) FROM dashboard_notifications WHERE category IS NULL") == [(0,)]
