"""Continuous features against worked numbers, and against all accepted readings computed at once."""

from __future__ import annotations

import random
import shutil
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ingest.refining.features import WATERMARK, WINDOW, update_features
from ingest.refining.raw import batch_folder, batch_ids

NOON = datetime(2026, 6, 30, 12, tzinfo=UTC)


class Row(NamedTuple):
    store: str
    product: str
    category: str
    timestamp: datetime
    quantity: int
    price: float | None


class Feature(NamedTuple):
    reading_count: int = 0
    units_out: int = 0
    units_in: int = 0
    restock_count: int = 0
    price_change_count: int = 0
    late_count: int = 0


Features = dict[tuple[str, str, datetime], Feature]


def at(
    minutes: float, product: str, quantity: int, price: float | None = 1.0, store: str = "A", category: str = "Toys"
) -> Row:
    return Row(store, product, category, NOON + timedelta(minutes=minutes), quantity, price)


def write_readings(raw: Path, batch_id: int, rows: Sequence[Row], arrived: int) -> None:
    """A batch as refinement leaves it; `arrived` counts what came before it, for the order of arrival."""
    timestamp = pa.timestamp("us", tz="UTC")
    folder = batch_folder(raw / "readings", batch_id) / "event_month=any"
    folder.mkdir(parents=True)
    count = len(rows)
    table = pa.table(
        {
            "store_location": pa.array([row.store for row in rows], pa.string()),
            "product_id": pa.array([row.product for row in rows], pa.string()),
            "event_timestamp": pa.array([row.timestamp for row in rows], timestamp),
            "category": pa.array([row.category for row in rows], pa.string()),
            "quantity": pa.array([row.quantity for row in rows], pa.int64()),
            "price": pa.array([row.price for row in rows], pa.float64()),
            "extra": pa.array([None] * count, pa.string()),
            "publish_time": pa.array([NOON] * count, timestamp),
            "topic": pa.array(["events"] * count, pa.string()),
            "partition": pa.array([0] * count, pa.int32()),
            "ledger_id": pa.array([1] * count, pa.int64()),
            "entry_id": pa.array(range(arrived, arrived + count), pa.int64()),
            "batch_index": pa.array([-1] * count, pa.int32()),
            "batch_id": pa.array([batch_id] * count, pa.int64()),
        }
    )
    pq.write_table(table, folder / "part.parquet")


def features(raw: Path) -> Features:
    """The features as the staging model gives them: summed per window."""
    found = duckdb.sql(
        "select store_location, category, epoch_us(window_end), sum(reading_count)::int, sum(units_out)::int, "
        "sum(units_in)::int, sum(restock_count)::int, sum(price_change_count)::int, sum(late_count)::int "
        f"from read_parquet('{raw}/features/batch-*/*.parquet') group by all"
    ).fetchall()
    return {
        (store, category, datetime.fromtimestamp(end / 1e6, UTC)): Feature(*measures)
        for store, category, end, *measures in found
    }


def follow(raw: Path, batches: Sequence[Sequence[Row]]) -> Features:
    arrived = 0
    for batch_id, rows in enumerate(batches):
        write_readings(raw, batch_id, rows, arrived)
        arrived += len(rows)
        update_features(raw)
    return features(raw)


def test_worked_numbers(tmp_path):
    found = follow(
        tmp_path,
        [
            [at(1, "P1", 100), at(2, "P1", 90), at(5, "P1", 70, 1.5), at(3, "P2", -4, None)],  # nothing is closed yet
            # P1: delivered, price unknown; P2: from below nothing to 6, price known; B keeps its own time
            [at(6, "P1", 120, None), at(8, "P1", 110, 1.5), at(7, "P2", 6, 2.0), at(0, "P9", 3, store="B")],
            [at(75, "P1", 108, 1.25)],  # closes all windows up to 13:15 less an hour
            # 12:04 is closed and late; 12:16 is not; B is an hour behind and not late
            [at(4, "P1", 80), at(16, "P2", 1, 2.0), at(15, "P2", 2, 2.0), at(70, "P9", 1, store="B")],
            [at(90, "P1", 100, 1.25)],
        ],
    )
    end = NOON + timedelta(minutes=5)
    assert found == {
        ("A", "Toys", end): Feature(reading_count=4, units_out=30, price_change_count=1, late_count=1),
        ("A", "Toys", end + WINDOW): Feature(reading_count=3, units_out=10, units_in=56, restock_count=2),
        ("A", "Toys", end + 2 * WINDOW): Feature(late_count=1),
        ("A", "Toys", end + 3 * WINDOW): Feature(reading_count=1, units_out=5),
        ("B", "Toys", NOON): Feature(reading_count=1),
    }


