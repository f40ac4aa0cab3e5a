"""SQLite files that are changed while others read them: readers see all of a change or nothing of it.

The changes go through a write-ahead log. Each reader keeps the state that it began with and waits for nobody, and what
a killed writer left there without a commit counts for nothing. One writer at a time: the caller holds the folder.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from ingest.durable_files import says_disk_full

BUSY_SECONDS = 5.0  # how long another writer is waited for


@contextmanager
def shared_sqlite(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection for changes, outside a transaction. At the end the log is written into the file, so that the file
    alone is whole. A reader who began before may keep a part in the log until the next change."""
    with closing(sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)) as file:
        file.execute("PRAGMA journal_mode = wal")
        yield file
        file.execute("PRAGMA busy_timeout = 500")  # a long query is not worth waiting for
        try:
            file.execute("PRAGMA wal_checkpoint(truncate)")
        except sqlite3.OperationalError as error:
            if not says_disk_full(error):  # then what is committed stays in the log, where readers find it
                raise


def read_only(path: Path) -> sqlite3.Connection:
    """A connection that only reads, and makes no file. Raises sqlite3.OperationalError where there is none."""
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)


@contextmanager
def transaction(file: sqlite3.Connection) -> Iterator[None]:
    """Commit what the block changes, or nothing of it."""
    with file:
        file.execute("BEGIN IMMEDIATE")
        yield


def state_of(path: Path) -> str:
    """Another text after each commit to a file, and after its replacement by another file."""
    found = path.stat()
    state = f"{found.st_ino}-{found.st_mtime_ns}"
    log = path.with_name(f"{path.name}-wal")
    try:
        found = log.stat()
    except FileNotFoundError:
        return state
    # readers create an empty log
    return f"{state}-{found.st_mtime_ns}-{found.st_size}" if found.st_size else state
