"""What people did with notifications, and the state that each episode has by it.

An action is an event (`ingest.events.Action`). It lands as readings do, when somebody acts here or from a topic
(`ingest.load`), and nothing ever changes or removes it. So the landed files are the audit trail, and a state survives
every rebuild. A state is what all actions of its episode add up to, in the order of their timestamps; an action that
arrives twice counts once.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from ingest import names
from ingest.durable_files import file_lock
from ingest.events import ACTIONS, COMMENT_LENGTH, Action
from ingest.landing.commit import MESSAGE_ID, land, to_table
from ingest.shared_sqlite import read_only

FOLDER = "landing_actions"
TOPIC = "actions"
PUBLISHED = "export/inventory_metrics.db"
ABOUT = ("rule_id", "store_location", "category", "product_id", "first_seen_at", "last_seen_at")
SECOND = timedelta(seconds=1)


class ActionError(ValueError):
    """An action that says too little or holds what no text should; nothing is recorded."""


class EpisodeState(NamedTuple):
    """What people made of an episode.

    `status` is open, acknowledged, snoozed, resolved or expected. `person` gave it at `acted_at` (UTC); where all that
    happened is an assignment, nobody did. `comment` is the newest one.
    """

    status: str
    person: str | None
    assignee: str | None
    snoozed_until: datetime | None
    comment: str | None
    acted_at: datetime | None

    def current_status(self, is_found_open: bool, last_seen_at: datetime, now: datetime) -> str:
        """The status to show for an episode that the last build found open or not, last seen then: open, acknowledged,
        snoozed or resolved.

        A snooze ends at its time. What was resolved is open again if it was seen after that. What was expected stays
        resolved.
        """
        if not is_found_open or self.status == "expected":
            return "resolved"
        if self.status == "snoozed" and self.snoozed_until and now >= self.snoozed_until:
            return "open"
        if self.status == "resolved" and self.acted_at and last_seen_at > self.acted_at:
            return "open"
        return self.status


def new_action(
    episode_id: str,
    action: str,
    person: str,
    *,
    action_id: str | None = None,
    snoozed_until: datetime | None = None,
    assignee: str | None = None,
    comment: str | None = None,
) -> Action:
    """An action of now. A form that may be sent twice passes an id of its own, so that it counts once.

    Raises ActionError.
    """
    now = datetime.now(UTC)
    comment = names.tidy(comment) if comment else None
    if action == "snooze" and (snoozed_until is None or snoozed_until <= now):
        raise ActionError("a snooze needs a time to end that is still to come")
    if action == "assign" and not assignee:
        raise ActionError("an assignment needs somebody to assign to")
    if comment and len(comment) > COMMENT_LENGTH:
        raise ActionError(f"the comment has {len(comment):,} characters; {COMMENT_LENGTH:,} at most")
    raw = {
        "action_id": action_id or secrets.token_hex(16),
        "episode_id": episode_id,
        "action": action,
        "person": person,
        "event_timestamp": now,
        "snoozed_until": snoozed_until,
        "assignee": assignee,
        "comment": comment or None,
    }
    try:
        event = ACTIONS.decode(msgspec.json.encode(raw), now)
    except (UnicodeEncodeError, msgspec.ValidationError) as error:  # bytes that are no text, a time without a zone
        raise ActionError(str(error)) from error
    if not isinstance(event, Action):
        raise ActionError(str(event))
    return event


def record_action(data_dir: Path, action: Action) -> None:
    """Land an action; when this returns, it outlives a power cut. Raises OSError where the folder cannot be written."""
    record_actions(data_dir, [action])


def record_actions(data_dir: Path, actions: Sequence[Action]) -> None:
    """Land actions, all or none. Raises ActionError where one is none.

    What is recorded after another action on the same episode also has a later timestamp, by a second at least: tables
    show whole seconds, and clocks may go back. Each action carries what its episode is about as `extra`, since the
    episode may be gone when the action is read.
    """
    with file_lock(data_dir / FOLDER, "recording an action", wait=True):
        states = current_states(data_dir)
        about = _about(data_dir, [action.episode_id for action in actions])
        land_actions(
            data_dir,
            [
                msgspec.structs.replace(
                    _later(action, states.get(action.episode_id)), extra=about.get(action.episode_id, action.extra)
                )
                for action in actions
            ],
        )


def _about(data_dir: Path, episode_ids: Sequence[str]) -> dict[str, str]:
    """What published episodes are about, as JSON; nothing of those that are not published."""
    fields = ", ".join(f"'{name}', {name}" for name in ABOUT)
    chosen = ", ".join("?" * len(episode_ids))
    query = f"SELECT episode_id, json_object({fields}) FROM notification_episodes WHERE episode_id IN ({chosen})"
    try:
        with closing(read_only(data_dir / PUBLISHED)) as published:
            return dict(published.execute(query, episode_ids))
    except sqlite3.Error:
        return {}


def _later(action: Action, state: EpisodeState | None) -> Action:
    if state is None or state.acted_at is None:
        return action
    earliest = state.acted_at.replace(microsecond=0) + SECOND
    return msgspec.structs.replace(action, event_timestamp=max(action.event_timestamp, earliest))


def land_actions(data_dir: Path, actions: Sequence[Action]) -> None:
    """Land actions as they are. The caller holds the folder. Raises ActionError where one is none."""
    import pyarrow as pa

    now, count = datetime.now(UTC), len(actions)
    published = pa.array([now] * count, pa.timestamp("us", "UTC"))
    ids = ([int(now.timestamp() * 1_000_000)] * count, range(count), [0] * count)
    messages = [
        msgspec.json.encode(
            msgspec.json.decode(action.extra or "{}") | {name: getattr(action, name) for name in ACTIONS.fields}
        )
        for action in actions
    ]
    table = to_table(ACTIONS, TOPIC, 0, ids, published, messages)
    for problem in table["error"].drop_null().to_pylist():
        raise ActionError(problem)
    land(data_dir / FOLDER, TOPIC, 0, table)


def current_states(data_dir: Path) -> dict[str, EpisodeState]:
    """The state of each episode that somebody acted on, by its id.

    The landed files are listed at each call, and only new ones are read.
    """
    while True:
        try:
            return _states(landed_actions(data_dir))
        except FileNotFoundError:  # compaction took it meanwhile
            continue


def actions_of(data_dir: Path, episode_id: str) -> list[Action]:
    """The audit trail of an episode, oldest first."""
    return [action for action in _in_order(landed_actions(data_dir)) if action.episode_id == episode_id]


def landed_actions(data_dir: Path) -> tuple[tuple[Path, int], ...]:
    """The landed files and their sizes: another value whenever there are other actions."""
    # compaction gives a merged file the name of one that it merges, but never its size
    return tuple((path, path.stat().st_size) for path in sorted(data_dir.glob(f"{FOLDER}*/publish_date=*/*.parquet")))


@lru_cache(maxsize=2)
def _states(files: tuple[tuple[Path, int], ...]) -> dict[str, EpisodeState]:
    states: dict[str, EpisodeState] = {}
    for action in _in_order(files):
        states[action.episode_id] = _after(states.get(action.episode_id), action)
    return states


def _in_order(files: tuple[tuple[Path, int], ...]) -> list[Action]:
    arrivals = sorted((arrival for file in files for arrival in _read(*file)), key=lambda arrival: arrival[0])
    first = {action.action_id: (action.event_timestamp, arrived, action) for arrived, action in reversed(arrivals)}
    return [action for *_, action in sorted(first.values(), key=lambda each: each[:2])]


@cache
def _read(path: Path, size: int) -> list[tuple[tuple[Any, ...], Action]]:
    """The actions of a landed file, each with its place in the order of arrival."""
    import pyarrow.parquet as pq

    place = ["publish_time", "topic", "partition", *MESSAGE_ID]
    table = pq.ParquetFile(path).read(columns=[*place, *ACTIONS.fields, "error"])
    rows = table.filter(table["error"].is_null()).to_pylist()
    return [
        (tuple(row[name] for name in place), Action(**{name: row[name] for name in ACTIONS.fields}))
        for row in rows
        if row["action"] != "snooze" or row["snoozed_until"] is not None  # a snooze without an end says nothing
    ]


STATUS_AFTER = {"acknowledge": "acknowledged", "resolve": "resolved", "reopen": "open", "expected": "expected"}


def _after(state: EpisodeState | None, action: Action) -> EpisodeState:
    assignee, comment = (state.assignee, state.comment) if state else (None, None)
    comment = action.comment or comment
    if action.action == "assign":  # the status stays, and who gave it
        state = state or EpisodeState("open", None, None, None, None, None)
        return state._replace(assignee=action.assignee, comment=comment)
    status = "snoozed" if action.action == "snooze" else STATUS_AFTER[action.action]
    until = action.snoozed_until if status == "snoozed" else None
    return EpisodeState(status, action.person, assignee, until, comment, action.event_timestamp)
