"""`inventory generate-data`: stock readings of made-up stores, and the truth behind them.

Demand is negative-binomial with weekday factors, a yearly season phased by category and promotions; shelves are
replenished by an (s, S) rule with random lead times, so stock falls, is refilled and sometimes runs out. Every random
stream is a counter-based Philox keyed by the seed and the store: the same seed and end give the same bytes.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import click
import msgspec
import numpy as np
import pandas as pd

from ingest.publisher import publish_events, pulsar_options

CATEGORIES = {  # median price, median units a day, day of the year with the highest demand
    "Electronics": (180.0, 1.2, 340),
    "Clothing": (38.0, 2.5, 280),
    "Grocery": (4.5, 9.0, 180),
    "Toys": (22.0, 2.0, 345),
    "Home": (30.0, 1.8, 120),
}
WEEKDAY_FACTORS = np.array([0.85, 0.8, 0.9, 1.0, 1.25, 1.4, 0.8])  # Monday first
PROMOTION_PRICE, PROMOTION_DEMAND = 0.8, 1.8
CLOSING_DAYS = {(1, 1), (12, 25)}
MISSING, LATE, REPEATED, WRONG = 0.01, 0.005, 0.005, 0.0004
CATALOGUE_STREAM = 1_000_000


@dataclass(frozen=True)
class Profile:
    """The size of a data set; `products` counts those of one category."""

    stores: int
    categories: int
    products: int
    days: int


PROFILES = {"tiny": Profile(2, 2, 6, 120), "demo": Profile(5, 5, 40, 400)}


@click.command()
@click.option("--profile", type=click.Choice(list(PROFILES)), default="demo", show_default=True)
@click.option("--seed", type=click.IntRange(min=0), default=7, show_default=True)
@click.option("--end", type=click.DateTime(["%Y-%m-%d"]), help="First day after the data (default: today)")
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="NDJSON file (default: DATA/events/PROFILE.ndjson)"
)
@click.option("--force", is_flag=True, help="Replace an existing file")
@click.option("--data-dir", type=click.Path(path_type=Path), envvar="INVENTORY_DATA_DIR", default="data")
@pulsar_options
def command(
    profile: str,
    seed: int,
    end: datetime | None,
    out: Path | None,
    force: bool,
    data_dir: Path,
    to_pulsar: bool,
    url: str | None,
    topic: str,
    rate: float | None,
) -> None:
    """Write synthetic stock readings, and beside them the truth: demand, receipts and the wrong readings put in."""
    out = out or data_dir / "events" / f"{profile}.ndjson"
    if out.exists() and not force and not to_pulsar:
        raise click.ClickException(f"{out} exists. Name another --out, or add --force to replace it.")
    last_day = end.date() if end else datetime.now(UTC).date()
    world = simulate(PROFILES[profile], seed, last_day)
    readings, wrong = to_readings(world, seed)
    truth = out.with_suffix(".truth")
    truth.mkdir(parents=True, exist_ok=True)
    world.to_parquet(truth / "demand.parquet", index=False)
    with (truth / "anomalies.csv").open("w", newline="") as file:
        writer = csv.DictWriter(
            file, ["kind", "store_location", "category", "product_id", "event_timestamp", "original", "injected"]
        )
        writer.writeheader()
        writer.writerows(wrong)
    lines = [msgspec.json.encode(reading) for reading in readings]
    for line in _malformed(lines):
        lines.insert(len(lines) // 2, line)
    if to_pulsar:
        click.echo(f"{topic}: {publish_events(url, topic, lines, rate):,} events published (truth in {truth})")
        return
    temporary = out.with_name(f".tmp-{out.name}")
    temporary.write_bytes(b"\n".join(lines) + b"\n")
    temporary.rename(out)
    click.echo(f"{out}: {len(lines):,} events, {len(wrong)} wrong readings among them (truth in {truth})")


def simulate(profile: Profile, seed: int, end: date) -> pd.DataFrame:
    """Play the stores' days.

    Returns one row per store, product and day with `event_date, store_location, category, product_id, demand, sales,
    lost_sales, receipts, level` (units; level at closing time), `price` (currency units) and `promotion`.
    """
    days = [end - timedelta(days=profile.days - index) for index in range(profile.days)]
    catalogue = _catalogue(profile, seed, days)
    return pd.concat(
        [_simulate_store(store, seed, days, catalogue) for store in range(profile.stores)], ignore_index=True
    )


def _stream(seed: int, stream: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=[seed, stream]))


def _catalogue(profile: Profile, seed: int, days: list[date]) -> dict[str, Any]:
    """What all stores share: products, their prices and promotions by day, their typical demand."""
    random = _stream(seed, CATALOGUE_STREAM)
    names = list(CATEGORIES)[: profile.categories]
    categories = np.repeat(names, profile.products)
    count, length = len(categories), len(days)
    price_medians, demand_medians, peaks = (
        np.array([CATEGORIES[name][column] for name in categories]) for column in range(3)
    )
    base_price = price_medians * random.lognormal(0, 0.5, count)
    steps = np.where(random.random((count, length)) < 1 / 150, random.normal(0, 0.06, (count, length)), 0)
    price = np.round(base_price[:, None] * np.exp(np.cumsum(steps, axis=1)), 2)
    cycle, offset = random.integers(40, 90, count), random.integers(0, 90, count)
    promotion = (np.arange(length)[None, :] + offset[:, None]) % cycle[:, None] < 7
    day_of_year = np.array([day.timetuple().tm_yday for day in days])
    season = 1 + 0.35 * np.cos(2 * np.pi * (day_of_year[None, :] - peaks[:, None]) / 365.25)
    weekday = WEEKDAY_FACTORS[[day.weekday() for day in days]]
    is_open = np.array([(day.month, day.day) not in CLOSING_DAYS for day in days])
    rate = demand_medians * random.lognormal(0, 0.7, count)
    return {
        "category": categories,
        "product_id": np.array([f"P{index + 1:04d}" for index in range(count)]),
        "price": np.round(np.where(promotion, PROMOTION_PRICE, 1) * price, 2),
        "promotion": promotion,
        "rate": rate,
        "expected": rate[:, None] * season * weekday * is_open * np.where(promotion, PROMOTION_DEMAND, 1),
    }


def _simulate_store(store: int, seed: int, days: list[date], catalogue: dict[str, Any]) -> pd.DataFrame:
    random = _stream(seed, store)
    expected = (
        catalogue["expected"] * random.uniform(0.6, 1.5) * random.lognormal(0, 0.3, len(catalogue["rate"]))[:, None]
    )
    dispersion = 1.5
    demand = random.negative_binomial(dispersion, dispersion / (dispersion + expected))
    usual = expected.mean(axis=1)
    lead_times = random.integers(3, 9, demand.shape)
    reorder_point = np.ceil(7 * usual + 1.3 * np.sqrt(7 * (usual + usual**2 / dispersion)))
    order_up_to = np.ceil(reorder_point + np.maximum(14 * usual, 6))

    level = np.floor(random.uniform(reorder_point, order_up_to)).astype(int)
    on_order = np.zeros((demand.shape[1] + 10, len(level)), dtype=int)
    outstanding = np.zeros(len(level), dtype=int)
    sales, receipts, levels = (np.zeros(demand.shape, dtype=int) for _ in range(3))
    for day in range(demand.shape[1]):
        receipts[:, day] = on_order[day]
        outstanding -= on_order[day]
        level = level + on_order[day]
        sales[:, day] = np.minimum(level, demand[:, day])
        level = level - sales[:, day]
        levels[:, day] = level
        ordered = np.where(level + outstanding <= reorder_point, order_up_to - level - outstanding, 0).astype(int)
        on_order[day + lead_times[:, day], np.arange(len(level))] += ordered
        outstanding += ordered
    count, length = demand.shape
    return pd.DataFrame(
        {
            "event_date": pd.to_datetime(np.tile(np.array(days, dtype="datetime64[D]"), count)),
            "store_location": f"Store_{chr(ord('A') + store)}",
            "category": np.repeat(catalogue["category"], length),
            "product_id": np.repeat(catalogue["product_id"], length),
            "demand": demand.ravel(),
            "sales": sales.ravel(),
            "lost_sales": (demand - sales).ravel(),
            "receipts": receipts.ravel(),
            "level": levels.ravel(),
            "price": catalogue["price"].ravel(),
            "promotion": catalogue["promotion"].ravel(),
        }
    )


def to_readings(world: pd.DataFrame, seed: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Turn the stores' days into readings in arrival order, with missing, late, repeated and wrong ones.

    Each product is read once a day in the evening, and in the morning after a receipt. Returns the events (as dicts
    of the six fields) and the truth about the wrong readings.
    """
    random = _stream(seed, CATALOGUE_STREAM + 1)
    evening = world.assign(
        quantity=world.level,
        second=18 * 3600 + random.integers(0, 4 * 3600, len(world)),
    )
    received = world[world.receipts > 0]
    morning = received.assign(
        quantity=received.level + received.sales,
        second=6 * 3600 + random.integers(0, 3 * 3600, len(received)),
    )
    readings = pd.concat([evening, morning], ignore_index=True)
    readings["moment"] = readings.event_date + pd.to_timedelta(readings.second, unit="s")
    readings = readings[random.random(len(readings)) >= MISSING]
    readings = readings[~_quiet_feed(readings)].sort_values(
        ["moment", "store_location", "product_id"], ignore_index=True
    )

    wrong = _wrong_readings(readings, random)
    delay = np.where(random.random(len(readings)) < LATE, random.integers(3600, 3 * 86400, len(readings)), 0)
    readings["arrival"] = readings.moment + pd.to_timedelta(delay, unit="s")
    repeated = readings[random.random(len(readings)) < REPEATED]
    repeated = repeated.assign(
        arrival=repeated.arrival + pd.to_timedelta(random.integers(1, 7200, len(repeated)), unit="s")
    )
    readings = pd.concat([readings, repeated], ignore_index=True).sort_values("arrival", kind="stable")
    events = [
        {
            "product_id": product_id,
            "category": category,
            "store_location": store_location,
            "quantity": quantity,
            "price": price,
            "event_timestamp": f"{moment.isoformat()}Z",
        }
        for product_id, category, store_location, quantity, price, moment in zip(
            readings.product_id,
            readings.category,
            readings.store_location,
            readings.quantity.tolist(),
            readings.price.tolist(),
            readings.moment,
            strict=True,
        )
    ]
    return events, wrong


