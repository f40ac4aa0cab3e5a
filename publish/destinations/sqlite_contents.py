"""What a published SQLite file holds, as its publication noted it beside the file.

The file says by its `user_version` which publication it holds. A publication writes its note before it commits, and the
next one removes the notes before. So the file has its note whenever a process is killed.
"""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from ingest.durable_files import atomic_write
from ingest.shared_sqlite import read_only
from publish.parts import Parts, changed_parts, mostly_differ, parts_of, row_count
from publish.publication import PublishedTable
from publish.schema import layout

if TYPE_CHECKING:
    import duckdb


class Contents(msgspec.Struct):
    """How the tables of a file are written, and the parts of each, by its name."""

    layout: str
    parts: dict[str, Parts]

    @property
    def row_count(self) -> int:
        return sum(map(row_count, self.parts.values()))

    def mostly_differs(self, before: Contents) -> bool:
        changed = sum(sum(changed_parts(before.parts[name], parts).values()) for name, parts in self.parts.items())
        return mostly_differ(changed, self.row_count)


def contents_of(connection: duckdb.DuckDBPyConnection, tables: list[PublishedTable]) -> Contents:
    """What a file of these tables is to hold."""
    stored = [table for table in tables if table.view_of is None]
    return Contents(layout(tables), {table.name: parts_of(connection, table) for table in stored})


def noted_contents(path: Path) -> Contents | None:
    """What the file holds; None where no publication noted it."""
    note = _note(path, _publication(path))
    try:
        return msgspec.json.decode(note.read_bytes(), type=Contents)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def note_contents(path: Path, contents: Contents) -> int:
    """Note what a publication is about to bring into the file; return the number that the file is to carry."""
    content = msgspec.json.encode(contents)
    number = int.from_bytes(hashlib.sha256(content).digest()[:4]) >> 1
    with atomic_write(_note(path, number)) as written:
        written.write_bytes(content)
    for other in path.parent.glob(f"{path.stem}.parts-*"):
        if other not in {_note(path, number), _note(path, _publication(path))}:
            other.unlink()
    return number


def _publication(path: Path) -> int | None:
    """The number of the publication that the file holds; None where nobody can read it."""
    try:
        with closing(read_only(path)) as file:
            return int(file.execute("PRAGMA user_version").fetchone()[0])
    except sqlite3.DatabaseError:
        return None


def _note(path: Path, number: int | None) -> Path:
    return path.with_name(f"{path.stem}.parts-{number}")
