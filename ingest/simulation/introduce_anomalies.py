"""`inventory introduce-anomalies`: put labelled anomalies into a file of events, and take them out again."""

from __future__ import annotations

import csv
import os
import shutil
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import file_digest
from pathlib import Path
from typing import Any

import click
import numpy as np

from ingest.durable_files import atomic_write
from ingest.landing.files.rows import SourceError
from ingest.pulsar.publisher import publish_file, pulsar_options
from ingest.simulation.anomalies import (
    KINDS,
    TRUTH_COLUMNS,
    Introduction,
    Kind,
    NoPlaceError,
)
from ingest.simulation.catalogue import CATALOGUE_KEY, SPOILING, random_stream
from ingest.simulation.event_files import refuse_existing, truth_folder
from ingest.simulation.event_log import EventLog

TRUTH, UNDO, ORIGINAL = "anomalies.csv", "undo", "events.ndjson"
EDITABLE = (".ndjson", ".jsonl")


def event_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of a command that changes a file of events."""
    for option in (
        click.option("--data-dir", type=click.Path(path_type=Path), envvar="INVENTORY_DATA_DIR", default="data"),
        click.option("--force", is_flag=True, help="Replace an existing --out"),
        click.option(
            "--out", type=click.Path(path_type=Path, dir_okay=False), help="NDJSON file (default: change in place)"
        ),
        click.option("--seed", type=click.IntRange(min=0, max=2**63 - 1), default=7, show_default=True),
        click.option("--events", type=click.Path(path_type=Path), help="Events (default: DATA/events/demo.ndjson)"),
    ):
        command = option(command)
    return command


@click.command()
@event_options
@click.option("--count", type=click.IntRange(min=1), default=2 * len(KINDS), show_default=True)
@click.option("--kinds", help=f"Kinds to take in turn, by comma (default: all): {', '.join(KINDS)}")
@click.option("--since", type=click.DateTime(["%Y-%m-%d"]), help="No anomaly begins before this day")
@click.option("--undo", is_flag=True, help="Take out all that was introduced: the bytes are what they were")
@pulsar_options()
def command(
    events: Path | None,
    count: int,
    kinds: str | None,
    since: datetime | None,
    seed: int,
    out: Path | None,
    force: bool,
    undo: bool,
    data_dir: Path,
    **pulsar: Any,
) -> None:
    """Put many labelled anomalies and hard negatives into events.

    FILE.truth/anomalies.csv says what was done. Introduce before loading: what is landed stays landed.
    """
    events = events or data_dir / "events" / "demo.ndjson"
    if undo:
        take_out(events)
        click.echo(f"{events}: as it was before anomalies were introduced")
        return
    chosen = [find_kind(name.strip()) for name in kinds.split(",")] if kinds else list(KINDS.values())
    introduction, out = open_events(events, out, force)
    random = random_stream(seed, CATALOGUE_KEY, SPOILING, len(introduction.truth) + 1)
    try:
        added, left_out = put_many(introduction, chosen, count, random, since=_utc(since), strict=kinds is not None)
    except NoPlaceError as error:
        raise click.ClickException(f"{events}: {error}") from error
    save(introduction, events, out)
    by_kind = ", ".join(f"{times} {kind}" for kind, times in Counter(row["kind"] for row in added).items())
    click.echo(f"{out}: {len(added)} anomalies introduced ({by_kind}); truth in {truth_folder(out) / TRUTH}")
    if left_out:
        click.echo(f"  no place for more of: {', '.join(left_out)}", err=True)
    publish_file(out, **pulsar)


def find_kind(name: str) -> Kind:
    """The kind of that name; raises a click error naming the ones that exist."""
    if name not in KINDS:
        raise click.ClickException(f"no kind is called '{name}'. There are: {', '.join(KINDS)}.")
    return KINDS[name]


def open_events(events: Path, out: Path | None, force: bool) -> tuple[Introduction, Path]:
    """Read the events and what was introduced into them before; returns them and the file to write.

    Raises a click error where the events cannot be read, or the result may not be written.
    """
    if out is None or out.resolve() == events.resolve():
        if events.suffix.lower() not in EDITABLE:
            raise click.ClickException(f"{events}: only NDJSON can be changed in place. Name an --out FILE.ndjson.")
        out = events
    elif out.suffix.lower() not in EDITABLE:
        raise click.ClickException(f"{out}: anomalies are written as NDJSON. Name it .ndjson.")
    else:
        refuse_existing(out, force)
    try:
        log = EventLog(events)
    except SourceError as error:
        raise click.ClickException(str(error)) from error
    return Introduction(log, _read_truth(truth_folder(events) / TRUTH)), out


def put_many(
    introduction: Introduction,
    kinds: list[Kind],
    count: int,
    random: np.random.Generator,
    *,
    since: datetime | None = None,
    strict: bool = False,
) -> tuple[list[dict[str, Any]], list[str]]:
    """Introduce `count` anomalies of the kinds in turn.

    Return their rows of the truth, and the kinds that found no (further) place. With `strict` that raises NoPlaceError.
    """
    waiting, left_out, added = list(kinds), list[str](), list[dict[str, Any]]()
    while waiting and len(added) < count:
        kind = waiting.pop(0)
        try:
            added.append(introduction.put(kind, random, since=since))
            waiting.append(kind)
        except NoPlaceError:
            if strict:
                raise
            left_out.append(kind.name)
    return added, left_out


def save(introduction: Introduction, events: Path, out: Path) -> None:
    """Write the changed events and their truth, having kept the events as they were for `--undo`."""
    truth = truth_folder(out)
    undo = truth / UNDO
    if out != events:
        shutil.rmtree(truth, ignore_errors=True)
    truth.mkdir(parents=True, exist_ok=True)
    if not undo.exists():
        with atomic_write(undo) as unfinished:
            unfinished.mkdir()
            if out == events:
                os.link(events, unfinished / ORIGINAL)  # the old bytes outlive the new file's rename
            else:
                shutil.copy2(events, unfinished / ORIGINAL)
            (unfinished / "digests").write_text(f"{_digest(events)}\n")
            earlier = truth_folder(events) / TRUTH
            if earlier.exists():
                shutil.copy2(earlier, unfinished / TRUTH)
    write_introduced(introduction, out, truth)


def write_introduced(introduction: Introduction, out: Path, truth: Path) -> None:
    """Write the changed events and their truth table."""
    with atomic_write(truth / TRUTH) as table, atomic_write(out) as unfinished:
        with unfinished.open("wb") as file:
            file.writelines(introduction.log.lines())
        with table.open("w", newline="") as file:
            writer = csv.DictWriter(file, TRUTH_COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(introduction.truth)
        if (truth / UNDO).exists():  # before the events change, so that they are known however this ends
            with (truth / UNDO / "digests").open("a") as file:
                file.write(f"{_digest(unfinished)}\n")


def take_out(events: Path) -> None:
    """Put the events, and their truth table, back as they were before the first introduction."""
    truth = truth_folder(events)
    undo = truth / UNDO
    if not undo.exists():
        raise click.ClickException(f"{events}: nothing was introduced into it ({undo} does not exist).")
    if events.exists() and _digest(events) not in (undo / "digests").read_text().split():
        raise click.ClickException(
            f"{events}: has changed since anomalies were introduced, and --undo would lose that. "
            f"The events from before are in {undo}."
        )
    (truth / TRUTH).unlink(missing_ok=True)
    if (undo / TRUTH).exists():
        shutil.copy2(undo / TRUTH, truth / TRUTH)
    if (undo / ORIGINAL).exists():  # else an undo was cut short here
        (undo / ORIGINAL).replace(events)
    shutil.rmtree(undo)


def _read_truth(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def _utc(timestamp: datetime | None) -> datetime | None:
    return timestamp and timestamp.replace(tzinfo=UTC)
