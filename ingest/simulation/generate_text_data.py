"""`inventory generate-text-data`: labelled inventory notes for the detection of anomalies in text."""

from __future__ import annotations

import csv
import random
from collections import Counter
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from statistics import median_high
from typing import Any

import click
import msgspec

from ingest.durable_files import atomic_write
from ingest.landing.files.rows import SourceError
from ingest.pulsar.connection import NOTES_TOPIC
from ingest.pulsar.publisher import publish_file, pulsar_options
from ingest.simulation.catalogue import PROFILES, make_catalogue
from ingest.simulation.event_files import refuse_existing, truth_folder
from ingest.simulation.event_log import EventLog, iso
from ingest.simulation.notes import KINDS, Occasion, anomalous_note, plain_note

DAYS = 120
NEARBY = 20  # notes that the clipboard may still hold
TRUTH_COLUMNS = (
    "note_id", "kind", "product_id", "category", "store_location", "event_timestamp", "original", "injected",
)  # fmt: skip


@click.command()
@click.option("--count", type=click.IntRange(min=1), default=2000, show_default=True, help="Notes to write")
@click.option(
    "--anomaly-share", type=click.FloatRange(0, 0.5), default=0.03, show_default=True, help="Labelled ones among them"
)
@click.option("--events", type=click.Path(path_type=Path), help="Readings that the notes are about (default: made up)")
@click.option(
    "--days", type=click.IntRange(min=1), help="Days that the notes are about  [default: 120, or all of --events]"
)
@click.option("--seed", type=click.IntRange(min=0, max=2**63 - 1), default=7, show_default=True)
@click.option("--end", type=click.DateTime(["%Y-%m-%d"]), help="Without --events: first day after the notes")
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="NDJSON file (default: DATA/events/notes.ndjson)"
)
@click.option("--force", is_flag=True, help="Replace existing notes and their truth")
@click.option("--data-dir", type=click.Path(path_type=Path), envvar="INVENTORY_DATA_DIR", default="data")
@pulsar_options(NOTES_TOPIC, "PULSAR_NOTES_TOPIC")
def command(
    count: int,
    anomaly_share: float,
    events: Path | None,
    days: int | None,
    seed: int,
    end: datetime | None,
    out: Path | None,
    force: bool,
    data_dir: Path,
    **pulsar: Any,
) -> None:
    """Write receiving, count and damage notes, in time order; FILE.truth/anomalies.csv labels the anomalous ones."""
    out = out or data_dir / "events" / "notes.ndjson"
    if out.suffix != ".ndjson":
        raise click.ClickException(f"{out}: notes are written as NDJSON. Name it .ndjson.")
    refuse_existing(out, force)
    chance = random.Random(seed)
    try:
        occasions = _read(events, count, days, chance) if events else _made_up(count, days or DAYS, seed, end, chance)
    except SourceError as error:
        raise click.ClickException(str(error)) from error
    notes, truth = write_notes(occasions, anomaly_share, chance)
    _save(out, notes, truth)
    by_kind = ", ".join(f"{times} {kind}" for kind, times in sorted(Counter(row["kind"] for row in truth).items()))
    click.echo(f"{out}: {len(notes):,} notes, {len(truth)} labelled ({by_kind or 'none'})")
    publish_file(out, **pulsar)


def write_notes(
    occasions: list[Occasion], anomaly_share: float, chance: random.Random
) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
    """A note for each occasion, in time order, and the truth about the anomalous ones.

    The kinds of anomalies take turns, so that each is as frequent as the others.
    """
    odd = set(chance.sample(range(len(occasions)), round(anomaly_share * len(occasions))))
    turn = list(KINDS)
    notes, truth = list[dict[str, Any]](), list[dict[str, str]]()
    for position, occasion in enumerate(sorted(occasions, key=lambda each: (each.timestamp, each.store, each.product))):
        original = text = plain_note(occasion, chance)
        written = occasion.timestamp + timedelta(seconds=chance.randint(60, 5400))
        note: dict[str, Any] = {
            "note_id": f"N{position + 1:06d}",
            "product_id": occasion.product,
            "category": occasion.category,
            "store_location": occasion.store,
            "note": text,
            "event_timestamp": iso(written),
            "quantity": occasion.on_hand,
            "units_in": occasion.received,
        }
        if position in odd:
            others = [each["note"] for each in notes[-NEARBY:] if each["product_id"] != occasion.product]
            for kind in turn:
                injected = anomalous_note(kind, occasion, original, others, chance)
                if injected is not None:
                    turn.append(turn.pop(turn.index(kind)))
                    note["note"] = injected
                    about = {name: note[name] for name in TRUTH_COLUMNS if name in note}
                    truth.append(about | {"kind": kind, "original": original, "injected": injected})
                    break
        notes.append(note)
    return sorted(notes, key=lambda note: note["event_timestamp"]), truth


def _read(events: Path, count: int, days: int | None, chance: random.Random) -> list[Occasion]:
    """Occasions of readings in a file, those after a delivery more often than their share."""
    calm, delivered = list[Occasion](), list[Occasion]()
    series = EventLog(events).series
    # not the newest reading of all: its clock may be wrong
    last = median_high(points[-1].timestamp for points in series.values())
    since = last - timedelta(days=days) if days else datetime.min.replace(tzinfo=UTC)
    for (store, product), points in series.items():
        previous = points[0].quantity
        for point in points:
            rise = max(point.quantity - previous, 0)
            occasion = Occasion(store, product, point.category, point.timestamp, point.quantity, rise)
            if since < point.timestamp <= last + timedelta(days=1):
                (delivered if rise else calm).append(occasion)
            previous = point.quantity
    if len(calm) + len(delivered) < count:
        raise SourceError(
            f"{events}: has {len(calm) + len(delivered):,} readings, fewer than the {count:,} notes of --count."
        )
    received = min(len(delivered), max(count * 2 // 5, count - len(calm)))
    return chance.sample(delivered, received) + chance.sample(calm, count - received)


def _made_up(count: int, days: int, seed: int, end: datetime | None, chance: random.Random) -> list[Occasion]:
    """Occasions of the demo's stores and products, with numbers out of the air."""
    last = end.date() if end else datetime.now(UTC).date()
    catalogue = make_catalogue(PROFILES["demo"], seed, last)
    midnight = datetime.combine(last, time(), UTC)
    occasions = []
    for _ in range(count):
        product = chance.randrange(len(catalogue.product_ids))
        received = chance.choice([0, 0, 0, 6, 12, 24, 36, 48])
        occasions.append(
            Occasion(
                store=chance.choice(catalogue.stores),
                product=catalogue.product_ids[product],
                category=catalogue.categories[catalogue.category[product]],
                timestamp=midnight - timedelta(seconds=chance.randint(7200, days * 86400)),
                on_hand=received + chance.randint(0, 40),
                received=received,
            )
        )
    return occasions


def _save(out: Path, notes: list[dict[str, Any]], truth: list[dict[str, str]]) -> None:
    folder = truth_folder(out)
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_write(out) as unfinished, atomic_write(folder / "anomalies.csv") as unfinished_truth:
        unfinished.write_bytes(b"".join(msgspec.json.encode(note) + b"\n" for note in notes))
        with unfinished_truth.open("w", newline="") as file:
            writer = csv.DictWriter(file, TRUTH_COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(truth)
