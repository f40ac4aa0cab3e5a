"""`inventory generate-data`: stock readings of synthetic stores, and the truth behind them.

Every random number comes from a counter-based Philox stream keyed by (seed, store): the same profile, seed and end
give the same bytes, however many processes play the stores. Days are played in chunks over all stores, so that events
can be written in the order of their arrival with bounded memory.
"""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Generator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import click
import msgspec
import numpy as np

from ingest.durable_files import atomic_write
from ingest.pulsar.publisher import publish_file, pulsar_options
from ingest.simulation.anomalies import KINDS, Introduction
from ingest.simulation.catalogue import (
    CATALOGUE_KEY,
    PROFILES,
    SPOILING,
    Profile,
    make_catalogue,
    random_stream,
)
from ingest.simulation.event_files import FORMATS, event_file, refuse_existing, truth_folder
from ingest.simulation.event_log import EventLog
from ingest.simulation.introduce_anomalies import put_many, write_introduced
from ingest.simulation.store import Orders, Readings, Store, StoreDays
from ingest.simulation.supply import Supply, known_orders, write_order_events, write_supply
from ingest.simulation.truth_files import demand_file, write_products, write_promotions, write_stores

CHUNK_DAYS = 10
RECENT = ("negative", "price_zero", "unit_error", "price_jump", "conflicting")  # within the last three days
IN_PROCESS = 1_000_000  # product-days below which starting processes costs more than it saves

Played = tuple[StoreDays, Readings, Orders]


@click.command()
@click.option("--profile", type=click.Choice(list(PROFILES)), default="demo", show_default=True)
@click.option("--seed", type=click.IntRange(min=0, max=2**63 - 1), default=7, show_default=True)
@click.option("--end", type=click.DateTime(["%Y-%m-%d"]), help="First day after the events (default: today, UTC)")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Events: .ndjson, .csv or .parquet (default: DATA/events/PROFILE.ndjson, for 100m .parquet)",
)
@click.option("--workers", type=click.IntRange(min=1), help="Processes that play stores (default: one a core)")
@click.option("--force", is_flag=True, help="Replace existing events and their truth")
@click.option("--data-dir", type=click.Path(path_type=Path), envvar="INVENTORY_DATA_DIR", default="data")
@pulsar_options()
def command(
    profile: str,
    seed: int,
    end: datetime | None,
    out: Path | None,
    workers: int | None,
    force: bool,
    data_dir: Path,
    **pulsar: Any,
) -> None:
    """Write synthetic stock readings, and beside them the truth.

    FILE.truth holds demand, sales, lost sales, receipts and levels by day (until 28 days after the last event), the
    products, promotions, stores and orders, and in the tiny and demo profile the wrong readings that were put in.
    """
    size = PROFILES[profile]
    out = out or data_dir / "events" / f"{profile}{'.parquet' if profile == '100m' else '.ndjson'}"
    if out.suffix not in FORMATS:
        raise click.ClickException(
            f"{out}: unknown ending '{out.suffix}'. Name it by its format: {', '.join(FORMATS)}."
        )
    refuse_existing(out, force)
    last_day = end.date() if end else datetime.now(UTC).date()
    if workers is None:
        small = size.stores * size.categories * size.products * size.total_days < IN_PROCESS
        workers = 1 if small else min(os.cpu_count() or 1, size.stores)
    events, labelled = generate(size, seed, last_day, out, workers)
    among = f", {labelled} labelled anomalies among them" if labelled else ""
    click.echo(f"{out}: {events:,} events{among} (truth in {truth_folder(out)})")
    publish_file(out, **pulsar)


def generate(profile: Profile, seed: int, end: date, out: Path, workers: int = 1) -> tuple[int, int]:
    """Write the events of a profile and their truth; return how many events, and how many labelled anomalies.

    Both appear under their names when they are complete, and replace what was there before. Anomalies and malformed
    messages are put into NDJSON only.
    """
    catalogue = make_catalogue(profile, seed, end)
    out.parent.mkdir(parents=True, exist_ok=True)
    truth = truth_folder(out)
    with atomic_write(out) as unfinished, atomic_write(truth) as unfinished_truth:
        unfinished_truth.mkdir()
        write_products(catalogue, unfinished_truth / "products.parquet")
        write_promotions(catalogue, unfinished_truth / "promotions.csv")
        write_stores(catalogue, unfinished_truth / "stores.csv")
        supply = Supply(catalogue, seed)
        write_supply(supply, unfinished_truth / "products.csv")
        count = 0
        waiting: list[Readings] = []
        placed: list[list[Orders]] = []
        with (
            event_file(unfinished, out.suffix, catalogue) as write,
            demand_file(unfinished_truth / "demand.parquet", catalogue) as write_truth,
            closing(_play(profile, seed, end, workers)) as chunks,
        ):
            for days, stores in chunks:
                write_truth(days, [played for played, _, _ in stores])
                placed.append([orders for _, _, orders in stores])
                until = days.stop * 86400 if days.stop < profile.days else None
                due, waiting = _in_arrival_order([*waiting, *(readings for _, readings, _ in stores)], until)
                if days.start >= profile.days:
                    continue
                write(due)
                count += len(due.timestamp)
                if workers > 1:
                    click.echo(f"  day {days.stop} of {profile.days}: {count:,} events", err=True)
        order_events = unfinished_truth / "order_events.csv"
        write_order_events(supply, placed, profile.days, order_events)
        (unfinished_truth / "orders.csv").write_text(known_orders(order_events, end - timedelta(days=1)))
        labelled = 0
        if out.suffix == ".ndjson" and profile.wrong:
            labelled = _spoil(unfinished, unfinished_truth, profile, seed)
        shutil.rmtree(truth, ignore_errors=True)
    return count, labelled


