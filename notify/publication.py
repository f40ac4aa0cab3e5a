"""The published file shows what people have done since the build, before the next one.

The file is copied, changed and renamed, as an export does it, so that readers see the old or the new file whole. An
action that comes while somebody else holds the folder leaves the showing to him: he looks again after he has let go.
"""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from ingest.durable_files import FolderBusyError, atomic_write, file_lock
from notify.actions import PUBLISHED, current_states, landed_actions
from notify.episodes import PUBLISHED_TIME, Episode, published_episodes, with_state

COLUMNS = ("status", "needs_attention", "acted_by", "acted_at", "assignee", "snoozed_until", "comment")
# the documented table holds what needs attention, without ids
DELETE = "DELETE FROM dashboard_notifications WHERE (notification, store_location, category, product_id) = (?, ?, ?, ?)"
INSERT = """
    INSERT INTO dashboard_notifications
    SELECT type, notification, store_location, strftime('%Y-%m-%dT%H:%M:%SZ', last_seen_at), product_id, category
    FROM notification_episodes WHERE episode_id = ?
"""


def show_actions(data_dir: Path) -> None:
    """Bring the published file up to date with what people have done; without one, do nothing."""
    path = data_dir / PUBLISHED
    while path.exists():
        shown = landed_actions(data_dir)
        try:
            with file_lock(path.parent, "showing actions"):
                if changed := _changed(data_dir, path):
                    with atomic_write(path) as temporary:
                        shutil.copy2(path, temporary)
                        _write(temporary, changed)
        except FolderBusyError:
            return
        if landed_actions(data_dir) == shown:
            return


def apply_actions(data_dir: Path, path: Path) -> None:
    """Change the episodes of a file that nobody reads yet to what they are now."""
    if path.name == Path(PUBLISHED).name:
        _write(path, _changed(data_dir, path))


def _write(path: Path, changed: list[Episode]) -> None:
    with closing(sqlite3.connect(path)) as file, file:
        update = f"UPDATE notification_episodes SET {', '.join(f'{name} = ?' for name in COLUMNS)} WHERE episode_id = ?"
        for episode in changed:
            values = [getattr(episode, column) for column in COLUMNS]
            file.execute(update, [*map(_sqlite_value, values), episode.episode_id])
            file.execute(DELETE, (episode.notification, episode.store_location, episode.category, episode.product_id))
            if episode.needs_attention:
                file.execute(INSERT, (episode.episode_id,))


def _changed(data_dir: Path, path: Path) -> list[Episode]:
    """The episodes that are not as they are published any more."""
    states, now = current_states(data_dir), datetime.now(UTC)
    if not states:
        return []
    pairs = [(each, with_state(each, states.get(each.episode_id), now)) for each in published_episodes(path)]
    return [current for published, current in pairs if current != published]


def _sqlite_value(value: object) -> object:
    return value.strftime(PUBLISHED_TIME) if isinstance(value, datetime) else value
