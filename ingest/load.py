"""`inventory load`: land the events of a topic or a file, each exactly once, however often it is run."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import click
import pyarrow as pa
import pyarrow.parquet as pq

from ingest.events import NOTES, READINGS, Contract
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
from ingest.sources import Line, SourceError, read_file

DIGEST = "lines_sha256"


@click.command()
@click.option("--source", type=click.Path(path_type=Path), help="File of events: .ndjson, .csv, .parquet")
@click.option("--url", envvar="PULSAR_URL", help="Service URL of the Pulsar broker  [default: PULSAR_URL]")
@click.option("--topic", help="Pulsar topic  [default: PULSAR_TOPIC, PULSAR_NOTES_TOPIC]")
@click.option("--until-caught-up", is_flag=True, help="Stop when all that is published is landed; else go on for ever.")
@click.option("--notes", is_flag=True, help="Land inventory notes instead of stock readings.")
@click.option("--data-dir", type=click.Path(path_type=Path), envvar="INVENTORY_DATA_DIR", default="data")
def command(
    source: Path | None, url: str | None, topic: str | None, until_caught_up: bool, notes: bool, data_dir: Path
) -> None:
    """Land the events of a Pulsar topic, or of a file, each exactly once; malformed ones are quarantined."""
    contract: Contract[Any] = NOTES if notes else READINGS
    landing = data_dir / ("landing_notes" if notes else "landing")
    try:
        if source is not None:
            name = source.name
            with exclusive(landing):
                landed = land_file(landing, source, contract)
        else:
            name = topic or (
                os.environ.get("PULSAR_NOTES_TOPIC", NOTES_TOPIC)
                if notes
                else os.environ.get("PULSAR_TOPIC", READINGS_TOPIC)
            )
            landed = load_topic(landing, settings(url), name, contract, until_caught_up=until_caught_up)
    except (SourceError, LandingBusyError, PulsarError) as error:
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


def land_file(landing: Path, source: Path, contract: Contract[Any] = READINGS) -> Counter[str]:
    """Land the lines of a file that were not landed before; return how many were good and how many of each rejection.

    The topic is the file's name and the entry id the line's number. A file that grew goes on where it was left. Another
    file of the same name is told apart by the digest of its lines, and gets a ledger id of its own.
    """
    ledger_id, last_line = _resume_point(landed_files(landing, source.name), lambda: read_file(source, contract.fields))
    digest = sha256()
    counts: Counter[str] = Counter()
    for batch in _batches(read_file(source, contract.fields)):
        for line in batch:
            digest.update(line.raw + b"\n")
        fresh = [line for line in batch if line.number > last_line]
        if not fresh:
            continue
        table = to_table(
            contract,
            source.name,
            0,
            ([ledger_id] * len(fresh), [line.number for line in fresh], [-1] * len(fresh)),
            pa.repeat(pa.scalar(datetime.now(UTC), MOMENT), len(fresh)),
            [line.message for line in fresh],
            [line.raw for line in fresh],
        )
        land(landing, source.name, 0, table, {DIGEST: digest.hexdigest()})
        counts.update("good" if error is None else error.partition(":")[0] for error in table["error"].to_pylist())
        click.echo(f"  {source.name}: line {fresh[-1].number:,}", err=True)
    return counts


def _resume_point(landed: list[LandedFile], read: Callable[[], Iterable[Line]]) -> tuple[int, int]:
    """The ledger id that this file's lines belong to, and its last landed line."""
    newest = {file.last.ledger_id: file for file in landed}
    digests = _digests_at({file.last.entry_id for file in newest.values()}, read())
    for ledger_id, file in sorted(newest.items(), reverse=True):
        known = pq.read_schema(file.path).metadata[DIGEST.encode()].decode()
        if digests.get(file.last.entry_id) == known:
            return ledger_id, file.last.entry_id
    return max(newest, default=0) + 1, 0


def _digests_at(line_numbers: set[int], lines: Iterable[Line]) -> dict[int, str]:
    """The digest of the file's lines up to each of the given line numbers."""
    digest = sha256()
    found: dict[int, str] = {}
    for line in lines:
        digest.update(line.raw + b"\n")
        if line.number in line_numbers:
            found[line.number] = digest.hexdigest()
        if len(found) == len(line_numbers):
            break
    return found


def _batches(lines: Iterable[Line]) -> Iterator[list[Line]]:
    batch: list[Line] = []
    size = 0
    for line in lines:
        batch.append(line)
        size += len(line.raw)
        if len(batch) >= FLUSH_ROWS or size >= FLUSH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
