"""`inventory quarantine`: what was rejected, where and why, and the rejected lines to correct and load again."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import click
import msgspec

from ingest.durable_files import atomic_write
from ingest.events import UNREADABLE
from ingest.landing.commit import ENCODING, HEADER, LOAD_OPTIONS
from ingest.landing.files.encodings import as_utf8
from ingest.landing.printable import printable
from ingest.landing.sources import is_topic, possible_names
from ingest.landing.withdrawals import in_ranges, withdrawals
from ingest.sql import parquet_table

KIND_OPTIONS = {"landing_notes": "--notes ", "landing_actions_loaded": "--actions "}
FOLDERS = ("landing", *KIND_OPTIONS, "quarantine")
REASON_WIDTH = 300  # long, because a reason ends with what to look at
SHOWN = 100
ROWS_AT_ONCE = 10_000
ONE_LINE = bytes.maketrans(b"\n", b" ")  # a message of a topic may go over several lines


class Rejected(NamedTuple):
    """A rejected message: where it came from, why it is no event, and its bytes."""

    topic: str
    ledger_id: int
    entry_id: int
    batch_index: int
    published: datetime
    reason: str
    raw: bytes
    path: str

    @property
    def is_topic(self) -> bool:
        """Whether the message came from a topic; else from a file."""
        return is_topic(self.topic)

    @property
    def place(self) -> str:
        """The message id of a topic, or the line of a file."""
        return f"{self.ledger_id}:{self.entry_id}:{self.batch_index}" if self.is_topic else str(self.entry_id)

    @property
    def kind(self) -> str:
        """The reason's one word."""
        return self.reason.partition(":")[0]


@click.group()
def command() -> None:
    """Show what was rejected with its reason, or write it to a file to be corrected and loaded again."""


def _filters(function: click.decorators.FC) -> click.decorators.FC:
    """The options that both subcommands share."""
    for option in (
        click.option("--data-dir", type=click.Path(path_type=Path), envvar="INVENTORY_DATA_DIR", default="data"),
        click.option("--reason", metavar="KIND", help="Only messages with this reason, such as not_json"),
        click.option("--source", help="Only messages of this file or topic"),
    ):
        function = option(function)
    return function


@command.command("list")
@_filters
@click.option("--limit", type=click.IntRange(1), default=SHOWN, show_default=True, help="Show so many messages")
def list_(source: str | None, reason: str | None, data_dir: Path, limit: int) -> None:
    """List the rejected messages in the order of their arrival."""
    kinds: Counter[str] = Counter()
    for message in rejected(data_dir, source, reason):
        kinds[message.kind] += 1
        if kinds.total() <= limit:
            place = "message" if message.is_topic else "line"
            click.echo(
                f"{message.published:%Y-%m-%d %H:%M}  {printable(message.topic)}, {place} {message.place}: "
                f"{printable(message.reason, REASON_WIDTH)}"
            )
            click.echo(f"    {printable(_utf8(message))}")
    counts = ", ".join(f"{count:,} {kind}" for kind, count in kinds.most_common())
    click.echo(f"{kinds.total():,} rejected messages" + (f": {counts}" if counts else ""))
    if kinds.total() > limit:
        click.echo(f"The first {limit:,} are shown; --limit shows more.")


@command.command()
@_filters
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="File to write")
def export(source: str | None, reason: str | None, data_dir: Path, out: Path) -> None:
    """Write the rejected lines unchanged, and FILE.reasons.csv with a row for each of them.

    The lines of a CSV file follow its header; all others are lines of JSON. The encoding is UTF-8. Correct the lines
    and load the file.
    """
    reasons = out.with_name(f"{out.name}.reasons.csv")
    for path in filter(Path.exists, (out, reasons)):
        raise click.ClickException(f"{path}: exists, and may hold corrections. Name another file.")
    form = _common_form(rejected(data_dir, source, reason))
    if form is None:
        raise click.ClickException(f"{data_dir}: no rejected message fits. `inventory quarantine list` shows all.")
    if out.suffix.lower() not in form.endings:
        raise click.ClickException(
            f"{out}: these are {form.endings[0]} lines. Name it {out.with_suffix(form.endings[0])}."
        )
    try:
        count = _write(rejected(data_dir, source, reason), form, out, reasons)
    except OSError as error:
        raise click.ClickException(f"{error.filename or out}: {error.strerror}.") from error
    click.echo(f"{out}: {count:,} lines; {reasons} says why each was rejected.")
    click.echo(f"Correct them, then: inventory load --source {out} {form.load_options}".rstrip())