def _chunks(profile: Profile) -> list[range]:
    """The days in chunks. The last day with events ends a chunk, because late readings are written then."""
    held_out = range(profile.days, profile.total_days, CHUNK_DAYS)
    starts = [*range(0, profile.days, CHUNK_DAYS), *held_out, profile.total_days]
    return [range(start, stop) for start, stop in itertools.pairwise(starts)]


def _play(profile: Profile, seed: int, end: date, workers: int) -> Generator[tuple[range, list[Played]]]:
    """Play all stores; yields each chunk of days with what happened in the stores, in the stores' order."""
    if workers == 1:
        catalogue = make_catalogue(profile, seed, end)
        stores = [Store(store, seed, catalogue) for store in range(profile.stores)]
        for chunk, days in enumerate(_chunks(profile)):
            yield days, [_play_store(store, chunk, days, profile) for store in stores]
        return
    context = get_context("spawn")
    shares = [range(profile.stores)[worker::workers] for worker in range(workers)]
    pipes = [context.Pipe(duplex=False) for _ in shares]
    processes = [
        context.Process(target=_play_share, args=(sender, profile, seed, end, share), daemon=True)
        for (_, sender), share in zip(pipes, shares, strict=True)
    ]
    try:
        for process in processes:
            process.start()
        for _, sender in pipes:
            sender.close()
        for days in _chunks(profile):
            played: dict[int, Played] = {}
            for (receiver, _), share in zip(pipes, shares, strict=True):
                for store in share:
                    played[store] = receiver.recv()
            yield days, [played[store] for store in range(profile.stores)]
    except EOFError:
        raise click.ClickException(
            "A process that plays stores ended early (out of memory?). Try again with fewer --workers."
        ) from None
    finally:
        for process in processes:
            process.terminate()
            process.join()


def _play_share(sender: Connection, profile: Profile, seed: int, end: date, share: range) -> None:
    """Play some of the stores and send what happened, chunk by chunk, store by store."""
    catalogue = make_catalogue(profile, seed, end)
    stores = [Store(store, seed, catalogue) for store in share]
    for chunk, days in enumerate(_chunks(profile)):
        for store in stores:
            sender.send(_play_store(store, chunk, days, profile))


def _play_store(store: Store, chunk: int, days: range, profile: Profile) -> Played:
    played, orders = store.advance(chunk, days)
    readings = store.read(chunk, days, played, profile)
    return StoreDays(*(column.astype(np.int32) for column in played)), readings, orders


def _in_arrival_order(parts: list[Readings], until: int | None) -> tuple[Readings, list[Readings]]:
    """The readings that arrive before `until` (seconds; None: all) in arrival order, and the others."""
    together = Readings(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
    arrived = np.arange(len(together.arrival)) if until is None else np.flatnonzero(together.arrival < until)
    # sorting the numbers themselves is several times faster than a stable sort of positions
    order = np.sort((together.arrival[arrived].astype(np.int64) << 32) | arrived) & 0xFFFFFFFF
    waiting = [] if until is None else [Readings(*(column[together.arrival >= until] for column in together))]
    return Readings(*(column[order] for column in together)), waiting


def _spoil(events: Path, truth: Path, profile: Profile, seed: int) -> int:
    """Put the profile's wrong readings and malformed messages into a file of events; return how many are labelled.

    Some wrong readings lie in the last three days, and one category falls silent there, so that a new user has
    something to see.
    """
    log = EventLog(events)
    introduction = Introduction(log)
    random = random_stream(seed, CATALOGUE_KEY, SPOILING)
    midnight = log.newest.replace(hour=0, minute=0, second=0)
    last_store, last_product = max(log.series)
    introduction.put(
        KINDS["missing_block"],
        random,
        magnitude=3,
        store=last_store,
        product=last_product,
        at=midnight - timedelta(days=2),
    )
    for kind in RECENT:
        introduction.put(KINDS[kind], random, since=midnight - timedelta(days=2))
    put_many(introduction, [kind for kind in KINDS.values() if kind.name != "future_clock"], profile.wrong, random)
    for message in _malformed(log.messages[0]):
        log.insert(len(log.messages) // 2, message)
    write_introduced(introduction, events, truth)
    return len(introduction.truth)


def _malformed(message: bytes) -> list[bytes]:
    """Messages that are no readings: cut short, mistyped, without a field, dated 2999, not UTF-8."""
    event = msgspec.json.decode(message)
    broken: list[bytes] = [message[:-20], b"not json", message.replace(b"P0", b"\xffP")]
    for change in (
        {"quantity": "many"},
        {"price": "free"},
        {"event_timestamp": "yesterday"},
        {"event_timestamp": "2999-01-01T00:00:00Z"},
    ):
        broken.append(msgspec.json.encode({**event, **change}))
    broken += [msgspec.json.encode({key: value for key, value in event.items() if key != field}) for field in event]
    return broken
