"""`inventory introduce-actual-quantity`: replay what the truth says happened after a forecast was published.

A forecast is of the level at its `forecast_timestamp`, the midnight after a day. The replay gives each product one
reading at each of those midnights that is past and has no actual yet: the level at closing time the evening before. The
readings carry the key `simulated`, which lands in `extra`. The orders of the truth, by which the shelves were refilled
since, become known with them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import click
import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ingest.durable_files import atomic_write
from ingest.pulsar.publisher import publish_file, pulsar_options
from ingest.shared_sqlite import read_only
from ingest.simulation.event_files import refuse_existing
from ingest.simulation.event_log import iso
from ingest.simulation.supply import known_orders

Series = tuple[str, str]  # store, category


@click.command()
@click.option(
    "--forecasts",
    type=click.Path(path_type=Path),
    help="Published forecasts (default: DATA/export/inventory_metrics.db)",
)
@click.option("--truth", type=click.Path(path_type=Path), help="Truth of the events (default: DATA/events/demo.truth)")
@click.option(
    "--until",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%SZ"]),
    help="Replay what is due by then, UTC (default: now)",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="NDJSON file (default: beside the truth, named by the last day)",
)
@click.option("--force", is_flag=True, help="Replace an existing file")
@click.option("--data-dir", type=click.Path(path_type=Path), envvar="INVENTORY_DATA_DIR", default="data")
@pulsar_options()
def command(
    forecasts: Path | None,
    truth: Path | None,
    until: datetime | None,
    out: Path | None,
    force: bool,
    data_dir: Path,
    **pulsar: Any,
) -> None:
    """Write the readings that give the published forecasts which are due their actual quantity.

    Load the file and build: each row of ml_metrics that is due has its actual then, and none that is not.
    """
    now = datetime.now(UTC)
    clock = until.replace(tzinfo=UTC) if until else now
    if clock > now:
        raise click.ClickException(
            f"--until {iso(clock)} is still to come: readings ahead of the clock are quarantined when they land. "
            "Generate events that end earlier (generate-data --end)."
        )
    forecasts = forecasts or data_dir / "export" / "inventory_metrics.db"
    truth = truth or data_dir / "events" / "demo.truth"
    due = _due(forecasts, clock)
    if not due:
        click.echo(f"{forecasts}: every forecast that is due by {iso(clock)} has its actual already")
        return
    last = max(due)
    out = out or truth.with_name(f"{truth.stem}.actuals-{last}.ndjson")
    if out.suffix != ".ndjson":
        raise click.ClickException(f"{out}: actuals are written as NDJSON. Name it .ndjson.")
    refuse_existing(out, force)
    lines = list(_readings(due, truth))
    out.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(out) as unfinished:
        unfinished.write_bytes(b"\n".join(lines) + b"\n")
    click.echo(f"{out}: {len(lines):,} simulated readings for the {len(due)} days to {last} that were due")
    _extend_orders(truth, data_dir / "orders.csv", last)
    publish_file(out, **pulsar)


def _extend_orders(truth: Path, used: Path, last: date) -> None:
    """Add what was ordered and delivered by a day to the orders of the truth, and to a copy of them that is in use."""
    known, events = truth / "orders.csv", truth / "order_events.csv"
    if not events.exists():  # an earlier version made the demo
        return
    before, after = known.read_text(), known_orders(events, last)
    if len(after) <= len(before):
        return
    files = [known, used] if used.exists() and used.read_text() == before else [known]
    for path in files:
        with atomic_write(path) as unfinished:
            unfinished.write_text(after)
    added = len(after.splitlines()) - len(before.splitlines())
    click.echo(f"{files[-1]}: {added:,} events of orders added, to {last}")


def _due(forecasts: Path, clock: datetime) -> dict[date, set[Series]]:
    """The days whose forecasts are due by the clock and have no actual, with the series that wait for one."""
    if not forecasts.exists():
        raise click.ClickException(f"{forecasts}: no such file. Publish forecasts first (make pipeline).")
    due: dict[date, set[Series]] = {}
    try:
        with closing(read_only(forecasts)) as database:
            rows = database.execute(
                "select distinct forecast_timestamp, store_location, category from ml_metrics "
                "where actual_quantity is null and forecast_timestamp <= ? order by 1, 2, 3",
                [iso(clock.replace(microsecond=0))],
            ).fetchall()
    except sqlite3.DatabaseError as error:
        raise click.ClickException(f"{forecasts}: {error}. Publish forecasts first (make pipeline).") from error
    for timestamp, store, category in rows:
        day = datetime.fromisoformat(timestamp).date() - timedelta(days=1)
        due.setdefault(day, set()).add((store, category))
    return due


def _readings(due: dict[date, set[Series]], truth: Path) -> Iterator[bytes]:
    """A message for each product of the series that wait, at the end of each of their days."""
    path = truth / "demand.parquet"
    if not path.exists():
        raise click.ClickException(
            f"{path}: no such file. Name the .truth folder beside the generated events with --truth."
        )
    columns = ["event_date", "store_location", "category", "product_id", "level", "price"]
    days = pa.array(sorted(due), pa.date32())
    table = pq.read_table(path, columns=columns, filters=pc.field("event_date").isin(days))
    waiting = {(day, *series) for day, waiting_series in due.items() for series in waiting_series}
    rows = sorted(table.to_pylist(), key=lambda row: [row[name] for name in columns[:4]])
    answered = set[tuple[date, str, str]]()
    for row in rows:
        place = row["event_date"], row["store_location"], row["category"]
        if place not in waiting:
            continue
        answered.add(place)
        yield msgspec.json.encode(
            {
                "product_id": row["product_id"],
                "category": row["category"],
                "store_location": row["store_location"],
                "quantity": row["level"],
                "price": row["price"],
                "event_timestamp": f"{row['event_date'] + timedelta(days=1)}T00:00:00Z",
                "simulated": True,
            }
        )
    unknown = sorted(waiting - answered)
    if unknown:
        day, store, category = unknown[0]
        raise click.ClickException(
            f"{path}: knows nothing of {len(unknown)} of the {len(waiting)} levels that are due, the first one of "
            f"{store}, {category}, on {day}. Name the truth of the events that were forecast, or an earlier --until."
        )