def rejected(data_dir: Path, source: str | None, kind: str | None) -> Iterator[Rejected]:
    """The rejected messages that are not withdrawn, in the order of their arrival."""
    import duckdb

    files = [path for folder in FOLDERS for path in (data_dir / folder).glob("publish_date=*/*.parquet")]
    if not files:
        return
    topics = [] if source is None else possible_names(source)
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        found = connection.execute(
            "select topic, ledger_id, entry_id, batch_index, publish_time, error, raw, filename "
            f"from {parquet_table(files, 'union_by_name = true', 'filename = true')} "
            f"where error is not null and not ({in_ranges(withdrawals(data_dir).ranges)}) "
            "and (len($topics) = 0 or list_contains($topics, topic)) "
            "and ($kind is null or split_part(error, ':', 1) = $kind) "
            "order by publish_time, topic, partition, ledger_id, entry_id, batch_index",
            {"topics": topics, "kind": kind},
        )
        while rows := found.fetchmany(ROWS_AT_ONCE):
            yield from (Rejected(*row) for row in rows)


class Form(NamedTuple):
    """How rejected lines are written: under a header or as JSON, and the options that they load with."""

    header: bytes | None
    load_options: str

    @property
    def endings(self) -> tuple[str, ...]:
        """How the name of a file of such lines may end."""
        return (".ndjson", ".jsonl") if self.header is None else (".csv", ".tsv", ".txt")


def _common_form(messages: Iterator[Rejected]) -> Form | None:
    """The one form of all messages. Raises click.ClickException where there are several."""
    forms: dict[Form, set[str]] = {}
    for path, topic in {message.path: message.topic for message in messages}.items():
        form, _ = _stored_form(path)
        forms.setdefault(form, set()).add(topic)
    if len(forms) > 1:
        kinds = "\n".join(
            f"  {form.endings[0]}: {printable(', '.join(sorted(topics)))}" for form, topics in forms.items()
        )
        raise click.ClickException(
            f"the rejected lines have several forms. Export them with --source, one by one:\n{kinds}"
        )
    return next(iter(forms), None)


@lru_cache
def _stored_form(path: str) -> tuple[Form, str]:
    """The form and the encoding of the lines that a landed file holds."""
    import pyarrow.parquet as pq

    metadata = pq.read_schema(path).metadata or {}
    header, encoding, options = (metadata.get(key.encode()) for key in (HEADER, ENCODING, LOAD_OPTIONS))
    kind = KIND_OPTIONS.get(Path(path).parents[1].name, "")
    return Form(header, kind + (options or b"").decode()), (encoding or b"utf-8").decode()


def _utf8(message: Rejected) -> bytes:
    return as_utf8(message.raw, _stored_form(message.path)[1])


def _as_json_lines(raw: bytes) -> bytes:
    """A message as one line; rows of a file that were added up to one level remain separate lines."""
    lines = raw.split(b"\n")
    return raw if len(lines) > 1 and all(map(_is_json, lines)) else raw.translate(ONE_LINE)


def _is_json(line: bytes) -> bool:
    try:
        msgspec.json.decode(line)
    except UNREADABLE:
        return False
    return True


def _write(messages: Iterator[Rejected], form: Form, out: Path, reasons: Path) -> int:
    """Write the lines and their reasons; return the number of lines. The lines get their name last."""
    count, number, next_number = 0, 0, 1
    previous: Rejected | None = None
    with (
        atomic_write(out) as unfinished,
        atomic_write(reasons) as unfinished_reasons,
        unfinished.open("wb") as lines,
        unfinished_reasons.open("w", newline="", encoding="utf-8") as table,
    ):
        if form.header is not None:
            lines.write(form.header + b"\n")
            next_number += form.header.count(b"\n") + 1
        reason_rows = csv.writer(table)
        reason_rows.writerow(["line", "source", "source_line", "published", "reason"])
        for message in messages:
            # a line with a column for each store is rejected once per wrong level, and exported once
            if previous is None or message.is_topic or message[:3] != previous[:3]:
                line = _utf8(message)
                if form.header is None:
                    line = _as_json_lines(line)
                lines.write(line + b"\n")
                count += 1
                number, next_number = next_number, next_number + line.count(b"\n") + 1
            previous = message
            reason_rows.writerow([number, message.topic, message.place, message.published.isoformat(), message.reason])
    return count
