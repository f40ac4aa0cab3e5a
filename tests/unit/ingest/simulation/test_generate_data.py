"""Generated stores behave like stores, and the same seed gives the same bytes whoever plays them."""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import csv

from ingest.events import Reading, decode
from ingest.landing.files.messages import read_file
from ingest.simulation import catalogue
from ingest.simulation.catalogue import AFTER_CLOSING, FOUR_PER_DAY, HELD_OUT_DAYS, PROFILES, Profile, make_catalogue
from ingest.simulation.generate_data import command, generate
from ingest.simulation.store import MISSING

END = date(2026, 2, 20)
SMALL = Profile(stores=3, categories=2, products=5, days=60)


def digests(out: Path) -> dict[str, str]:
    """The bytes of an events file and of its truth."""
    files = [out, *sorted(out.with_suffix(".truth").iterdir())]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("world") / "world.parquet"
    generate(Profile(stores=2, categories=5, products=12, days=370), seed=3, end=END, out=out)
    return out


@pytest.fixture(scope="module")
def demand(events: Path) -> pd.DataFrame:
    return pd.read_parquet(events.with_suffix(".truth") / "demand.parquet")


@settings(max_examples=2)
@given(
    seed=st.integers(0, 2**63 - 1),
    stores=st.integers(3, 5),
    days=st.integers(31, 75),
    ending=st.sampled_from([".ndjson", ".csv", ".parquet"]),
    counts=st.sampled_from([(AFTER_CLOSING,), FOUR_PER_DAY]),
)
def test_the_seed_alone_decides_the_bytes(tmp_path_factory, seed, stores, days, ending, counts):
    profile = Profile(stores, categories=2, products=4, days=days, counts=counts)
    found = []
    for start, workers in ((seed, 1), (seed, 2), (seed, 3), ((seed + 1) % 2**63, 1)):
        out = tmp_path_factory.mktemp("workers") / f"events{ending}"
        generate(profile, start, END, out, workers)
        found.append(digests(out))
    assert found[0] == found[1] == found[2]
    assert all(found[0][name] != found[3][name] for name in (f"events{ending}", "demand.parquet"))


@settings(max_examples=10)
@given(seed=st.integers(0, 2**63 - 1), stores=st.integers(1, 3), days=st.integers(31, 90))
def test_stock_balances_day_by_day(tmp_path_factory, seed, stores, days):
    out = tmp_path_factory.mktemp("balance") / "events.parquet"
    generate(Profile(stores, categories=3, products=6, days=days), seed, END, out)
    world = pd.read_parquet(out.with_suffix(".truth") / "demand.parquet")
    assert world["event_date"].nunique() == days + HELD_OUT_DAYS
    assert (world[["demand", "sales", "lost_sales", "receipts", "level"]] >= 0).all().all()
    assert (world["sales"] + world["lost_sales"] == world["demand"]).all()
    assert (world.loc[world["lost_sales"] > 0, "level"] == 0).all()
    for _, product in world.groupby(["store_location", "product_id"], observed=True):
        flow = (product["receipts"] - product["sales"]).cumsum()
        assert (product["level"] - flow).nunique() == 1


def test_readings_are_the_levels_of_the_truth(events, demand):
    readings = pd.read_parquet(events)
    readings["event_date"] = readings["event_timestamp"].dt.date
    evening = readings[readings["event_timestamp"].dt.hour >= 20].merge(
        demand, on=["event_date", "store_location", "product_id"], validate="many_to_one"
    )
    assert len(evening) > 0.97 * len(demand) * 370 / (370 + HELD_OUT_DAYS)
    assert (evening["quantity"] == evening["level"]).all()
    assert (evening["price_x"] == evening["price_y"]).all()
    assert readings["event_timestamp"].max() < pd.Timestamp(END, tz="UTC")


