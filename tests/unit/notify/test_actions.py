import os
import random
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from click.testing import CliRunner

from ingest.durable_files import file_lock
from ingest.events import ACTIONS, Action, Rejection
from ingest.load import KINDS
from ingest.load import command as load_command
from ingest.refining.compaction import compact_landing
from notify.actions import (
    FOLDER,
    ActionError,
    EpisodeState,
    actions_of,
    current_states,
    land_actions,
    new_action,
    record_action,
    record_actions,
)

START = datetime(2026, 6, 30, 12, tzinfo=UTC)
NOW = datetime.now(UTC)


def action(number: int, episode_id: str, kind: str, **fields: object) -> Action:
    """The action of that number, so many hours after the start."""
    return Action(f"action-{number}", episode_id, kind, "Anna", START + timedelta(hours=number), **fields)


def test_what_comes_later_has_a_later_second_even_where_a_clock_went_back(tmp_path):
    first = new_action("e1", "acknowledge", "Anna")
    record_action(tmp_path, first)
    record_action(tmp_path, new_action("e1", "resolve", "Anna"))
    record_action(tmp_path, action(1, "e1", "reopen"))
    assert current_states(tmp_path)["e1"].status == "open"
    seconds = [int(each.event_timestamp.timestamp()) for each in actions_of(tmp_path, "e1")]
    assert seconds[0] < seconds[1] < seconds[2]


def test_the_state_of_an_episode_is_what_its_actions_add_up_to(tmp_path):
    until = START + timedelta(days=3)
    record_action(tmp_path, action(1, "e1", "acknowledge", comment="seen"))
    record_action(tmp_path, action(2, "e1", "assign", assignee="Ben"))
    record_actions(tmp_path, [action(3, "e2", "snooze", snoozed_until=until), action(4, "e3", "resolve")])
    record_action(tmp_path, action(5, "e3", "reopen"))
    at = [START + timedelta(hours=hours) for hours in range(6)]
    assert current_states(tmp_path) == {
        "e1": EpisodeState("acknowledged", "Anna", "Ben", None, "seen", at[1]),
        "e2": EpisodeState("snoozed", "Anna", None, until, None, at[3]),
        "e3": EpisodeState("open", "Anna", None, None, None, at[5]),
    }
    record_action(tmp_path, action(6, "e1", "assign"))  # takes the assignment back
    assert current_states(tmp_path)["e1"].assignee is None
    assert [each.action for each in actions_of(tmp_path, "e1")] == ["acknowledge", "assign", "assign"]


def test_order_and_repeats_change_no_state(tmp_path):
    kinds = ["acknowledge", "resolve", "reopen", "expected", "assign", "snooze"]
    actions = [
        action(number, f"e{number % 7}", kinds[number * 5 % 6], assignee="Ben", snoozed_until=START + timedelta(days=9))
        for number in range(60)
    ]
    record_actions(tmp_path / "in order", actions)
    shuffled = actions * 2
    random.Random(7).shuffle(shuffled)
    (tmp_path / "shuffled" / FOLDER).mkdir(parents=True)
    for first in range(0, len(shuffled), 40):
        land_actions(tmp_path / "shuffled", shuffled[first : first + 40])
    assert current_states(tmp_path / "shuffled") == current_states(tmp_path / "in order")


@pytest.mark.parametrize(
    ("status", "is_found_open", "seen", "now", "shown"),
    [
        ("acknowledged", True, 5, 9, "acknowledged"),
        ("acknowledged", False, 5, 9, "resolved"),
        ("resolved", True, 1, 9, "resolved"),
        ("resolved", True, 3, 9, "open"),  # seen again after it was resolved
        ("expected", True, 3, 9, "resolved"),
        ("snoozed", True, 3, 6, "snoozed"),
        ("snoozed", True, 3, 7, "open"),  # the snooze ends
        ("open", True, 3, 9, "open"),
    ],
)
def test_what_is_shown_follows_the_data_as_well(status, is_found_open, seen, now, shown):
    until = START + timedelta(hours=7) if status == "snoozed" else None
    state = EpisodeState(status, "Anna", None, until, None, START + timedelta(hours=2))
    at = [START + timedelta(hours=hours) for hours in range(10)]
    assert state.current_status(is_found_open, at[seen], at[now]) == shown


