"""The published episodes as they are now: what the last build found, and what people have done since."""

from __future__ import annotations

import dataclasses
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ingest.shared_sqlite import read_only
from notify.actions import PUBLISHED, EpisodeState, current_states

COVERED = "is_covered_by_region"  # the column that marks a store's notification where that of its region says the same
NO_SINGLE_STORE = "N/A"  # what published rows of several stores, or of the whole intake, are marked with
PUBLISHED_TIME = "%Y-%m-%d %H:%M:%S"


class NotPublishedError(RuntimeError):
    """There are no published episodes to read; the message says what to do."""


@dataclass(frozen=True)
class Episode:
    """A row of `notification_episodes`; times are UTC and whole seconds."""

    episode_id: str
    type: str
    severity: str
    severity_rank: int
    status: str
    is_found_open: bool
    needs_attention: bool
    rule_id: str
    region: str
    is_covered_by_region: bool
    store_location: str
    store_or_region: str
    category: str
    product_id: str
    notification: str
    value_at_risk: float | None
    first_seen_at: datetime
    last_seen_at: datetime
    reopened_count: int
    acted_by: str | None
    acted_at: datetime | None
    assignee: str | None
    snoozed_until: datetime | None
    comment: str | None


def current_episodes(data_dir: Path) -> list[Episode]:
    """The episodes as they are now, the most urgent first. Raises NotPublishedError."""
    states, now = current_states(data_dir), datetime.now(UTC)
    with _opened(data_dir / PUBLISHED) as file:
        published = episodes_in(file)
    return [with_state(each, states.get(each.episode_id), now) for each in published]


def episodes_in(file: sqlite3.Connection) -> list[Episode]:
    """The episodes of a published file, the most urgent first."""
    columns = [field.name for field in dataclasses.fields(Episode)]
    order = "severity_rank, value_at_risk DESC, episode_id"
    rows = file.execute(f"SELECT {', '.join(columns)} FROM notification_episodes ORDER BY {order}")
    return [episode(dict(zip(columns, row, strict=True))) for row in rows]


def regions(data_dir: Path) -> dict[str, str]:
    """The region of each published store. Raises NotPublishedError."""
    with _opened(data_dir / PUBLISHED) as file:
        return dict(file.execute("SELECT store_location, region FROM stores").fetchall())


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    try:
        with closing(read_only(path)) as file:
            yield file
    except sqlite3.Error as error:
        raise NotPublishedError(
            f"{path} holds no notifications of today's version ({error}). Run `inventory build`, or check "
            "INVENTORY_DATA_DIR."
        ) from error


def episode(row: dict[str, Any]) -> Episode:
    """The episode of a row of `notification_episodes`, as published."""
    values: dict[str, Any] = {field.name: row[field.name] for field in dataclasses.fields(Episode)}
    for name in ("first_seen_at", "last_seen_at", "acted_at", "snoozed_until"):
        values[name] = values[name] and datetime.fromisoformat(values[name]).replace(tzinfo=UTC)
    for name in ("is_found_open", "needs_attention", "is_covered_by_region"):
        values[name] = bool(values[name])
    return Episode(**values)


def with_state(episode: Episode, state: EpisodeState | None, now: datetime) -> Episode:
    """The episode with what people have done since it was built, and with a snooze that has ended."""
    if state is None:
        return episode
    # the build judges older actions by more than is published: whether it got worse since, or came back
    acted_at = state.acted_at and state.acted_at.replace(microsecond=0)
    is_new = acted_at is not None and (episode.acted_at is None or acted_at > episode.acted_at)
    ended = episode.status == "snoozed" and state.snoozed_until is not None and now >= state.snoozed_until
    status = episode.status
    if is_new or ended:
        status = state.current_status(episode.is_found_open, episode.last_seen_at, now)
    return dataclasses.replace(
        episode,
        status=status,
        # what comes back needs somebody, whatever place it had before
        needs_attention=status == "open" and (episode.needs_attention or episode.status != "open"),
        acted_by=state.person if is_new else episode.acted_by,
        acted_at=acted_at if is_new else episode.acted_at,
        assignee=state.assignee,
        snoozed_until=state.snoozed_until.replace(microsecond=0)
        if status == "snoozed" and state.snoozed_until
        else None,
        comment=state.comment,
    )
