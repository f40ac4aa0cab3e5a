"""A publication changes files that readers have open, and only what differs."""

from __future__ import annotations

import shutil
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings

from ingest import shared_sqlite
from notify.publication import ACTED_ON
from publish import export
from publish.destinations import sqlite_whole
from publish.destinations.sqlite import SqliteFiles
from publish.publication import PublicationRefusedError, publication_list, read_manifest
from publish.schema import converted
from tests.full_disk import FullDisk
from tests.unit.publish.builds import builds, run_build
from tests.unit.publish.warehouse import change


def publish(data_dir: Path, apply_actions=lambda _: None) -> dict[str, str]:
    """What became of each database's file, by the database's name."""
    outcomes = export.publish(data_dir, SqliteFiles(data_dir / "export", apply_actions))
    return {Path(path).stem: outcome for path, outcome in outcomes.items()}


def rows(data_dir: Path, database: str, query: str) -> list[tuple]:
    with closing(sqlite3.connect(data_dir / f"export/{database}.db")) as file:
        return file.execute(query).fetchall()


def differences(data_dir: Path) -> list[str]:
    """The published tables that are not, row by row, what the warehouse holds."""
    found = []
    with duckdb.connect(str(data_dir / "warehouse/inventory.duckdb"), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        for database, tables in publication_list(read_manifest(data_dir), connection).items():
            for table in (each for each in tables if each.view_of is None):
                wanted = Counter(connection.execute(f"select * from {converted(table)}").fetchall())
                if Counter(rows(data_dir, database, f"select * from {table.name}")) != wanted:
                    found.append(table.name)
    return found


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(builds)
def test_whatever_the_builds_did_the_files_hold_what_the_warehouse_holds(data_dir, steps):
    publish(data_dir)
    for kind, detail in steps:
        run_build(data_dir, kind, detail)
        if kind == "act":  # between builds, as notify does
            with shared_sqlite.shared_sqlite(data_dir / "export/inventory_metrics.db") as file:
                for table in ACTED_ON:
                    file.execute(f"delete from {table} where rowid % 3 = {detail}")
                    file.execute(f"insert into {table} (store_location) values ('Store_A')")
        publish(data_dir)
        assert differences(data_dir) == []


def write_generation(data_dir: Path, generation: int) -> None:
    """A day of readings more, each with the number of this generation, which all other tables have, too."""
    change(
        data_dir,
        f"""
        insert into inventory
        select 'P' || number, 'Toys', 'Store_' || number % 3, {generation}, 1.5,
            timestamp '2026-06-01' + to_days({generation}) + to_minutes(number)
        from range(5) as numbers (number)
        """,
        f"update inventory set quantity = {generation} where event_timestamp > '2026-06-01'",
        f"update metrics set total_quantity = {generation}",
        f"update daily_stock set total_quantity = {generation}",
    )


def dump(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as file:
        assert file.execute("pragma integrity_check").fetchall() == [("ok",)]
        return sorted(file.iterdump())


def test_a_reader_keeps_what_it_began_with_and_waits_for_nobody(data_dir):
    publish(data_dir)
    path = data_dir / "export/inventory_metrics.db"
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as reader:
        reader.execute("BEGIN")
        before = reader.execute("SELECT * FROM daily_stock").fetchall()
        state = shared_sqlite.state_of(path)
        change(data_dir, "update daily_stock set total_quantity = 7")
        publish(data_dir)
        assert shared_sqlite.state_of(path) != state
        assert reader.execute("SELECT * FROM daily_stock").fetchall() == before
        assert differences(data_dir) == []
    change(data_dir, "update daily_stock set total_quantity = 8")
    publish(data_dir)
    shutil.copy(path, data_dir / "copy.db")  # the file alone
    with closing(sqlite3.connect(data_dir / "copy.db")) as copy:
        assert copy.execute("SELECT DISTINCT total_quantity FROM daily_stock").fetchall() == [(8,)]


SPOILERS = {
    "vacuumed": (lambda file: file.execute("VACUUM"), "not where they were written"),
    "altered on its way": (
        lambda file: file.execute(
            "CREATE TRIGGER spoil AFTER INSERT ON inventory BEGIN UPDATE inventory SET price = 0; END"
        ),
        "did not become those of the warehouse",
    ),
}


@pytest.mark.parametrize(("spoil", "reason"), SPOILERS.values(), ids=SPOILERS)
def test_a_file_that_is_not_as_it_was_published_is_written_whole(data_dir, spoil, reason):
    write_generation(data_dir, 1)
    publish(data_dir)
    with closing(sqlite3.connect(data_dir / "export/inventory.db", isolation_level=None)) as file:
        spoil(file)
    write_generation(data_dir, 2)
    outcome = publish(data_dir)["inventory"]
    assert outcome.startswith("published whole")
    assert reason in outcome
    assert differences(data_dir) == []


def test_a_file_that_nobody_can_read_is_replaced(data_dir):
    publish(data_dir)
    path = data_dir / "export/inventory.db"
    path.write_bytes(b"no database at all, but long enough to be looked at" * 99)
    assert publish(data_dir)["inventory"].startswith("published")
    assert differences(data_dir) == []


def test_a_whole_publication_does_not_wait_for_ever_for_another_program(data_dir, monkeypatch):
    publish(data_dir)
    path = data_dir / "export/inventory.db"
    for note in path.parent.glob("inventory.parts-*"):
        note.unlink()  # so it is written whole
    monkeypatch.setattr(sqlite_whole, "BUSY_SECONDS", 0.1)
    monkeypatch.setattr(shared_sqlite, "BUSY_SECONDS", 0.1)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(PublicationRefusedError, match=r"database is locked.*another program writes to it"):
            publish(data_dir)
    publish(data_dir)
    assert differences(data_dir) == []


def test_a_log_that_a_removed_file_has_left_is_not_taken_for_the_new_ones(data_dir):
    publish(data_dir)
    path = data_dir / "export/inventory.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as file:
        file.execute("UPDATE inventory SET quantity = -1")
        log = path.with_name("inventory.db-wal")
        left = log.read_bytes()
        assert left
    path.unlink()
    log.write_bytes(left)  # as a killed writer leaves it
    publish(data_dir)
    assert differences(data_dir) == []


def test_a_disk_that_fills_up_leaves_what_was_published(data_dir):
    (data_dir / "export").mkdir()
    with FullDisk(data_dir / "export", 400):
        publish(data_dir)
        before = {path: dump(path) for path in (data_dir / "export").glob("*.db")}
        change(
            data_dir,
            "insert into inventory select i.* replace (repeat('x', 1000) as category) from inventory as i, range(400)",
        )
        with pytest.raises(PublicationRefusedError, match="the disk is full"):
            publish(data_dir)
        assert {path: dump(path) for path in (data_dir / "export").glob("*.db")} == before
        change(data_dir, "delete from inventory where length(category) = 1000")
        publish(data_dir)
        assert differences(data_dir) == []


def test_actions_are_published_with_what_they_are_about(data_dir):
    """A publication begins from what the build says, whatever was shown before, and applies the actions again."""

    def resolve(file: sqlite3.Connection) -> None:
        file.execute("UPDATE notification_episodes SET status = 'resolved'")
        file.execute("DELETE FROM dashboard_notifications WHERE store_location IS NOT NULL")
        file.execute("INSERT INTO dashboard_notifications (store_location) VALUES ('Store_C')")

    publish(data_dir, resolve)
    for quantity in (7, 8):
        change(data_dir, f"update daily_stock set total_quantity = {quantity}")
        publish(data_dir, resolve)
        shown = "select store_location from dashboard_notifications order by 1"
        assert rows(data_dir, "inventory_metrics", shown) == [(None,), ("Store_C",)]
        assert rows(data_dir, "inventory_metrics", "select distinct status from notification_episodes") == [
            ("resolved",)
        ]
    change(data_dir, "update daily_stock set total_quantity = 9")
    publish(data_dir)
    assert differences(data_dir) == []
