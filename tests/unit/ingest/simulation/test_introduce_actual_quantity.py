"""A replay of what happened after a forecast, with the orders that refilled the shelves."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from ingest.simulation import introduce_actual_quantity

HEADER = "order_id,product_id,store_location,quantity_ordered,ordered_at,expected_at,received_at,cancelled_at\n"
KNOWN = HEADER + "O1,P1,A,5,2026-06-28T22:00:00Z,2026-07-01T12:00:00Z,,\n"
ON_THE_LAST_MORNING = "O1,P1,A,5,2026-06-28T22:00:00Z,2026-07-01T12:00:00Z,2026-06-30T06:00:00Z,\n"
ON_THE_LAST_EVENING = "O2,P1,A,7,2026-06-30T22:00:00Z,2026-07-03T12:00:00Z,,\n"


@pytest.fixture
def replayed(tmp_path: Path) -> Path:
    """A data folder whose forecast of the level after 30 June is due, beside a truth that goes on."""
    truth = tmp_path / "events/demo.truth"
    truth.mkdir(parents=True)
    (truth / "orders.csv").write_text(KNOWN)
    (truth / "order_events.csv").write_text(KNOWN + ON_THE_LAST_MORNING + ON_THE_LAST_EVENING)
    day = {"event_date": date(2026, 6, 30), "store_location": "A", "category": "Toys", "product_id": "P1"}
    pq.write_table(pa.Table.from_pylist([day | {"level": 8, "price": 9.5}]), truth / "demand.parquet")
    (tmp_path / "export").mkdir()
    with closing(sqlite3.connect(tmp_path / "export/inventory_metrics.db")) as database:
        database.execute("create table ml_metrics (forecast_timestamp, store_location, category, actual_quantity)")
        database.execute("insert into ml_metrics values ('2026-07-01T00:00:00Z', 'A', 'Toys', null)")
        database.commit()
    return tmp_path


def replay(data_dir: Path) -> None:
    result = CliRunner().invoke(
        introduce_actual_quantity.command, ["--until", "2026-07-01", "--data-dir", str(data_dir)]
    )
    assert result.exit_code == 0, result.output


def test_orders_go_on_to_the_evening_of_the_last_day(replayed):
    (replayed / "orders.csv").write_text(KNOWN)
    replay(replayed)
    assert (replayed / "orders.csv").read_text() == KNOWN + ON_THE_LAST_MORNING
    # removing the demo removes the file, since it is still the truth's
    assert (replayed / "events/demo.truth/orders.csv").read_text() == KNOWN + ON_THE_LAST_MORNING


def test_a_shops_own_orders_stay(replayed):
    (replayed / "orders.csv").write_text(HEADER)
    replay(replayed)
    assert (replayed / "orders.csv").read_text() == HEADER


def test_a_truth_of_an_earlier_version_has_no_orders_to_add(replayed):
    (replayed / "events/demo.truth/order_events.csv").unlink()
    replay(replayed)
    assert not (replayed / "orders.csv").exists()