def _quiet_feed(readings: pd.DataFrame) -> pd.Series:
    """One category of the last store stops reporting three days before the end."""
    last_store, last_category = readings.store_location.max(), readings.category.iloc[-1]
    quiet: pd.Series = (
        (readings.store_location == last_store)
        & (readings.category == last_category)
        & (readings.event_date > readings.event_date.max() - pd.Timedelta(days=3))
    )
    return quiet


def _wrong_readings(readings: pd.DataFrame, random: np.random.Generator) -> list[dict[str, Any]]:
    """Spoil a few readings in place, some of them in the last three days; return what was done."""
    kinds = ["negative_stock", "zero_price", "unit_error_spike", "price_jump", "conflicting_reading"]
    recent = np.flatnonzero(readings.event_date >= readings.event_date.max() - pd.Timedelta(days=2))
    chosen = np.concatenate(
        [
            random.choice(len(readings), int(len(readings) * WRONG), replace=False),
            random.choice(recent, 5, replace=False),
        ]
    )
    wrong: list[dict[str, Any]] = []
    for index, row in enumerate(dict.fromkeys(chosen.tolist())):
        kind = kinds[index % len(kinds)]
        column = "price" if kind in {"zero_price", "price_jump"} else "quantity"
        original = readings.at[row, column].item()
        injected = {
            "negative_stock": -int(random.integers(1, 12)),
            "zero_price": 0.0,
            "unit_error_spike": max(original, 5) * 100,
            "price_jump": round(original * 10, 2),
            "conflicting_reading": original + int(random.integers(5, 40)),
        }[kind]
        if kind == "conflicting_reading":
            readings.loc[len(readings)] = readings.loc[row]
        spoiled = len(readings) - 1 if kind == "conflicting_reading" else row
        readings.at[spoiled, column] = injected
        wrong.append(
            {
                "kind": kind,
                **{name: readings.at[spoiled, name] for name in ("store_location", "category", "product_id")},
                "event_timestamp": f"{readings.at[spoiled, 'moment'].isoformat()}Z",
                "original": original,
                "injected": injected,
            }
        )
    return wrong


def _malformed(lines: list[bytes]) -> list[bytes]:
    """Messages that are no readings: cut short, mistyped, without a field, dated 2999, not UTF-8."""
    event = msgspec.json.decode(lines[0])
    broken: list[bytes] = [lines[0][:-20], b"not json", lines[0].replace(b"P0", b"\xffP")]
    for change in (
        {"quantity": "many"},
        {"price": "free"},
        {"event_timestamp": "yesterday"},
        {"event_timestamp": "2999-01-01T00:00:00Z"},
    ):
        broken.append(msgspec.json.encode({**event, **change}))
    broken += [msgspec.json.encode({key: value for key, value in event.items() if key != field}) for field in event]
    return broken