@pytest.mark.parametrize(
    ("kind", "fields", "problem"),
    [
        ("snooze", {}, "a snooze needs a time"),
        ("snooze", {"snoozed_until": NOW - timedelta(days=1)}, "a snooze needs a time"),
        ("assign", {}, "somebody to assign to"),
        ("assign", {"assignee": "\x1b[31mBen"}, "assignee: U\\+001B"),
        ("assign", {"assignee": "B" * 300}, "assignee: 300 characters"),
        ("acknowledge", {"comment": "x" * 1001}, "1,001 characters"),
        ("acknowledge", {"comment": "a\x00b"}, "comment"),
        ("acknowledge", {"comment": "\udcff"}, "surrogates"),
        ("delete", {}, "action: invalid enum value"),
    ],
)
def test_hostile_actions_are_refused_before_they_land(kind, fields, problem):
    with pytest.raises(ActionError, match=problem):
        new_action("e1", kind, "Anna", **fields)


def test_an_action_is_tidy_and_of_now():
    made = new_action(" e1 ", "assign", "Anna\u200b", assignee="Ben  B.", comment=" two\r\n lines ")
    assert (made.episode_id, made.person, made.assignee, made.comment) == ("e1", "Anna", "Ben B.", "two lines")
    assert abs(made.event_timestamp - datetime.now(UTC)) < timedelta(minutes=1)


def test_an_action_from_a_topic_is_checked_as_well():
    event = {"action_id": "a", "episode_id": "e", "action": "resolve", "person": "Anna", "event_timestamp": NOW}
    assert isinstance(ACTIONS.decode(msgspec.json.encode(event), NOW), Action)
    for change in ({"action": "drop table"}, {"person": None}, {"comment": "\x1b]0;"}, {"snoozed_until": "tomorrow"}):
        assert isinstance(ACTIONS.decode(msgspec.json.encode(event | change), NOW), Rejection)


def test_actions_of_a_file_or_topic_count_with_those_of_people_here_who_need_not_wait(tmp_path):
    sent = {"action_id": "a9", "episode_id": "e1", "action": "assign", "person": "ERP", "assignee": "Ben"}
    (tmp_path / "actions.ndjson").write_bytes(msgspec.json.encode(sent | {"event_timestamp": NOW}))
    load = ["--actions", "--source", str(tmp_path / "actions.ndjson"), "--data-dir", str(tmp_path)]
    with file_lock(tmp_path / FOLDER, "recording an action"):
        result = CliRunner().invoke(load_command, load)
    assert result.exit_code == 0, result.output
    with file_lock(tmp_path / KINDS["actions"].folder, "landing"):  # as a loader does for as long as it runs
        record_action(tmp_path, new_action("e1", "acknowledge", "Anna"))
    assert [each.person for each in actions_of(tmp_path, "e1")] == ["ERP", "Anna"]
    state = current_states(tmp_path)["e1"]
    assert (state.status, state.assignee) == ("acknowledged", "Ben")


def test_what_is_no_action_does_not_land(tmp_path):
    with pytest.raises(ActionError, match="future"):
        record_actions(tmp_path, [action(1, "e1", "resolve"), action(100_000, "e1", "resolve")])
    assert not current_states(tmp_path)


def test_compaction_keeps_every_state(tmp_path):
    for number in range(12):
        record_action(tmp_path, action(number, f"e{number}", "acknowledge"))
    before = current_states(tmp_path)
    compact_landing(tmp_path / FOLDER)
    assert len(list((tmp_path / FOLDER).glob("*/*.parquet"))) == 1
    assert current_states(tmp_path) == before


def test_a_recorder_that_is_killed_leaves_whole_actions_only(tmp_path):
    recorder = (
        "import sys; from pathlib import Path; from notify.actions import new_action, record_action\n"
        "while True:\n"
        "    record_action(Path(sys.argv[1]), made := new_action('e1', 'acknowledge', 'Anna'))\n"
        "    print(made.action_id, flush=True)\n"
    )
    recorded = []
    for pause in (0.01, 0.03, 0.06):
        with subprocess.Popen([sys.executable, "-c", recorder, tmp_path], stdout=subprocess.PIPE, text=True) as process:
            recorded.append(process.stdout.readline().strip())
            time.sleep(pause)
            os.kill(process.pid, signal.SIGKILL)
            recorded += process.stdout.read().split()
    landed = {each.action_id for each in actions_of(tmp_path, "e1")}
    assert set(recorded) <= landed
    assert len(landed) <= len(recorded) + 3
    assert current_states(tmp_path)["e1"].status == "acknowledged"


def test_a_hundred_thousand_actions_are_read_once(tmp_path):
    actions = [Action(f"a{number}", f"e{number % 30_000}", "acknowledge", "Anna", START) for number in range(100_000)]
    record_actions(tmp_path, actions)
    assert len(current_states(tmp_path)) == 30_000
    started = time.perf_counter()
    assert len(current_states(tmp_path)) == 30_000
    assert time.perf_counter() - started < 0.1