def test_counts_within_a_day_lie_between_opening_and_closing(tmp_path):
    out = tmp_path / "events.parquet"
    generate(Profile(2, 2, 5, 40, counts=FOUR_PER_DAY), 5, END, out)
    demand = pd.read_parquet(out.with_suffix(".truth") / "demand.parquet")
    readings = pd.read_parquet(out)
    readings["event_date"] = readings["event_timestamp"].dt.date
    together = readings.merge(demand, on=["event_date", "store_location", "product_id"])
    assert (together["quantity"] >= together["level"]).all()
    assert (together["quantity"] <= together["level"] + together["sales"]).all()
    together = together.drop_duplicates(["store_location", "product_id", "event_timestamp"])
    in_turn = together.sort_values("event_timestamp").groupby(
        ["store_location", "product_id", "event_date"], observed=True
    )
    assert (in_turn["quantity"].diff().dropna() <= 0).all()
    assert in_turn.size().median() == 4


def test_late_repeated_and_missing_events_are_few_and_in_arrival_order(events, demand):
    readings = pd.read_parquet(events)
    keys = ["store_location", "product_id", "event_timestamp"]
    repeated = readings.duplicated(keys).mean()
    assert 0.003 < repeated < 0.008
    late = (readings["event_timestamp"].cummax() - readings["event_timestamp"]) > pd.Timedelta(hours=1)
    assert 0.003 < late.mean() < 0.02
    past = demand[demand["event_date"] < END]
    expected = len(past) + (past["receipts"] > 0).sum()
    assert 0.005 < 1 - len(readings.drop_duplicates(keys)) / expected < 0.015


def test_orders_are_those_by_which_the_stores_were_refilled(events, demand):
    truth = events.with_suffix(".truth")
    orders = pd.read_csv(truth / "orders.csv", parse_dates=["ordered_at", "expected_at", "received_at"])
    last_evening = pd.Timestamp(END) - pd.Timedelta(days=1)
    assert orders["ordered_at"].dt.tz_localize(None).max() < last_evening
    events_in_turn = orders[["ordered_at", "received_at"]].max(axis=1)
    assert events_in_turn.is_monotonic_increasing

    known, later = (truth / "orders.csv").read_text(), (truth / "order_events.csv").read_text()
    assert later.startswith(known)

    # whatever was ordered before the first evening of the file has come after the longest lead time
    orders = pd.read_csv(truth / "order_events.csv", parse_dates=["ordered_at", "expected_at", "received_at"])
    received = orders.dropna(subset=["received_at"])
    day = received["received_at"].dt.date
    complete_from = orders["ordered_at"].dt.date.min() + pd.Timedelta(days=10)
    refilled = received.groupby(["store_location", "product_id", day])["quantity_ordered"].sum()
    refills = demand[(demand["event_date"] >= complete_from) & (demand["receipts"] > 0)]
    assert refills["event_date"].max() >= END
    expected = refills.astype({"store_location": str, "product_id": str}).set_index(
        ["store_location", "product_id", "event_date"]
    )["receipts"]
    assert len(expected) > 0
    assert (refilled.reindex(expected.index) == expected).all()
    late = orders["received_at"].dt.normalize() > orders["expected_at"].dt.normalize()
    assert 0 < late.sum() < 0.1 * len(orders)

    products = pd.read_csv(truth / "products.csv")
    assert (products["unit_cost"] > 0).all()
    assert products["name"].notna().all()


