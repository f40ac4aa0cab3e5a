"""Generated data through the project: forecasts get the actuals that the truth holds, and no others."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pandas as pd
import pytest
from click.testing import CliRunner, Result

from ingest import load
from ingest.refining.features import update_features
from ingest.refining.raw import batch_folder
from ingest.simulation import introduce_actual_quantity
from ingest.simulation.catalogue import Profile
from ingest.simulation.generate_data import generate
from ingest.simulation.store import LONGEST_LEAD
from publish import export
from tests.integration.dbt.project import WHOLE, build

END = date(2025, 6, 30)


def publish(data_dir: Path, events: Path) -> None:
    """Land a file of events, build and export, with raw Parquet as Spark leaves it."""
    landed = CliRunner().invoke(load.command, ["--source", str(events), "--data-dir", str(data_dir)])
    assert landed.exit_code == 0, landed.output
    batch_id = len(list(data_dir.glob("raw/readings/batch-*")))
    raw = batch_folder(data_dir / "raw/readings", batch_id) / "event_month=any"
    raw.mkdir(parents=True)
    (data_dir / "warehouse").mkdir(exist_ok=True)
    with duckdb.connect() as connection:
        connection.execute(
            f"copy (select * exclude (error, raw), {batch_id}::bigint as batch_id "
            f"from read_parquet('{data_dir}/landing/*/*.parquet', hive_partitioning = false) "
            f"where error is null and topic = '{events.name}') to '{raw}/part.parquet'"
        )
    update_features(data_dir / "raw")
    build(data_dir, *WHOLE, steps="build", with_seeds=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DBT_TARGET_PATH", str(data_dir / "dbt"))
        exported = CliRunner().invoke(export.command, ["--data-dir", str(data_dir)])
    assert exported.exit_code == 0, exported.output


def forecasts(data_dir: Path) -> pd.DataFrame:
    with closing(sqlite3.connect(data_dir / "export/inventory_metrics.db")) as database:
        return pd.read_sql("select * from ml_metrics", database)


def replay(data_dir: Path, *options: str) -> Result:
    truth = data_dir / "events/world.truth"
    return CliRunner().invoke(
        introduce_actual_quantity.command, ["--data-dir", str(data_dir), "--truth", str(truth), *options]
    )


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data_dir = tmp_path_factory.mktemp("published")
    events = data_dir / "events/world.ndjson"
    generate(Profile(stores=2, categories=2, products=4, days=120), 3, END, events)
    publish(data_dir, events)
    return data_dir


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--until", "2999-01-01"], "still to come"),
        (["--until", "2025-07-05", "--truth", "elsewhere"], "--truth"),
        (["--until", "2025-07-05", "--forecasts", "elsewhere.db"], "make pipeline"),
        (["--until", "2025-07-05", "--out", "actuals.csv"], ".ndjson"),
    ],
)
def test_nonsense_is_refused(published, options, message):
    result = replay(published, *options)
    assert result.exit_code == 1
    assert message in result.output
    assert not list((published / "events").glob("*actuals*"))


def test_a_truth_of_other_events_is_refused(published, tmp_path):
    generate(Profile(stores=1, categories=2, products=4, days=120), 3, END, tmp_path / "other.ndjson")
    result = replay(published, "--until", "2025-07-05", "--truth", str(tmp_path / "other.truth"))
    assert result.exit_code == 1
    assert "Store_B" in result.output


def test_each_forecast_that_is_due_gets_its_actual_and_no_other_does(published):
    until = END + timedelta(days=9)
    clock = f"{until}T00:00:00Z"
    before = forecasts(published)
    assert before["forecast_timestamp"].max() > clock

    truth_orders, used_orders = published / "events/world.truth/orders.csv", published / "orders.csv"
    shutil.copy(truth_orders, used_orders)
    result = replay(published, "--until", clock)
    assert result.exit_code == 0, result.output
    assert used_orders.read_text() == truth_orders.read_text()
    assert "--force" in replay(published, "--until", clock).output
    (actuals,) = (published / "events").glob("world.actuals-*.ndjson")
    publish(published, actuals)

    after = forecasts(published)
    is_due = after["forecast_timestamp"] <= clock
    assert is_due.sum() > before["actual_quantity"].notna().sum() > 0
    assert after.loc[is_due, "actual_quantity"].notna().all()
    assert after.loc[~is_due, "actual_quantity"].isna().all()
    assert (~is_due).sum() > 0

    truth = pd.read_parquet(published / "events/world.truth/demand.parquet")
    levels = truth.groupby(["store_location", "category", "event_date"], observed=True)["level"].sum()
    filled = after[is_due & (after["forecast_timestamp"] > f"{END}T00:00:00Z")]
    for row in filled.itertuples():
        day = date.fromisoformat(row.forecast_timestamp[:10]) - timedelta(days=1)
        assert row.actual_quantity == levels[row.store_location, row.category, day]
    with duckdb.connect() as connection:
        ((simulated, others),) = connection.execute(
            f"select count(*) filter (extra = '{{\"simulated\":true}}'), count(*) filter (extra is not null) "
            f"from '{published}/raw/readings/*/*/*.parquet'"
        ).fetchall()
    assert simulated == others == sum(1 for _ in actuals.open())

    # the replay knows the orders that refilled the shelves: none has been due for longer than the longest lead time
    with duckdb.connect(str(published / "warehouse/inventory.duckdb"), read_only=True) as connection:
        ((last_order, oldest_open),) = connection.execute(
            "select max(ordered_at), min(ordered_at) filter (is_open) from int_order_lines"
        ).fetchall()
    assert END < last_order.date() < until - timedelta(days=1)
    assert oldest_open.date() >= until - timedelta(days=2 + LONGEST_LEAD)

    assert "has its actual already" in replay(published, "--until", clock).output
