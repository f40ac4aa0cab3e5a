"""`inventory introduce-anomaly`: put one labelled anomaly into a file of events by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from ingest.pulsar.publisher import publish_file, pulsar_options
from ingest.simulation.anomalies import KINDS, Introduction, Kind, NoPlaceError
from ingest.simulation.catalogue import CATALOGUE_KEY, SPOILING, random_stream
from ingest.simulation.introduce_anomalies import event_options, find_kind, open_events, save


@click.command(epilog="Kinds: " + "; ".join(f"{kind.name}: {kind.summary}" for kind in KINDS.values()))
@event_options
@click.option("--kind", "kind_name", required=True, help="What to introduce, see below")
@click.option("--magnitude", type=float, help="How much, in the kind's own measure (default: drawn)")
@click.option("--store", help="Where (default: drawn)")
@click.option("--product", help="Of what (default: drawn)")
@click.option(
    "--at",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%SZ"]),
    help="It begins with the first reading from then on, UTC (default: drawn)",
)
@pulsar_options()
def command(
    events: Path | None,
    kind_name: str,
    magnitude: float | None,
    store: str | None,
    product: str | None,
    at: datetime | None,
    seed: int,
    out: Path | None,
    force: bool,
    data_dir: Path,
    **pulsar: Any,
) -> None:
    """Put one anomaly into events; `inventory introduce-anomalies --undo` takes it out again."""
    kind = find_kind(kind_name)
    events = events or data_dir / "events" / "demo.ndjson"
    _check_magnitude(kind, magnitude)
    introduction, out = open_events(events, out, force)
    _check_series(introduction, store, product)
    random = random_stream(seed, CATALOGUE_KEY, SPOILING, len(introduction.truth) + 1)
    timestamp = at and at.replace(tzinfo=UTC)
    try:
        row = introduction.put(kind, random, magnitude=magnitude, store=store, product=product, at=timestamp)
    except NoPlaceError as error:
        raise click.ClickException(f"{events}: {error}") from error
    save(introduction, events, out)
    click.echo(
        f"{out}: {row['anomaly_id']} {kind.name} ({row['magnitude']}) at {row['store']} {row['product']}, "
        f"{row['start']} to {row['end']}: {row['original']} became {row['injected']}; "
        f"expected detector: {row['expected_detector']}"
    )
    publish_file(out, **pulsar)


def _check_magnitude(kind: Kind, magnitude: float | None) -> None:
    lowest, highest = kind.limits
    if magnitude is not None and not lowest <= magnitude <= highest:
        raise click.ClickException(
            f"--magnitude {magnitude:g} is not within {lowest:g} to {highest:g} for {kind.name} ({kind.summary})."
        )


def _check_series(introduction: Introduction, store: str | None, product: str | None) -> None:
    """Raise a click error naming what exists where the store, the product, or the one in the other does not."""
    stores = sorted({key[0] for key in introduction.log.series})
    if store is not None and store not in stores:
        raise click.ClickException(f"no store is called '{store}'. There are: {', '.join(stores)}.")
    products = sorted({key[1] for key in introduction.log.series if store in {None, key[0]}})
    if product is not None and product not in products:
        shown = ", ".join(products[:20]) + (f" and {len(products) - 20} more" if len(products) > 20 else "")
        raise click.ClickException(
            f"no product is called '{product}'{f' in {store}' if store else ''}. There are: {shown}."
        )
