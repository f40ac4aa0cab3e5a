"""The summary in each state that a data folder can be in."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import duckdb
import msgspec
import pytest
from click.testing import CliRunner

from ingest.durable_files import file_lock
from ingest.landing.file_loader import land_file
from ingest.landing.withdraw import command as withdraw_command
from ingest.landing.withdrawals import record, withdrawals
from publish.server_state import Server, open_state, write_state
from publish.status import command
from tests.unit.ingest.test_events import EVENT

FREE_PORT = "1"  # nothing answers there


@pytest.fixture(autouse=True)
def no_broker(monkeypatch):
    monkeypatch.delenv("PULSAR_URL", raising=False)


def summary(data_dir: Path) -> dict[str, str]:
    result = CliRunner().invoke(command, ["--data-dir", str(data_dir)])
    assert result.exit_code == 0, result.output
    return {line[:20].strip(): line[21:] for line in result.output.splitlines()}


def land(data_dir: Path) -> None:
    folder = data_dir / "landing" / "publish_date=2026-11-23"
    folder.mkdir(parents=True)
    with duckdb.connect() as connection:
        connection.execute(
            "copy (select *, now() - interval 90 minute as publish_time "
            "from (values (null), (null), ('no price')) as landed (error)) "
            f"to '{folder / 'events.parquet'}' (format parquet)"
        )


def publish(data_dir: Path) -> None:
    (data_dir / "export").mkdir()
    with closing(sqlite3.connect(data_dir / "export" / "inventory_metrics.db")) as database:
        database.executescript(
            """
            create table pipeline_status (as_of);
            insert into pipeline_status values ('2026-11-22 21:59:54');
            create table metrics (x);
            insert into metrics values (1), (2);
            create table ml_metrics (actual_quantity);
            insert into ml_metrics values (null), (3.0), (4.0);
            create table anomalies (method);
            insert into anomalies values ('rule-based'), ('rule-based'), ('statistical'), ('text');
            create table numerical_quantity (x);
            insert into numerical_quantity values (1);
            create table notification_episodes (status, needs_attention, is_covered_by_region);
            insert into notification_episodes values
                ('open', 1, 0), ('open', 0, 0), ('open', 1, 1), ('snoozed', 0, 0), ('resolved', 0, 0);
            """
        )


def test_nothing_yet(tmp_path):
    assert summary(tmp_path) == {
        "events": f"none landed in {tmp_path}/landing; run `make pipeline`",
        "tables": f"{tmp_path}/export/inventory_metrics.db is not published yet; run `make pipeline`",
    }


def test_landed_only(tmp_path):
    land(tmp_path)
    lines = summary(tmp_path)
    assert lines["events landed"] == "2"
    assert lines["events quarantined"] == "1"
    assert lines["newest landed"] == "90 minutes ago"
    assert "not published yet" in lines["tables"]


def test_what_is_withdrawn_is_reported_until_it_is_restored(tmp_path):
    message = msgspec.json.encode(EVENT)
    source = tmp_path / "shop.ndjson"
    source.write_bytes(message + b"\njunk\n")
    with file_lock(tmp_path / "landing", "landing"):
        land_file(tmp_path / "landing", source)

    def withdraw() -> None:
        assert (
            CliRunner().invoke(withdraw_command, ["--source", source.name, "--data-dir", str(tmp_path)]).exit_code == 0
        )

    assert "events withdrawn" not in summary(tmp_path)
    withdraw()
    lines = summary(tmp_path)
    assert (lines["events landed"], lines["events quarantined"]) == ("0", "0")
    assert lines["events withdrawn"] == "2 of shop.ndjson; the tables wait for `inventory land`"
    (tmp_path / "raw").mkdir()
    record(tmp_path / "raw", withdrawals(tmp_path))
    assert summary(tmp_path)["events withdrawn"] == "2 of shop.ndjson"
    withdraw()
    assert summary(tmp_path)["events withdrawn"] == "0; the tables wait for `inventory land`"


def test_refined_straight_from_a_topic(tmp_path):
    """Nothing is landed then, but for what is quarantined beside it; both folders count where both are."""
    land(tmp_path)
    (tmp_path / "landing").rename(tmp_path / "quarantine")
    for table, query in {
        "readings/batch-000000/event_month=2026-11": "select 1 as x from range(1200)",
        "features/batch-000000": "select 0 as late_count union all select 3",
    }.items():
        folder = tmp_path / "raw" / table
        folder.mkdir(parents=True)
        with duckdb.connect() as connection:
            connection.execute(f"copy ({query}) to '{folder}/part.parquet' (format parquet)")
    lines = summary(tmp_path)
    assert "events landed" not in lines
    assert lines["events quarantined"] == "1"
    assert lines["readings refined"] == "1,200, 3 of them too late for their five-minute window"
    land(tmp_path)
    assert summary(tmp_path)["events quarantined"] == "2"


def test_a_broker_that_cannot_be_reached_is_reported(tmp_path, monkeypatch):
    monkeypatch.setenv("PULSAR_URL", f"pulsar://127.0.0.1:{FREE_PORT}")
    assert summary(tmp_path)["waiting in Pulsar"].startswith(
        f"unknown: pulsar://127.0.0.1:{FREE_PORT}: no broker can be reached"
    )


def test_published_with_users_but_no_server(tmp_path):
    land(tmp_path)
    publish(tmp_path)
    passwords = tmp_path / "superset" / "passwords"
    passwords.mkdir(parents=True)
    for user in ("admin", "store_a"):
        (passwords / user).write_text("secret\n")
    lines = summary(tmp_path)
    assert lines["newest reading"] == "2026-11-22 21:59:54 UTC"
    assert lines["metrics rows"] == "2"
    assert lines["forecasts"] == "3, 2 of them with their actual"
    assert lines["anomalies"] == "2 by rules, 2 by models, 1 in notes"
    assert lines["open notifications"] == "2, 1 of them need attention today"
    assert lines["SQLite files"] == f"{tmp_path}/export/inventory_metrics.db"
    assert lines["dashboards"] == "Superset is not running; `make run` starts it"
    with open_state(tmp_path / "superset") as state:
        write_state(state, Server(1, int(FREE_PORT), str(tmp_path), ""))
        hanging = summary(tmp_path)["dashboards"]
    assert hanging.startswith(f"Superset does not answer on http://127.0.0.1:{FREE_PORT}; `make stop` ends it")
    assert lines["users"] == f"admin, store_a (passwords: {passwords}/<user>)"
    assert "secret" not in str(lines)
