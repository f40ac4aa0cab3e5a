"""The documented SQLite files. A publication changes what differs from the last one, in one transaction. A file that
does not exist yet, or has another layout, is written whole."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ingest.durable_files import FolderBusyError, file_lock, says_disk_full
from notify.publication import ACTED_ON
from publish.destinations.changes import NotAsNotedError
from publish.destinations.sqlite_changes import change_file
from publish.destinations.sqlite_contents import contents_of, note_contents, noted_contents
from publish.destinations.sqlite_whole import replace_file
from publish.publication import PublicationRefusedError, PublishedTable
from publish.schema import check_schema

if TYPE_CHECKING:
    import duckdb

BUSY_SECONDS = 5.0


@dataclass(frozen=True)
class SqliteFiles:
    """A destination: a SQLite file for each database, in one folder.

    `apply_actions` changes the tables `ACTED_ON` to what people have done since the build. Readers see what is
    published together with it.
    """

    folder: Path
    apply_actions: Callable[[sqlite3.Connection], None] = lambda _: None

    def publish(
        self, connection: duckdb.DuckDBPyConnection, databases: dict[str, list[PublishedTable]]
    ) -> dict[str, str]:
        check_schema(databases)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)  # what the row rules keep apart is not for everybody who has an account on the machine
        paths = {self.folder / f"{database}.db": tables for database, tables in databases.items()}
        try:
            with _locked(self.folder):
                return {str(path): self._publish_file(connection, path, tables) for path, tables in paths.items()}
        except FolderBusyError as error:
            raise PublicationRefusedError(f"another export is writing to {self.folder}. Wait for it to end.") from error

    def _publish_file(self, connection: duckdb.DuckDBPyConnection, path: Path, tables: list[PublishedTable]) -> str:
        before, after = noted_contents(path), contents_of(connection, tables)
        if path.exists():
            path.chmod(0o600)  # an earlier version let others read it
        if after == before:
            return f"unchanged, {after.row_count:,} rows"
        apply_actions = self.apply_actions if after.parts.keys() >= ACTED_ON else lambda _: None
        why_whole = ""
        with _failures_reported(path):
            number = note_contents(path, after)
            if before and before.layout == after.layout and not after.mostly_differs(before):
                try:
                    row_count = change_file(connection, path, tables, before, after, number, apply_actions)
                    return f"published, {row_count:,} rows changed of {after.row_count:,}"
                except NotAsNotedError as error:
                    why_whole = f" whole, because {error}"
            replace_file(connection, path, tables, number, apply_actions)
        return f"published{why_whole}, {after.row_count:,} rows in {len(after.parts)} tables"


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Lock the folder for this export. An action on a notification locks it for a moment; the export waits for that."""
    from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

    until_free = Retrying(
        retry=retry_if_exception_type(FolderBusyError),
        stop=stop_after_delay(BUSY_SECONDS),
        wait=wait_fixed(0.05),
        reraise=True,
    )
    with ExitStack() as stack:
        until_free(lambda: stack.enter_context(file_lock(folder, "exporting")))
        yield


@contextmanager
def _failures_reported(path: Path) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if says_disk_full(error):
            raise PublicationRefusedError(
                f"the disk is full: {path} could not be written. "
                "What was published before stays. Free some space and run `inventory export` again."
            ) from error
        if isinstance(error, sqlite3.OperationalError):
            raise PublicationRefusedError(
                f"{path} could not be written ({error}). "
                "What was published before stays. See whether another program writes to it."
            ) from error
        raise
