from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from ingest.events import Reading, decode
from ingest.simulation.generate_data import PROFILES, command, simulate


@pytest.fixture(scope="module")
def world() -> pd.DataFrame:
    return simulate(PROFILES["tiny"], seed=3, end=date(2026, 6, 30))


def test_stock_balances_day_by_day(world):
    for _, product in world.groupby(["store_location", "product_id"]):
        opening = product.level.iloc[0] + product.sales.iloc[0] - product.receipts.iloc[0]
        assert ((opening + product.receipts.cumsum() - product.sales.cumsum()) == product.level).all()
        assert (product.level >= 0).all()
    assert (world.sales + world.lost_sales == world.demand).all()


def test_promotions_are_cheaper_and_sell_more(world):
    promoted, usual = world[world.promotion], world[~world.promotion]
    assert promoted.demand.mean() > 1.2 * usual.demand.mean()


def generate(out: Path, *options: str):
    return CliRunner().invoke(command, ["--profile", "tiny", "--end", "2026-06-30", "--out", str(out), *options])


def test_same_seed_same_bytes_and_another_seed_others(tmp_path):
    first, second, third = (tmp_path / name for name in ("a.ndjson", "b.ndjson", "c.ndjson"))
    for out, seed in ((first, "5"), (second, "5"), (third, "6")):
        assert generate(out, "--seed", seed).exit_code == 0
    assert first.read_bytes() == second.read_bytes()
    assert first.read_bytes() != third.read_bytes()


def test_wrong_readings_are_in_the_truth_and_in_the_events(tmp_path):
    out = tmp_path / "e.ndjson"
    generate(out)
    now = pd.Timestamp("2026-06-30", tz="UTC").to_pydatetime()
    readings = [decode(line, now) for line in out.read_bytes().splitlines()]
    good = {
        (row.store_location, row.product_id, row.event_timestamp, value)
        for row in readings
        if isinstance(row, Reading)
        for value in (row.quantity, row.price)
    }
    truth = pd.read_csv(tmp_path / "e.truth" / "anomalies.csv", parse_dates=["event_timestamp"])
    assert len(truth) >= 5
    for row in truth.itertuples():
        assert (row.store_location, row.product_id, row.event_timestamp.to_pydatetime(), row.injected) in good
    assert sum(not isinstance(row, Reading) for row in readings) == 13


def test_an_existing_file_is_kept_without_force(tmp_path):
    out = tmp_path / "e.ndjson"
    out.write_text("mine")
    result = generate(out)
    assert result.exit_code == 1
    assert "--force" in result.output
    assert out.read_text() == "mine"
    assert generate(out, "--force").exit_code == 0
