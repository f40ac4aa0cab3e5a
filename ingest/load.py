"""`inventory load`: land the events of a topic or a file, each exactly once, however often it is run."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, tzinfo
from hashlib import sha256
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click
import pyarrow as pa
import pyarrow.parquet as pq

from ingest.events import NOTES, READINGS, Contract
from ingest.files.messages import interpreter_of
from ingest.files.opening import open_file, read_rows
from ingest.files.rows import AS_IT_COMES, DecimalMark, FileOptions, Row, SourceError, as_it_stood
from ingest.landing import (
    FLUSH_BYTES,
    FLUSH_ROWS,
    MOMENT,
    LandedFile,
    LandingBusyError,
    exclusive,
    land,
    landed_files,
    to_table,
)
from ingest.pulsar_connection import NOTES_TOPIC, READINGS_TOPIC, PulsarError, settings
from ingest.pulsar_loader import load_topic
from ingest.times import AgeError, max_age

DIGEST = "lines_sha256"


@click.command()
@click.option("--source", type=click.Path(path_type=Path), help="File of events: NDJSON, JSON, CSV, Excel, Parquet")
@click.option("--url", envvar="PULSAR_URL", help="Service URL of the Pulsar broker  [default: PULSAR_URL]")
@click.option("--topic", help="Pulsar topic  [default: PULSAR_TOPIC, PULSAR_NOTES_TOPIC]")
@click.option("--until-caught-up", is_flag=True, help="Stop when all that is published is landed; else go on for ever.")
@click.option("--notes", is_flag=True, help="Land inventory notes instead of stock readings.")
@click.option("--encoding", help="Encoding of a text file: windows-1252, say  [default: what the file shows]")
@click.option("--sheet", help="Sheet of an Excel workbook  [default: the first]")
@click.option("--decimal", type=click.Choice(["point", "comma"]), help="Decimal mark  [default: what the file shows]")
@click.option("--day-first/--month-first", default=None, help="How 03/01/2026 is meant  [default: what the file shows]")
@click.option("--time-zone", default="UTC", show_default=True, help="Zone of times that name none: Europe/Berlin, say")
@click.option(
    "--quantity-scale",
    type=click.IntRange(min=1),
    default=1,
    help="Count in parts of a unit: 1000 makes 1.25 kg 1,250 g, and a price per kg one per g",
)
@click.option("--data-dir", type=click.Path(path_type=Path), envvar="INVENTORY_DATA_DIR", default="data")
def command(
    source: Path | None,
    url: str | None,
    topic: str | None,
    until_caught_up: bool,
    notes: bool,
    encoding: str | None,
    sheet: str | None,
    decimal: DecimalMark | None,
    day_first: bool | None,
    time_zone: str,
    quantity_scale: int,
    data_dir: Path,
) -> None:
    """Land the events of a Pulsar topic, or of a file, each exactly once; malformed ones are quarantined."""
    contract: Contract[Any] = NOTES if notes else READINGS
    landing = data_dir / ("landing_notes" if notes else "landing")
    try:
        max_age()
        if source is not None:
            name = source.name
            with exclusive(landing):
                options = FileOptions(encoding, sheet, decimal, day_first, _zone(time_zone), quantity_scale)
                landed = land_file(landing, source, contract, options)
        else:
            name = topic or (
                os.environ.get("PULSAR_NOTES_TOPIC", NOTES_TOPIC)
                if notes
                else os.environ.get("PULSAR_TOPIC", READINGS_TOPIC)
            )
            landed = load_topic(landing, settings(url), name, contract, until_caught_up=until_caught_up)
    except (AgeError, SourceError, LandingBusyError, PulsarError) as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(
            f"{error.filename or landing}: {error.strerror}. What was landed before is safe."
        ) from error
    _tell(name, landed, contract)
    if source is not None and landed.total() and not landed["good"]:
        raise click.ClickException(
            f"{source}: no line is a {contract.noun}. They are kept with their reasons in the quarantine "
            f"({landing}, column error); compare them with the event contract in the README."
        )


def _zone(name: str) -> tzinfo:
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise click.BadParameter(
            f"{name} is no time zone. Name one like Europe/Berlin.", param_hint="--time-zone"
        ) from None


def _tell(name: str, landed: Counter[str], contract: Contract[Any]) -> None:
    """Say what a run has landed."""
    again = landed.pop("again", 0)
    rejections = ", ".join(f"{count:,} {kind}" for kind, count in landed.most_common() if kind != "good" and count)
    quarantined = landed.total() - landed["good"]
    if landed.total():
        click.echo(
            f"{name}: landed {landed['good']:,} {contract.noun.split()[-1]}s, quarantined {quarantined:,}"
            + (f" ({rejections})" if rejections else "")
            + (f"; {again:,} were landed before" if again else "")
        )
    else:
        click.echo(f"{name}: nothing new, all of it was landed before")


def land_file(
    landing: Path, source: Path, contract: Contract[Any] = READINGS, options: FileOptions = AS_IT_COMES
) -> Counter[str]:
    """Land the rows of a file that were not landed before; return how many were good and how many of each rejection.

    The topic is the file's name and the entry id the row's number. A file that grew goes on where it was left. Another
    file of the same name is told apart by the digest of its rows, and gets a ledger id of its own. Raises SourceError;
    what was landed before it stays.
    """
    file = open_file(source, options)
    ledger_id, last_row = _resume_point(landed_files(landing, source.name), lambda: read_rows(file))
    interpreter = interpreter_of(file, contract.fields, options)
    for remark in file.remarks:
        click.echo(f"  {source.name}: {remark}", err=True)
    digest = sha256()
    counts: Counter[str] = Counter()
    skipped: Counter[str] = Counter()
    for batch in _batches(read_rows(file, skipped)):
        digest.update(_text(batch))
        fresh = [row for row in batch if row.number > last_row]
        if not fresh:
            continue
        table = to_table(
            contract,
            source.name,
            0,
            ([ledger_id] * len(fresh), [row.number for row in fresh], [-1] * len(fresh)),
            pa.repeat(pa.scalar(datetime.now(UTC), MOMENT), len(fresh)),
            [interpreter.message(row) for row in fresh],
            [row.raw for row in fresh],
        )
        land(landing, source.name, 0, table, {DIGEST: digest.hexdigest(), **as_it_stood(file)})
        counts.update("good" if error is None else error.partition(":")[0] for error in table["error"].to_pylist())
        click.echo(f"  {source.name}: row {fresh[-1].number:,}", err=True)
    for what, count in (skipped + interpreter.remarks).items():
        click.echo(f"  {source.name}: {count:,} {what}", err=True)
    return counts


def _resume_point(landed: list[LandedFile], read: Callable[[], Iterable[Row]]) -> tuple[int, int]:
    """The ledger id that this file's rows belong to, and the last one that is landed."""
    newest = {file.last.ledger_id: file for file in landed}
    digests = _digests_at({file.last.entry_id for file in newest.values()}, read())
    for ledger_id, file in sorted(newest.items(), reverse=True):
        known = pq.read_schema(file.path).metadata[DIGEST.encode()].decode()
        if digests.get(file.last.entry_id) == known:
            return ledger_id, file.last.entry_id
    return max(newest, default=0) + 1, 0


def _digests_at(numbers: set[int], rows: Iterable[Row]) -> dict[int, str]:
    """The digest of the file's rows up to each of the given ones."""
    digest = sha256()
    found: dict[int, str] = {}
    for row in rows:
        if len(found) == len(numbers):
            break
        digest.update(_text([row]))
        if row.number in numbers:
            found[row.number] = digest.hexdigest()
    return found


def _text(rows: Iterable[Row]) -> bytes:
    """What a digest is taken of."""
    return b"".join([row.raw + b"\n" for row in rows])


def _batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Rows in batches to land; what was read before a file turned out to be damaged is a batch, too."""
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
