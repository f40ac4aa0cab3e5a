"""What holds for all the served tables together: order and repeats change nothing, an earlier state can be rebuilt,
a published forecast stays."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from ml.forecasting import forecasters
from ml.registry import names_of
from tests.integration.dbt.project import WHOLE, Tables, build, served, take_fits
from tests.integration.oracle import Event
from tests.integration.test_metrics import random_events, write_raw

# counts of messages are what repeats are there to raise
COUNTS_MESSAGES = "pipeline_status"
# real times of builds
TIMES_BUILDS = "build_history"


def without_conflicts(events: list[Event]) -> list[Event]:
    """Of two readings for one timestamp the later arrival wins: an order that shuffling would change."""
    return list({(event.store_location, event.product_id, event.timestamp): event for event in events}.values())


@pytest.fixture(scope="module")
def events() -> list[Event]:
    return without_conflicts(random_events(11))


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory, events: list[Event]) -> Path:
    data_dir = tmp_path_factory.mktemp("full")
    write_raw(data_dir, events)
    build(data_dir, *WHOLE, steps="build", with_seeds=False)
    return data_dir


def test_no_served_table_depends_on_order_or_repeats(full: Path, events: list[Event], tmp_path: Path) -> None:
    chance = random.Random(11)
    arrivals = events + chance.sample(events, len(events) // 2)
    chance.shuffle(arrivals)
    write_raw(tmp_path, arrivals)
    take_fits(full, tmp_path)
    build(tmp_path)
    expected, found = served(full), served(tmp_path)
    assert len(expected["dashboard_notifications"]) > 2
    assert len(expected["ml_metrics"]) > 100
    for table in expected.keys() - {COUNTS_MESSAGES, TIMES_BUILDS}:
        assert found[table] == expected[table], table


def test_an_earlier_state_is_what_its_readings_alone_would_give(
    full: Path, events: list[Event], tmp_path: Path
) -> None:
    as_of = datetime(2026, 2, 1, 9, 30)
    tables = "+serving.*.metrics", "+serving.*.inventory", "+serving.*.anomalies", "+serving.*.current_stock"
    now, then = tmp_path / "now", tmp_path / "then"
    write_raw(now, events)
    write_raw(then, [event for event in events if event.timestamp <= as_of])
    build(now, "--vars", f"as_of: '{as_of}'", "--select", *tables)
    take_fits(now, then)
    build(then, "--vars", f"as_of: '{as_of}'", "--select", *tables)
    rebuilt, alone = _built(now), _built(then)
    assert rebuilt == alone
    assert max(row[-1] for row in rebuilt["metrics"]) == datetime(2026, 2, 1, 10)


def _built(data_dir: Path) -> Tables:
    names = ("metrics", "inventory", "anomalies", "current_stock")
    with duckdb.connect(str(data_dir / "warehouse/inventory.duckdb"), read_only=True) as connection:
        return {name: connection.execute(f"select * from {name} order by all").fetchall() for name in names}


def test_a_published_forecast_stays_and_gets_its_actuals(events: list[Event], tmp_path: Path) -> None:
    """Three days on, the forecasts of the first build stand unchanged, and their days since then have an actual. Only
    the newest cutoff is fitted."""
    newest = max(event.timestamp for event in events)
    cut = newest - timedelta(days=3)
    data_dir = tmp_path / "grown"
    known, later = (
        [event for event in events if event.timestamp <= cut],
        [event for event in events if event.timestamp > cut],
    )
    write_raw(data_dir, known)
    build(data_dir)
    before, fits = _forecasts(data_dir), set((data_dir / "forecast_cache").iterdir())
    write_raw(data_dir, later, batch_id=1, entries=list(range(len(known), len(events))))
    build(data_dir)
    after = _forecasts(data_dir)
    assert before.items() <= after.items()
    of_products = len({event.store_location for event in events})
    assert len({*(data_dir / "forecast_cache").iterdir()} - fits) == len(names_of(forecasters)) + of_products
    with duckdb.connect(str(data_dir / "warehouse/inventory.duckdb"), read_only=True) as connection:
        filled = connection.execute(
            "select count(*) from ml_metrics where actual_quantity is not null and forecast_timestamp > ?",
            [cut],
        ).fetchall()
    assert filled[0][0] > 0


def _forecasts(data_dir: Path) -> dict[tuple[object, ...], object]:
    with duckdb.connect(str(data_dir / "warehouse/inventory.duckdb"), read_only=True) as connection:
        rows = connection.execute(
            "select model_name, store_location, category, cutoff_date, event_date, predicted_quantity, lower_95, "
            "upper_95 from fct_forecasts"
        ).fetchall()
    return {row[:5]: row[5:] for row in rows}
