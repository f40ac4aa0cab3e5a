"""The tables against the definitions: random events, in any order and doubled, and every row of `metrics`."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from ingest.refining.features import update_features
from ingest.sql import quoted

from .dbt.project import Project, Tables, take_fits
from .oracle import Event, Metrics, accepted_readings, metrics
from .suspects import suspect_prices, suspects

DAY = timedelta(days=1)
SERVED = ["inventory", "metrics", "anomalies", "daily_stock", "current_stock"]


def random_events(seed: int, stores: Sequence[str] = ("Store_A", "Store_B")) -> list[Event]:
    """Readings of stores over seven weeks: sales, refills, gaps, spikes, shelves and stores that read 0 for a
    while, fresh goods, barcodes for quantities and prices, devices stuck at a number far too high, negative levels,
    unknown prices, moved categories; on whole hours and between them, seldom, often and within one second."""
    chance = random.Random(seed)
    events = []
    for store in stores:
        closed = [timedelta(days=7 * week + chance.randint(0, 2), hours=chance.randint(0, 23)) for week in range(8)]
        for product in range(5):
            category, level, price = chance.choice("XYZ"), chance.randint(0, 200), chance.randint(100, 5000)
            timestamp = datetime(2026, 1, 1) + timedelta(minutes=chance.randint(0, 20_000))
            steps = chance.choice([[1, 60, 3600, 20_000, 90_000, 200_000], [3600, 20_000, 40_000], [43_200]])
            delivered = chance.choice([None, None, 60])
            stuck_until = stuck_price_until = timestamp
            while timestamp < datetime(2026, 2, 20):
                price = chance.randint(100, 5000) if chance.random() < 0.05 else price
                category = chance.choice("XYZ") if chance.random() < 0.02 else category
                level = max(level + chance.choice([0, -1, -5, -20, 60]), 0)
                if delivered:  # fresh goods, sold out by the next reading
                    level = delivered - level if level in (0, delivered) else delivered
                is_closed = any(timedelta() <= timestamp - datetime(2026, 1, 1) - start < 2 * DAY for start in closed)
                usual = 0 if is_closed else level
                read = chance.choices([usual, level * 12, level * 100, 0, -3, 4_006_381_333_931], [92, 2, 2, 2, 1, 1])[
                    0
                ]
                known = chance.choices([f"{price / 100:.2f}", None, "999999999.99"], [94, 5, 1])[0]
                if chance.random() < 0.01:
                    stuck_until = timestamp + timedelta(days=chance.randint(0, 8))
                if chance.random() < 0.01:
                    stuck_price_until = timestamp + timedelta(days=chance.randint(0, 8))
                read = 94_011 if timestamp <= stuck_until else read
                known = "39900.00" if timestamp <= stuck_price_until else known
                events.append(Event(store, f"P{product}", category, read, known, timestamp))
                if read < 0:  # a faulty device reports again within the second
                    events.append(
                        Event(store, f"P{product}", category, read - 1, known, timestamp + timedelta(seconds=0.4))
                    )
                timestamp += timedelta(seconds=chance.choice(steps))
                if chance.random() < 0.2:
                    timestamp = timestamp.replace(minute=0, second=0) + timedelta(hours=1)
    return events


def write_raw(data_dir: Path, events: list[Event], *, batch_id: int = 0, entries: list[int] | None = None) -> None:
    """A batch of raw and landed Parquet as the intake leaves it, without the cost of Spark.

    `entries` are the events' places in the order of arrival, where they do not stand in it.
    """
    raw = data_dir / f"raw/readings/batch-{batch_id:06d}/event_month=any"
    landed = data_dir / f"landing/publish_date=2026-12-01/events-{batch_id}.parquet"
    for folder in (raw, landed.parent, data_dir / "warehouse"):
        folder.mkdir(parents=True, exist_ok=True)
    rows = [
        (entry, event.store_location, event.product_id, event.category, event.quantity, event.price, event.timestamp)
        for entry, event in zip(entries or range(len(events)), events, strict=True)
    ]
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute(
            "create table events (entry_id bigint, store_location text, product_id text, category text, "
            "quantity bigint, price double, event_timestamp timestamptz)"
        )
        connection.executemany("insert into events values (?, ?, ?, ?, ?, ?, ?)", rows)
        connection.execute(
            f"""
            copy (
                select
                    'events' as topic, 0 as partition, 1::bigint as ledger_id, entry_id, -1 as batch_index,
                    timestamptz '2026-12-01 00:00:00+00' as publish_time, product_id, category, store_location,
                    quantity, price, event_timestamp, null::varchar as extra, null::varchar as error, null::blob as raw
                from events
            ) to '{quoted(landed)}'
            """
        )
        connection.execute(
            f"""
            copy (select * exclude (error, raw), {batch_id}::bigint as batch_id from '{quoted(landed)}')
            to '{quoted(raw)}/part.parquet'
            """
        )
    update_features(data_dir / "raw")


def build(project: Project, *variables: str) -> Tables:
    """Build the SQL tables and return their rows, sorted."""
    selection = ["--resource-type", "model", "--resource-type", "seed", "--select"]
    selection += [f"+serving.*.{name}" for name in SERVED]
    project.build(*selection, *variables, steps="build", with_seeds=False)
    with duckdb.connect(str(project.data_dir / "warehouse/inventory.duckdb"), read_only=True) as connection:
        return {name: connection.execute(f"select * from {name} order by all").fetchall() for name in SERVED}


def test_every_row_of_metrics_is_what_the_definitions_say_in_any_order_and_doubled(tmp_path):
    # stores know nothing of each other: six in one build test as much as two in each of three
    events = random_events(2, [f"Store_{letter}" for letter in "ABCDEF"])
    chance = random.Random(2)
    # two different readings for one timestamp have no order of their own: the later arrival wins, so they are left out
    events = list({(event.store_location, event.product_id, event.timestamp): event for event in events}.values())
    shuffled = events + chance.sample(events, len(events) // 2)
    chance.shuffle(shuffled)
    write_raw(tmp_path / "plain", events)
    plain = build(Project(tmp_path / "plain"))
    # half of the shuffled events in a build of its own; none of them is to wait for a backfill
    half, patience = len(shuffled) // 2, ("--vars", "late_after: 100 days")
    project = Project(tmp_path / "shuffled")
    write_raw(project.data_dir, shuffled[:half])
    build(project, *patience)
    take_fits(tmp_path / "plain", project.data_dir)
    write_raw(project.data_dir, shuffled[half:], batch_id=1, entries=list(range(half, len(shuffled))))
    doubled = build(project, *patience)
    for table in SERVED:
        assert plain[table] == doubled[table], table

    with duckdb.connect(str(tmp_path / "plain/warehouse/inventory.duckdb"), read_only=True) as connection:
        left_out = connection.execute(
            "select store_location, product_id, event_timestamp, reason, usual_level from int_suspect_readings"
        ).fetchall()
        not_priced = connection.execute(
            "select store_location, product_id, event_timestamp from int_suspect_prices"
        ).fetchall()
    assert {row[:3] for row in left_out} == {
        (event.store_location, event.product_id, event.timestamp) for event in suspects(accepted_readings(events))
    }
    assert {row[3] for row in left_out} >= {"closed store", "out of range", "spike"}
    assert any(row[4] is not None for row in left_out)
    assert not_priced
    assert set(not_priced) == {
        (event.store_location, event.product_id, event.timestamp) for event in suspect_prices(accepted_readings(events))
    }

    assert_metrics_are(plain["metrics"], metrics(events))


def assert_metrics_are(rows: list[tuple[object, ...]], expected: Metrics) -> None:
    assert len(rows) == len(expected)
    for store, category, total, price, value, turnover, end in rows:
        assert isinstance(end, datetime)
        wanted = expected[str(store), str(category), end]
        for measured, right in zip((total, price, value, turnover), wanted, strict=True):
            same = measured is right if right is None else measured == pytest.approx(right, rel=1e-6, abs=1e-6)
            assert same, (store, category, end, measured, right)


def test_of_conflicting_readings_the_later_arrival_counts(tmp_path):
    noon = datetime(2026, 1, 1, 12)
    first, second = (Event("Store_A", "P1", "X", quantity, "1.00", noon) for quantity in (5, 8))
    write_raw(tmp_path, [first, second, first])
    tables = build(Project(tmp_path))
    assert [row[2] for row in tables["metrics"]] == [8]
    assert [row[0] for row in tables["anomalies"] if "conflicting_reading" in str(row[0])] == [
        "P1 had 2 different readings for one timestamp; the later one is used (rule conflicting_reading)"
    ]
