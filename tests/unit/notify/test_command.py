import errno
import json
import os
import sqlite3
import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from ingest import shared_sqlite as shared_sqlite_module
from ingest.durable_files import file_lock
from ingest.shared_sqlite import shared_sqlite
from notify import command as notify_command
from notify.actions import FOLDER, PUBLISHED, new_action, record_action
from notify.command import command
from notify.publication import show_actions
from tests.unit.notify.published import publish_episodes, rows

STATUSES = (
    "SELECT episode_id, status, needs_attention, acted_by, assignee, comment FROM notification_episodes ORDER BY 1"
)


@pytest.fixture
def data_dir(tmp_path):
    publish_episodes(
        tmp_path,
        {},
        {
            "episode_id": "bbbbbbbb02",
            "store_location": "Store_B",
            "severity_rank": 1,
            "notification": "CRITICAL · Store_B",
        },
        {"episode_id": "cccccccc03", "status": "resolved", "is_found_open": 0, "needs_attention": 0},
    )
    return tmp_path


def run(data_dir, *arguments):
    return CliRunner().invoke(command, [*arguments, "--data-dir", str(data_dir)])


def test_what_is_open_is_listed_most_urgent_first(data_dir):
    assert run(data_dir, "list").output == (
        "bbbbbbbb  CRITICAL · Store_B\naaaaaaaa  HIGH · Store_A · P1 is out of stock.\n"
    )
    assert run(data_dir, "list", "--store", "Store_A").output.startswith("aaaaaaaa")
    assert run(data_dir, "list", "--store", "Store_C").output == "nothing needs you\n"
    listed = [json.loads(line) for line in run(data_dir, "list", "--json", "--status", "resolved").output.splitlines()]
    assert [(each["episode_id"], each["last_seen_at"]) for each in listed] == [("cccccccc03", "2026-06-30T10:00:00Z")]


def test_what_cannot_be_shown_yet_is_recorded(data_dir, monkeypatch):
    monkeypatch.setattr(shared_sqlite_module, "BUSY_SECONDS", 0.1)
    with closing(sqlite3.connect(data_dir / PUBLISHED, isolation_level=None)) as other:
        other.execute("PRAGMA journal_mode = wal")
        other.execute("BEGIN IMMEDIATE")
        result = run(data_dir, "ack", "bbbbbbbb")
    assert result.exit_code == 0, result.output
    assert "shows it after the next build (database is locked)" in result.output
    assert "[acknowledged, by" in result.output


def test_a_full_disk_records_nothing_and_says_so(data_dir, monkeypatch):
    def no_room(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(data_dir / FOLDER))

    monkeypatch.setattr(notify_command, "record_actions", no_room)
    result = run(data_dir, "ack", "bbbbbbbb")
    assert result.exit_code == 1
    assert result.output == f"Error: {data_dir / FOLDER}: No space left on device. Nothing was recorded.\n"


@pytest.mark.parametrize(
    ("arguments", "status", "assignee"),
    [
        (["ack"], "acknowledged", None),
        (["snooze", "--days", "2"], "snoozed", None),
        (["snooze", "--until", "2099-01-01"], "snoozed", None),
        (["assign", "--to", "Ben"], "open", "Ben"),
        (["resolve"], "resolved", None),
        (["expected"], "resolved", None),
    ],
)
def test_an_action_is_shown_at_once_in_the_list_and_in_the_published_file(data_dir, arguments, status, assignee):
    name, *options = arguments
    result = run(data_dir, name, "aaaaaaaa", *options, "--person", "Anna", "--comment", "on it")
    assert result.exit_code == 0, result.output
    (shown,) = run(data_dir, "list", "--json", "--store", "Store_A", "--status", status).output.splitlines()[:1]
    assert (json.loads(shown)["status"], json.loads(shown)["assignee"]) == (status, assignee)
    published = rows(data_dir / PUBLISHED, STATUSES)
    by = None if assignee else "Anna"  # an assignment gives no status
    assert published[0] == ("aaaaaaaa01", status, status == "open", by, assignee, "on it")
    assert published[1] == ("bbbbbbbb02", "open", 1, None, None, None)
    needs = rows(data_dir / PUBLISHED, "SELECT store_location FROM dashboard_notifications ORDER BY 1")
    assert needs == ([("Store_A",)] if status == "open" else []) + [("Store_B",)]
    run(data_dir, "reopen", "aaaaaaaa", "--person", "Anna")
    assert rows(data_dir / PUBLISHED, STATUSES)[0][:3] == ("aaaaaaaa01", "open", 1)
    needs = rows(data_dir / PUBLISHED, "SELECT * FROM dashboard_notifications ORDER BY 3")
    assert needs[0] == (
        "stock",
        "HIGH · Store_A · P1 is out of stock.",
        "Store_A",
        "2026-06-30T10:00:00Z",
        "P1",
        "Toys",
    )
    assert len(needs) == 2