def recomputed(batches: Sequence[Sequence[Row]]) -> Features:
    """The definitions in plain Python: who is late, then all others at once, in the order of their timestamps."""
    newest: dict[str, datetime] = {}
    closed: dict[str, datetime] = {}
    accepted: dict[tuple[str, str, datetime], Row] = {}
    late: Counter[tuple[str, str, datetime]] = Counter()

    def window_end(timestamp: datetime) -> datetime:
        return timestamp + (datetime.min.replace(tzinfo=UTC) - timestamp) % WINDOW

    for batch in batches:
        for row in batch:
            if row.store in closed and row.timestamp <= closed[row.store]:
                late[row.store, row.category, window_end(row.timestamp)] += 1
            else:
                accepted[row.store, row.product, row.timestamp] = row  # the later arrival holds
                newest[row.store] = max(row.timestamp, newest.get(row.store, row.timestamp))
        for store, timestamp in newest.items():
            reached = timestamp - WATERMARK
            closed[store] = reached - (reached - datetime.min.replace(tzinfo=UTC)) % WINDOW

    counted: dict[tuple[str, str, datetime], list[int]] = defaultdict(lambda: [0] * 6)
    levels: dict[tuple[str, str], int] = {}
    prices: dict[tuple[str, str], float] = {}
    for (store, product, timestamp), row in sorted(accepted.items()):
        if timestamp > closed[store]:
            continue
        level, key = max(row.quantity, 0), (store, product)
        units = level - levels.get(key, level)
        is_new_price = row.price is not None and prices.get(key, row.price) != row.price
        levels[key] = level
        prices |= {} if row.price is None else {key: row.price}
        counts = counted[store, row.category, window_end(timestamp)]
        for place, amount in enumerate((1, max(-units, 0), max(units, 0), units > 0, is_new_price)):
            counts[place] += amount
    for place, count in late.items():
        counted[place][5] += count
    return {place: Feature(*map(int, counts)) for place, counts in counted.items()}


@pytest.mark.parametrize("seed", range(20))
def test_in_any_order_the_closed_windows_are_those_of_all_accepted_readings(tmp_path, seed):
    chance = random.Random(seed)
    rows = {
        (row.store, row.product, row.timestamp, row.quantity, row.price): row
        for row in (
            at(
                chance.randrange(0, 60 * 60 * 6, 30) / 60,
                f"P{chance.randint(1, 4)}",
                chance.choice([-3, 0, 5, 9, 14, 60]),
                chance.choice([None, 1.0, 1.0, 1.25]),
                chance.choice("AB"),
                chance.choice(["Toys", "Home"]),
            )
            for _ in range(600)
        )
    }
    arrival = [
        (row.timestamp + timedelta(minutes=chance.choice([0, 0, 10, 45, 200])), chance.random(), row)
        for row in rows.values()
    ]
    in_arrival_order = [row for *_, row in sorted(arrival)]
    cuts = sorted(chance.sample(range(1, len(in_arrival_order)), 4))
    batches = [in_arrival_order[start:end] for start, end in zip([0, *cuts], [*cuts, None], strict=True)]
    chance.shuffle(batches[2])
    found = follow(tmp_path, batches)
    assert found == recomputed(batches)
    assert sum(feature.late_count for feature in found.values()) > 0
    assert sum(feature.restock_count for feature in found.values()) > 0


def test_what_a_killed_run_left_is_taken_up(tmp_path):
    """Every state that a kill can leave: nothing, the state alone, and older states that are not removed yet."""
    batches = [
        [at(minute, "P1", 500 - minute, 1.0) for minute in range(0, 60, 2)],
        [at(minute, "P1", 500 - minute, 1.0) for minute in range(60, 120, 2)],
        [at(minute, "P1", 500 - minute, 1.0) for minute in range(1, 200, 2)],
    ]
    whole = follow(tmp_path / "whole", batches)
    raw = tmp_path / "killed"
    arrived = 0
    for batch_id, rows in enumerate(batches):
        write_readings(raw, batch_id, rows, arrived)
        arrived += len(rows)
        kept = tmp_path / f"states-{batch_id}"
        if batch_id:
            shutil.copytree(raw / "features_state", kept)
        update_features(raw)
        if batch_id:
            shutil.rmtree(batch_folder(raw / "features", batch_id))
            shutil.copytree(kept, raw / "features_state", dirs_exist_ok=True)
            assert batch_ids(raw / "features_state") == {batch_id - 1, batch_id}
            update_features(raw)
    assert batch_ids(raw / "features_state") == {2}
    assert features(raw) == whole
    # and readings that were there before there were features
    shutil.rmtree(raw / "features")
    shutil.rmtree(raw / "features_state")
    update_features(raw)
    assert features(raw) == whole