def test_the_world_has_weeks_seasons_promotions_and_lives(events, demand):
    daily = demand.groupby("event_date")["demand"].sum()
    weekday = pd.to_datetime(daily.index).dayofweek
    assert daily[weekday == 5].mean() > 1.4 * daily[weekday == 1].mean()
    closed = daily[[day for day in daily.index if (day.month, day.day) in catalogue.CLOSING_DAYS]]
    assert len(closed) == 2
    assert (closed == 0).all()

    products = make_catalogue(Profile(2, 5, 12, 370), 3, END)
    established = demand[demand["product_id"].isin(np.array(products.product_ids)[products.launch == 0])]
    month = pd.to_datetime(established["event_date"]).dt.month
    toys, home = (established["category"] == name for name in ("Toys", "Home"))
    assert established[toys & (month == 12)]["demand"].mean() > 1.4 * established[toys & (month == 6)]["demand"].mean()
    assert established[home & (month == 4)]["demand"].mean() > 1.4 * established[home & (month == 11)]["demand"].mean()

    truth = events.with_suffix(".truth")
    promotions = csv.read_csv(truth / "promotions.csv").to_pandas()
    for row in promotions.head(20).itertuples():
        days = demand[
            (demand["product_id"] == row.product_id) & demand["event_date"].between(row.start_date, row.end_date)
        ]
        assert days["promotion"].all()
    ratio = [
        product.loc[product["promotion"], "demand"].mean() / product.loc[~product["promotion"], "demand"].mean()
        for _, product in demand.groupby(["store_location", "product_id"], observed=True)
    ]
    assert 1.6 < np.nanmedian(ratio) < 2.0

    lives = pq.read_table(truth / "products.parquet").to_pandas().set_index("product_id")
    first_seen = demand.groupby("product_id", observed=True)["event_date"].min()
    launched = lives["launch_date"].dropna()
    assert len(launched) > 0
    assert (first_seen[launched.index] == launched).all()
    ended = lives["end_of_life_date"].dropna()
    assert len(ended) > 0
    for product, day in ended.items():
        after = demand[(demand["product_id"] == product) & (demand["event_date"] > day + pd.Timedelta(days=10))]
        assert after["receipts"].sum() == 0
        assert after["lost_sales"].sum() == 0


def run(out: Path, *options: str) -> Result:
    return CliRunner().invoke(command, ["--profile", "tiny", "--end", "2026-06-30", "--out", str(out), *options])


def test_the_tiny_profile_has_malformed_messages_and_labelled_anomalies(tmp_path):
    out = tmp_path / "tiny.ndjson"
    assert run(out).exit_code == 0
    now = datetime(2026, 6, 30, tzinfo=UTC)
    readings = [decode(line.message, now) for line in read_file(out)]
    assert sum(not isinstance(reading, Reading) for reading in readings) == 13
    labelled = pd.read_csv(tmp_path / "tiny.truth" / "anomalies.csv", parse_dates=["start"])
    recent = labelled[labelled["start"] >= pd.Timestamp("2026-06-27", tz="UTC")]
    assert {"missing_block", "negative", "price_zero", "unit_error", "price_jump", "conflicting"} <= set(recent["kind"])


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_every_format_holds_the_same_readings(tmp_path, ending):
    for name in (f"same{ending}", "same.ndjson"):
        generate(SMALL, 11, END, tmp_path / name)
    now = datetime(2026, 6, 30, tzinfo=UTC)
    first, second = (
        [decode(line.message, now) for line in read_file(tmp_path / name)] for name in (f"same{ending}", "same.ndjson")
    )
    assert first == second
    assert len(first) > 1000


def test_an_existing_file_is_kept_without_force(tmp_path):
    out = tmp_path / "e.ndjson"
    out.write_text("mine")
    result = run(out)
    assert result.exit_code == 1
    assert "--force" in result.output
    assert out.read_text() == "mine"
    assert run(out, "--force").exit_code == 0
    other_format = run(out.with_suffix(".csv"))
    assert other_format.exit_code == 1
    assert "e.truth exists" in other_format.output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--profile", "huge"], "'tiny', 'demo', '100m'"),
        (["--seed", "-1"], "0<=x<="),
        (["--workers", "0"], "x>=1"),
        (["--out", "events.txt"], ".ndjson, .csv, .parquet"),
    ],
)
def test_nonsense_is_refused_with_what_exists(tmp_path, monkeypatch, options, message):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(command, options)
    assert result.exit_code != 0
    assert message in result.output
    assert list(tmp_path.iterdir()) == []


def test_the_largest_profile_has_a_hundred_million_events():
    profile = PROFILES["100m"]
    series = profile.stores * profile.categories * profile.products
    listed = 0.98  # the rest is not launched yet
    assert listed * series * profile.days * len(profile.counts) * (1 - MISSING) >= 100_000_000