def test_who_did_what_is_kept(data_dir):
    run(data_dir, "snooze", "aaaaaaaa", "--until", "2099-01-01", "--person", "Anna", "--comment", "after the holidays")
    run(data_dir, "assign", "aaaaaaaa", "--to", "Ben", "--person", "Rita")
    lines = run(data_dir, "history", "aaaaaaaa").output.splitlines()
    assert lines[0] == "HIGH · Store_A · P1 is out of stock."
    assert lines[1].endswith("UTC  snooze by Anna: until 2099-01-01 00:00 UTC, after the holidays")
    assert lines[2].endswith("UTC  assign by Rita: to Ben")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["ack", "nothing99"], "nothing99: no episode begins with this id"),
        (["ack", "aaa"], "aaa: no episode begins with this id"),
        (["snooze", "aaaaaaaa"], "say until when"),
        (["snooze", "aaaaaaaa", "--until", "2020-01-01"], "a time to end that is still to come"),
        (["ack", "aaaaaaaa", "--comment", "\x1b[2J"], "comment"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(data_dir, arguments, problem):
    result = run(data_dir, *arguments, "--person", "Anna") if arguments[0] != "list" else run(data_dir, *arguments)
    assert result.exit_code != 0
    assert problem in result.output
    assert "\x1b" not in result.output
    assert not (data_dir / "landing_actions").exists()


def test_without_published_episodes_it_says_what_to_do(tmp_path):
    result = run(tmp_path, "list")
    assert result.exit_code == 1
    assert "Run `inventory build`" in result.output


def test_an_action_carries_what_its_episode_was_about(data_dir):
    run(data_dir, "expected", "aaaaaaaa", "--person", "Anna")
    record_action(data_dir, new_action("gone", "expected", "Anna"))
    about = [
        json.loads(row["extra"]) if row["extra"] else None
        for path in sorted((data_dir / FOLDER).glob("*/*.parquet"))
        for row in pq.read_table(path).to_pylist()
    ]
    assert about == [
        {
            "rule_id": "out_of_stock",
            "store_location": "Store_A",
            "category": "Toys",
            "product_id": "P1",
            "first_seen_at": "2026-06-29 10:00:00",
            "last_seen_at": "2026-06-30 10:00:00",
        },
        None,
    ]


def test_what_is_shown_is_not_written_again(data_dir):
    record_action(data_dir, new_action("bbbbbbbb02", "acknowledge", "Ben"))
    path = data_dir / PUBLISHED
    show_actions(data_dir)
    before = path.read_bytes()
    show_actions(data_dir)
    assert path.read_bytes() == before
    assert rows(path, STATUSES)[1][:2] == ("bbbbbbbb02", "acknowledged")


def test_what_is_done_during_an_export_is_shown_after_it(data_dir):
    with file_lock(data_dir / "export", "exporting"):
        assert run(data_dir, "ack", "aaaaaaaa", "--person", "Anna").exit_code == 0
        publish_episodes(data_dir, {}, {"episode_id": "dddddddd04"})  # the export's new rows
    show_actions(data_dir)  # the export looks again after it has let go
    assert [row[1] for row in rows(data_dir / PUBLISHED, STATUSES)] == ["acknowledged", "open"]


def test_people_and_exports_at_once_lose_nothing_and_no_reader_sees_an_error(data_dir):
    episodes = [{"episode_id": f"episode{number:03}"} for number in range(12)]
    path, is_over, problems = publish_episodes(data_dir, *episodes), threading.Event(), []
    built = publish_episodes(data_dir / "built", *episodes)

    def act(number):
        record_action(data_dir, new_action(f"episode{number:03}", "acknowledge", f"person {number}"))
        show_actions(data_dir)

    def export():
        for _ in range(8):
            with (
                file_lock(path.parent, "exporting", wait=True),
                closing(sqlite3.connect(built)) as source,
                shared_sqlite(path) as file,
            ):
                source.backup(file)
            show_actions(data_dir)

    def read():
        while not is_over.is_set():
            if len(shown := rows(path, STATUSES)) != 12 or rows(path, "PRAGMA integrity_check") != [("ok",)]:
                problems.append(shown)

    workers = [threading.Thread(target=act, args=(number,)) for number in range(12)] + [threading.Thread(target=export)]
    reader = threading.Thread(target=read)
    for thread in (reader, *workers):
        thread.start()
    for worker in workers:
        worker.join()
    is_over.set()
    reader.join()
    assert not problems
    assert {row[1] for row in rows(path, STATUSES)} == {"acknowledged"}


def test_the_build_judges_what_it_knows_and_a_snooze_ends_by_itself(tmp_path):
    acted_at = datetime.now(UTC) - timedelta(hours=2)
    record_action(tmp_path, new_action("aaaaaaaa01", "resolve", "Anna"))
    later = (datetime.now(UTC) + timedelta(minutes=1)).strftime("%Y-%m-%d %H:%M:%S")
    published = {"acted_by": "Anna", "acted_at": later, "status": "open"}  # the build found it worse than before
    publish_episodes(tmp_path, published)
    assert "aaaaaaaa" in run(tmp_path, "list").output
    ended = acted_at.strftime("%Y-%m-%d %H:%M:%S")
    publish_episodes(tmp_path, {"acted_by": "Anna", "acted_at": ended, "status": "resolved"})
    assert "nothing needs you" in run(tmp_path, "list").output
