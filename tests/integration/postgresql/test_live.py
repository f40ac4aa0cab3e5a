"""A serving database that is away while `inventory live` runs: everything else goes on, and it catches up."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg2
import pytest

from dev.postgresql_server import running
from ingest.durable_files import file_lock
from live.supervisor import FAILURES_TO_REPORT, Stage, Supervisor
from pipeline import publish
from publish.progress import progress, record, start_now
from serving_database import VARIABLE
from tests.unit.publish.warehouse import change, write_warehouse
from tests.waiting import wait_until


@contextmanager
def supervised(data_dir: Path) -> Iterator[Stage]:
    """The stage, kept running."""
    stage, stop = Stage("serve", ["serve"]), threading.Event()
    supervisor = Supervisor(data_dir, [stage], stop)
    supervisor.start()
    try:
        yield stage
    finally:
        stop.set()
        supervisor.join()


def build(data_dir: Path, quantity: int) -> None:
    """Do what the stage `build` does to the warehouse and the files."""
    with file_lock(data_dir / "warehouse", "building", wait=True):
        change(data_dir, f"update daily_stock set total_quantity = {quantity}")
        publish(data_dir, files_only=True)
        record(data_dir, start_now(data_dir), "published")


def in_file(data_dir: Path) -> int:
    with closing(sqlite3.connect(data_dir / "export/inventory_metrics.db")) as file:
        return int(file.execute("select max(total_quantity) from daily_stock").fetchone()[0])


def in_database(url: str) -> int:
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute("select max(total_quantity) from inventory_metrics.daily_stock")
        return int(cursor.fetchone()[0])


def is_served(data_dir: Path) -> bool:
    steps = progress(data_dir)
    return steps["published"] == steps.get("served")


def test_a_database_that_is_away_stops_nobody_else_and_catches_up(tmp_path, monkeypatch):
    write_warehouse(tmp_path)
    with running() as server:
        url = server.create_database("served")
        monkeypatch.setenv(VARIABLE, url)
        build(tmp_path, 1)
        with supervised(tmp_path) as stage:
            wait_until(lambda: is_served(tmp_path))
            assert in_database(url) == 1
            server.stop()
            for quantity in range(2, 2 + FAILURES_TO_REPORT):
                build(tmp_path, quantity)
                assert in_file(tmp_path) == quantity
                wait_until(lambda failures=quantity - 1: stage.failures >= failures)
            assert "cannot be opened" in (stage.problem or "")
            assert server.password not in (stage.problem or "")
            wait_until(lambda: any(tmp_path.glob("landing_failures/publish_date=*/*.parquet")))
            server.start()
            wait_until(lambda: is_served(tmp_path))
            assert in_database(url) == in_file(tmp_path) == 1 + FAILURES_TO_REPORT
            build(tmp_path, 99)
            wait_until(lambda: is_served(tmp_path))
            assert in_database(url) == 99


def test_files_alone_do_not_ask_for_the_database(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, "postgresql://nobody@127.0.0.1:1/away")
    write_warehouse(tmp_path)
    publish(tmp_path, files_only=True)
    assert in_file(tmp_path) > 0
    with pytest.raises(Exception, match="cannot be opened"):
        publish(tmp_path)
