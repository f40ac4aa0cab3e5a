"""A file of events to landing: each row exactly once, however often the file is loaded and however it grows."""

from __future__ import annotations

import os
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple

import click
import pyarrow.parquet as pq

from ingest.events import READINGS, Contract
from ingest.landing.commit import FLUSH_BYTES, FLUSH_ROWS, LOAD_OPTIONS, SOURCE_PATH, LandedFile, land, landed_files
from ingest.landing.files.mapped import open_events
from ingest.landing.files.messages import interpreter_of, landing_table
from ingest.landing.files.opening import read_rows
from ingest.landing.files.options import how_read, is_read_alike
from ingest.landing.files.rows import AS_IT_COMES, FileOptions, Row, SourceError, as_it_stood
from ingest.landing.withdrawals import withdrawals

DIGEST, READ_AS = "lines_sha256", "read_as"


def land_file(
    landing: Path, source: Path, contract: Contract[Any] = READINGS, options: FileOptions = AS_IT_COMES
) -> Counter[str]:
    """Land the rows of a file that were not landed before; return how many were good and how many of each rejection.

    The topic is the file's name, the entry id the row's number and the batch index the row's part. A file that has
    grown lands its new rows. Another file of the same name, or the same file read with other options, gets a ledger id
    of its own; a digest of the rows and of the options identifies it. Raises SourceError; what was landed before the
    error stays.
    """
    file = open_events(source, contract.fields, options)
    read_as = how_read(options)
    files = landed_files(landing, source.name)
    landed = _landed_before(files, lambda: read_rows(file))
    resumed = next((before for before in landed if before.read_as == read_as), None)
    ledger_id = resumed.ledger_id if resumed else max((file.last.ledger_id for file in files), default=0) + 1
    last = resumed.last if resumed else (0, -1)
    interpreter = interpreter_of(file, contract.fields, options)
    for remark in [*file.remarks, *_remarks_on_earlier(source.name, landed, resumed, read_as, landing.parent)]:
        click.echo(f"  {source.name}: {remark}", err=True)
    kept = as_it_stood(file) | {
        READ_AS: read_as,
        LOAD_OPTIONS: options.arguments,
        SOURCE_PATH: os.fsencode(source.resolve()),
    }
    digest = sha256()
    counts: Counter[str] = Counter()
    skipped: Counter[str] = Counter()
    for batch in _batches(read_rows(file, skipped)):
        digest.update(_text(batch))
        fresh = batch[bisect_right(batch, last, key=attrgetter("place")) :]
        if not fresh:
            continue
        table = landing_table(fresh, interpreter, contract, source.name, ledger_id)
        land(landing, source.name, 0, table, {DIGEST: digest.hexdigest(), **kept})
        counts.update("good" if error is None else error.partition(":")[0] for error in table["error"].to_pylist())
        click.echo(f"  {source.name}: row {fresh[-1].number:,}", err=True)
    for what, count in (skipped + interpreter.remarks).items():
        click.echo(f"  {source.name}: {count:,} {what}", err=True)
    return counts


class _Landed(NamedTuple):
    """What was landed from a file: up to which row and part, and how its rows were read."""

    ledger_id: int
    last: tuple[int, int]
    read_as: str


def _landed_before(files: list[LandedFile], read: Callable[[], Iterable[Row]]) -> list[_Landed]:
    """What was landed from the same rows, among all files of this name; the newest first."""
    newest = {file.last.ledger_id: file for file in files}
    digests = _digests_at({file.last[1:] for file in newest.values()}, read())
    found = []
    for ledger_id, file in sorted(newest.items(), reverse=True):
        metadata = pq.read_schema(file.path).metadata
        if digests.get(file.last[1:]) == metadata[DIGEST.encode()].decode():
            found.append(_Landed(ledger_id, file.last[1:], metadata.get(READ_AS.encode(), b"").decode()))
    return found


def _remarks_on_earlier(
    name: str, landed: list[_Landed], resumed: _Landed | None, read_as: str, data_dir: Path
) -> Iterator[str]:
    """Remarks where the same rows were landed before and withdrawn, or were read with other options."""
    withdrawn = {range_.ledger_id for range_ in withdrawals(data_dir).ranges if range_.topic == name}
    if resumed and resumed.ledger_id in withdrawn:
        yield f"what it landed was withdrawn; `inventory withdraw --source {name}` restores it"
    for before in landed if resumed is None else []:
        if before.ledger_id not in withdrawn and not is_read_alike(before.read_as, read_as):
            yield (
                "the same rows were landed before, read with other options. If those were wrong, `inventory withdraw "
                f"--source {name} --ids {before.ledger_id}` takes them out of the tables"
            )


def _digests_at(places: set[tuple[int, int]], rows: Iterable[Row]) -> dict[tuple[int, int], str]:
    """The digest of the file's rows up to each of the given ones."""
    digest = sha256()
    found: dict[tuple[int, int], str] = {}
    for row in rows:
        if len(found) == len(places):
            break
        digest.update(_text([row]))
        if row.place in places:
            found[row.place] = digest.hexdigest()
    return found


def _text(rows: Iterable[Row]) -> bytes:
    """The bytes to digest: each row of the file once, however many parts it has."""
    return b"".join([row.raw + b"\n" for row in rows if not row.continues])


def _batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Rows in batches to land. The rows before a damaged place are a batch, too."""
    batch: list[Row] = []
    size = 0
    damage = None
    try:
        for row in rows:
            batch.append(row)
            size += len(row.raw)
            if len(batch) >= FLUSH_ROWS or size >= FLUSH_BYTES:
                yield batch
                batch, size = [], 0
    except SourceError as error:
        damage = error
    if batch:
        yield batch
    if damage:
        raise damage
