"""The outbox: what is to be sent to whom, what was sent, and what may have been.

Each digest is one delivery to one address of one person. It is written down with its episodes before it is sent, marked
as `sending` just before, and as `sent` just after. All three are durable (SQLite, synchronous). So however often the
sender is killed, no episode is lost, and none is in two digests to one address.

Between the receiver's yes and the mark `sent` there is a gap that no sender can close. A delivery that is still marked
`sending` when a sender starts is in doubt: it is sent again under the same id (Message-ID, Idempotency-Key), by which
receivers recognise the second one.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ingest.shared_sqlite import read_only

FOLDER = "outbox"
FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=1)
STALE_AFTER = timedelta(hours=24)  # then its episodes go into a new digest, if they are still open

SCHEMA = """
CREATE TABLE IF NOT EXISTS deliveries (
    delivery_id TEXT PRIMARY KEY,
    person TEXT NOT NULL,
    address TEXT NOT NULL,
    title TEXT NOT NULL,
    body TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('waiting', 'sending', 'sent')),
    failed_attempts INTEGER NOT NULL DEFAULT 0,
    problem TEXT,
    written_at TEXT NOT NULL,
    due_at TEXT NOT NULL,
    sent_at TEXT
) STRICT;
CREATE TABLE IF NOT EXISTS delivered_episodes (
    person TEXT NOT NULL,
    address TEXT NOT NULL,
    episode_id TEXT NOT NULL,
    reopened_count INTEGER NOT NULL,
    delivery_id TEXT NOT NULL REFERENCES deliveries ON DELETE CASCADE,
    PRIMARY KEY (person, address, episode_id, reopened_count)
) STRICT, WITHOUT ROWID;
"""


@dataclass(frozen=True)
class Delivery:
    """A digest to one address of one person. `address` is its reference in notifications.yml, never the address."""

    delivery_id: str
    person: str
    address: str
    title: str
    body: str
    failed_attempts: int = 0
    is_in_doubt: int = 0


EpisodeKey = tuple[str, int]  # the episode, and how often it has come back: each return is news


class Outbox:
    """The outbox of a data folder. The caller holds its folder (`file_lock`)."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def written(self, person: str, address: str) -> set[EpisodeKey]:
        """The episodes that are in a digest to this address, sent or not."""
        rows = self._connection.execute(
            "SELECT episode_id, reopened_count FROM delivered_episodes WHERE person = ? AND address = ?",
            (person, address),
        )
        return set(rows)

    def write(self, delivery: Delivery, episodes: Iterable[EpisodeKey]) -> None:
        """Add a delivery with its episodes, both or neither."""
        now = _text(datetime.now(UTC))
        with self._connection:
            self._connection.execute(
                "INSERT INTO deliveries (delivery_id, person, address, title, body, state, written_at, due_at) "
                "VALUES (?, ?, ?, ?, ?, 'waiting', ?, ?)",
                (delivery.delivery_id, delivery.person, delivery.address, delivery.title, delivery.body, now, now),
            )
            self._connection.executemany(
                "INSERT INTO delivered_episodes VALUES (?, ?, ?, ?, ?)",
                [(delivery.person, delivery.address, *episode, delivery.delivery_id) for episode in episodes],
            )

    def due(self) -> list[Delivery]:
        """What is to be sent now, those in doubt first. No pause is so long that it goes beyond the longest one, unless
        the clock was set back meanwhile."""
        now = datetime.now(UTC)
        rows = self._connection.execute(
            "SELECT delivery_id, person, address, title, body, failed_attempts, state = 'sending' FROM deliveries "
            "WHERE state = 'sending' OR (state = 'waiting' AND (due_at <= ? OR due_at > ?)) "
            "ORDER BY state, written_at, delivery_id",
            (_text(now), _text(now + LONGEST_PAUSE)),
        )
        return [Delivery(*row) for row in rows]

    def waiting_count(self) -> int:
        """How many deliveries are not sent yet."""
        (count,) = self._connection.execute("SELECT count(*) FROM deliveries WHERE state <> 'sent'").fetchone()
        return int(count)

    def begin(self, delivery: Delivery) -> None:
        """Mark a delivery just before it is sent."""
        self._mark(delivery, "state = 'sending'")

    def finish(self, delivery: Delivery) -> None:
        """Mark a delivery just after it was accepted. Its text is no longer needed."""
        self._mark(delivery, "state = 'sent', sent_at = ?, body = '', problem = NULL", _text(datetime.now(UTC)))

    def postpone(self, delivery: Delivery, problem: str) -> None:
        """Mark a delivery that failed; the pause before the next attempt doubles each time."""
        pause = min(FIRST_PAUSE * 2**delivery.failed_attempts, LONGEST_PAUSE)
        self._mark(
            delivery,
            "state = 'waiting', failed_attempts = failed_attempts + 1, problem = ?, due_at = ?",
            problem,
            _text(datetime.now(UTC) + pause),
        )

    def drop_stale(self) -> None:
        """Drop what could not be sent for a day, so that its episodes are new again."""
        with self._connection:
            self._connection.execute(
                "DELETE FROM deliveries WHERE state = 'waiting' AND written_at < ?",
                (_text(datetime.now(UTC) - STALE_AFTER),),
            )

    def _mark(self, delivery: Delivery, changes: str, *values: str) -> None:
        with self._connection:
            self._connection.execute(
                f"UPDATE deliveries SET {changes} WHERE delivery_id = ?", (*values, delivery.delivery_id)
            )


@contextmanager
def open_outbox(data_dir: Path) -> Iterator[Outbox]:
    """The outbox, for one process at a time. Raises FolderBusyError."""
    from ingest.durable_files import file_lock

    with file_lock(data_dir / FOLDER, "sending notifications"):
        (data_dir / FOLDER).chmod(0o700)
        connection = sqlite3.connect(data_dir / FOLDER / "outbox.db")
        try:
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            connection.executescript(SCHEMA)
            yield Outbox(connection)
        finally:
            connection.close()


def outbox_counts(data_dir: Path) -> tuple[int, int] | None:
    """How many messages were sent, and how many wait; None where nobody has sent any."""
    if not (data_dir / FOLDER / "outbox.db").exists():
        return None
    with closing(read_only(data_dir / FOLDER / "outbox.db")) as connection:
        row = connection.execute("SELECT count(sent_at), count(*) - count(sent_at) FROM deliveries").fetchone()
    return row[0], row[1]


def oldest_waiting(data_dir: Path) -> datetime | None:
    """When the oldest message that waits was written; None where none waits. Somebody has sent one before."""
    with closing(read_only(data_dir / FOLDER / "outbox.db")) as connection:
        (written_at,) = connection.execute("SELECT min(written_at) FROM deliveries WHERE state <> 'sent'").fetchone()
    return datetime.fromisoformat(written_at) if written_at else None


def new_delivery_id() -> str:
    return secrets.token_hex(16)


def _text(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
