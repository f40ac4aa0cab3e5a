"""What is published shows what people have done since the build, before the next one.

Rows change in a transaction, as an export does it, in the file and in a serving database. An action that finds the
folder locked leaves this to the process that holds it, which looks for newer actions after it has released the folder.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from ingest.durable_files import FolderBusyError, file_lock
from ingest.shared_sqlite import shared_sqlite, transaction
from notify.actions import PUBLISHED, current_states, landed_actions
from notify.episodes import PUBLISHED_TIME, Episode, episode, episodes_in, with_state
from serving_database import SERVING, ServingDatabase, ServingDatabaseError, serving_database

ACTED_ON = {"notification_episodes", "dashboard_notifications"}  # the tables that actions change
COLUMNS = ("status", "needs_attention", "acted_by", "acted_at", "assignee", "snoozed_until", "comment")
# the documented table holds what needs attention, without ids
DELETE = "DELETE FROM dashboard_notifications WHERE (notification, store_location, category, product_id) = (?, ?, ?, ?)"
INSERT = """
    INSERT INTO dashboard_notifications
    SELECT type, notification, store_location, replace(last_seen_at, ' ', 'T') || 'Z', product_id, category
    FROM notification_episodes WHERE episode_id = ?
"""


def show_actions(data_dir: Path, *, files_only: bool = False) -> None:
    """Bring what is published up to date with what people have done; where nothing is, do nothing."""
    _show_in_file(data_dir, data_dir / PUBLISHED)
    if files_only:
        return
    try:
        database = serving_database()
        if database:
            _show_in_database(data_dir, database)
    except ServingDatabaseError as error:
        logging.warning("actions are not shown before the next export: %s", error)


def _show_in_file(data_dir: Path, path: Path) -> None:
    while path.exists():
        shown = landed_actions(data_dir)
        try:
            with file_lock(path.parent, "showing actions"), shared_sqlite(path) as file, transaction(file):
                apply_actions(data_dir, file)
        except FolderBusyError:
            return
        if landed_actions(data_dir) == shown:
            return


def apply_actions(data_dir: Path, file: sqlite3.Connection) -> None:
    """Change the episodes of a published file to what they are now."""
    _write(file.execute, _changed(data_dir, partial(episodes_in, file)))


def _show_in_database(data_dir: Path, database: ServingDatabase) -> None:
    from psycopg2.errors import LockNotAvailable, UndefinedTable

    with closing(database.connect()) as served:
        try:
            with served, served.cursor() as cursor:
                database.hold_publication(cursor)
                apply_actions_in_database(data_dir, cursor)
        except (LockNotAvailable, UndefinedTable):
            return  # whoever exports, or exports first, shows them


def apply_actions_in_database(data_dir: Path, cursor: Any) -> None:
    """Change the published episodes in a transaction of a publisher to what they are now."""
    cursor.execute("SET LOCAL search_path = inventory_metrics")

    def published() -> list[Episode]:
        cursor.execute("SELECT * FROM notification_episodes")
        names = [column.name for column in cursor.description]
        return [episode(dict(zip(names, row, strict=True))) for row in cursor.fetchall()]

    changed = _changed(data_dir, published)
    _write(lambda statement, values: cursor.execute(statement.replace("?", "%s"), values), changed)
    if changed:
        cursor.execute(
            f"UPDATE {SERVING}.published_tables SET published_at = clock_timestamp() "
            "WHERE table_name IN ('notification_episodes', 'dashboard_notifications')"
        )


def _write(execute: Callable[[str, Sequence[Any]], Any], changed: list[Episode]) -> None:
    update = f"UPDATE notification_episodes SET {', '.join(f'{name} = ?' for name in COLUMNS)} WHERE episode_id = ?"
    for each in changed:
        execute(update, [*(_stored(getattr(each, column)) for column in COLUMNS), each.episode_id])
        execute(DELETE, (each.notification, each.store_location, each.category, each.product_id))
        if each.needs_attention:
            execute(INSERT, (each.episode_id,))


def _changed(data_dir: Path, published: Callable[[], list[Episode]]) -> list[Episode]:
    """The episodes that are not as they are published any more."""
    states, now = current_states(data_dir), datetime.now(UTC)
    if not states:
        return []
    pairs = [(each, with_state(each, states.get(each.episode_id), now)) for each in published()]
    return [current for before, current in pairs if current != before]


def _stored(value: object) -> object:
    if isinstance(value, datetime):
        return value.strftime(PUBLISHED_TIME)
    return int(value) if isinstance(value, bool) else value
