"""Demand first: units out of products, and the levels that follow with their usual deliveries."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ml.forecasting import demand_first
from ml.forecasting.demand_first import ROLLED_COLUMNS, no_forecasts, roll_forward

START = pd.Timestamp("2026-01-05")  # a Monday
NOTHING_PLANNED = pd.DataFrame({"unique_id": pd.Series(dtype=object), "ds": pd.Series(dtype="datetime64[ns]")})


def shop(
    *, products: int = 40, days: int = 140, pace: float = 4.0, order_at: int = 20, delivery: int = 40, promoted: int = 0
) -> pd.DataFrame:
    """Flows of products that sell about `pace` a day and get `delivery` units three days after falling to `order_at`.

    On each promoted day, every fifth, `promoted` more go out.
    """
    random = np.random.Generator(np.random.Philox(key=5))
    rows = []
    for product in range(products):
        level, due = int(random.integers(order_at, order_at + delivery)), -1
        for day in range(days):
            opening = level
            sold = min(level, int(random.poisson(pace)) + (promoted if day % 5 == 0 else 0))
            level -= sold
            arrived = delivery if day == due else 0
            level += arrived
            if level <= order_at and due <= day:
                due = day + 3
            rows.append((f"A/P{product:02d}", "Toys", START + pd.Timedelta(days=day), sold, arrived, opening))
    names = ["unique_id", "category", "ds", "units_out", "units_in", "opening_level"]
    return pd.DataFrame(rows, columns=names).astype({"units_out": float, "units_in": float, "opening_level": float})


def rolled(flows: pd.DataFrame, promotions: pd.DataFrame = NOTHING_PLANNED, **other: Any) -> pd.DataFrame:
    """What is forecast for store A, 28 days from the last reading unless asked otherwise."""
    with tempfile.TemporaryDirectory() as folder:
        asked: dict[str, Any] = {"cutoffs": [flows["ds"].max()], "horizon": 28, "cache_dir": Path(folder)} | other
        files = roll_forward("A", flows, promotions, seed=7, **asked)
        return pd.concat(map(pd.read_parquet, files), ignore_index=True) if files else no_forecasts()


def test_levels_stay_where_the_usual_deliveries_keep_them():
    flows = shop()
    made = rolled(flows)
    assert list(made.columns) == ROLLED_COLUMNS
    closing = flows["opening_level"] - flows["units_out"] + flows["units_in"]
    usual = closing[flows["ds"] > flows["ds"].max() - pd.Timedelta(days=60)].mean()
    assert made["level"].mean() == pytest.approx(usual, rel=0.1)
    assert made["units_out"].mean() == pytest.approx(4.0, rel=0.05)


def test_what_is_nearly_sold_out_recovers_and_what_was_just_delivered_goes_down():
    made = rolled(shop()).set_index(["unique_id", "ds"])["level"].unstack()
    flows = shop()
    last = flows.groupby("unique_id").last()
    level = last["opening_level"] - last["units_out"] + last["units_in"]
    low, high = level.nsmallest(8).index, level.nlargest(8).index
    assert (made.loc[low].iloc[:, 6] > level[low]).mean() > 0.7
    assert (made.loc[high].iloc[:, 3] < level[high]).all()


def test_planned_promotions_raise_what_is_expected_to_go_out():
    flows = shop(promoted=6, delivery=80, order_at=60)
    days = pd.date_range(START, periods=140 + 28)
    promoted = days[::5]
    promotions = pd.DataFrame([(name, day) for name in flows["unique_id"].unique() for day in promoted])
    made = rolled(flows, promotions.set_axis(["unique_id", "ds"], axis=1))
    on = made["ds"].isin(promoted)
    assert made.loc[on, "units_out"].mean() == pytest.approx(10, rel=0.1)
    assert made.loc[~on, "units_out"].mean() == pytest.approx(4, rel=0.1)


def test_an_empty_shelf_does_not_lower_what_is_asked_for():
    flows = shop(products=3, order_at=20, delivery=40)
    empty = flows["ds"] > flows["ds"].max() - pd.Timedelta(days=10)
    flows.loc[empty, ["units_out", "units_in", "opening_level"]] = 0.0
    made = rolled(flows)
    assert made["units_out"].mean() > 3


def read_weekly(daily: pd.DataFrame) -> pd.DataFrame:
    """The flows as they are known from one reading a week, on Sundays."""
    weekly = daily.assign(week=(daily["ds"] - START).dt.days // 7)
    return weekly.groupby(["unique_id", "category", "week"], as_index=False).agg(
        ds=("ds", "last"),
        units_out=("units_out", "sum"),
        units_in=("units_in", "sum"),
        opening_level=("opening_level", "first"),
    )


def test_readings_once_a_week_are_spread_over_their_days():
    flows = read_weekly(shop(products=20, delivery=100, order_at=60))
    assert rolled(flows)["units_out"].mean() == pytest.approx(4, rel=0.1)


def test_cutoffs_before_the_first_reading_change_nothing():
    flows = shop(products=6, days=60)
    cutoffs = [START - pd.Timedelta(days=20), START + pd.Timedelta(days=40)]
    both, later = (rolled(flows, cutoffs=asked) for asked in (cutoffs, cutoffs[1:]))
    pd.testing.assert_frame_equal(both, later, check_exact=True)


@pytest.mark.parametrize("flows", [shop(products=6), read_weekly(shop(products=6))], ids=["daily", "weekly"])
def test_the_same_arguments_give_the_same_bytes_and_no_later_day_is_looked_at(flows):
    cutoff = START + pd.Timedelta(days=109)  # five days after a weekly reading
    whole = rolled(flows, cutoffs=[cutoff])
    cut = rolled(flows[flows["ds"] <= cutoff], cutoffs=[cutoff])
    pd.testing.assert_frame_equal(whole, cut, check_exact=True)
    later = rolled(flows, cutoffs=[flows["ds"].max(), cutoff])
    pd.testing.assert_frame_equal(whole, later[later["cutoff"] == cutoff].reset_index(drop=True), check_exact=True)


def test_a_new_reading_refits_no_earlier_cutoff_and_the_cache_gives_the_bytes_of_the_fit(tmp_path, monkeypatch):
    flows, cutoffs = shop(products=6), [START + pd.Timedelta(days=day) for day in (81, 109)]
    promotions = pd.DataFrame({"unique_id": "A/P01", "ds": pd.date_range(START, periods=170)})
    fitted = rolled(flows, promotions, cutoffs=cutoffs, cache_dir=tmp_path)
    pd.testing.assert_frame_equal(fitted, rolled(flows, promotions, cutoffs=cutoffs), check_exact=True)
    monkeypatch.setattr(demand_first, "_roll", lambda *_: pytest.fail("fitted again"))
    is_today = flows["ds"] == flows["ds"].max()
    changed = flows.assign(units_out=flows["units_out"] + is_today)
    shuffled = changed.sample(frac=1, random_state=3)  # a database gives rows in any order
    again = rolled(shuffled, promotions[::-1], cutoffs=cutoffs, cache_dir=tmp_path)
    pd.testing.assert_frame_equal(fitted, again, check_exact=True)


def test_stores_draw_numbers_of_their_own(tmp_path):
    flows = shop(products=6)
    asked = {"cutoffs": [flows["ds"].max()], "horizon": 28, "seed": 7, "cache_dir": tmp_path}
    one, other = (pd.read_parquet(*roll_forward(store, flows, NOTHING_PLANNED, **asked)) for store in ("A", "B"))
    assert (one["units_out"] == other["units_out"]).all()
    assert (one["level"] != other["level"]).mean() > 0.9


@pytest.mark.parametrize("days", [0, 1, 3, 8])
def test_short_histories_give_finite_forecasts(days):
    flows = shop(products=2, days=days)
    made = rolled(flows, cutoffs=[START + pd.Timedelta(days=10)], horizon=5)
    assert list(made.columns) == ROLLED_COLUMNS
    assert len(made) == (10 if days else 0)
    assert np.isfinite(made[["units_out", "level"]].to_numpy(dtype=float)).all()
    assert (made[["units_out", "level"]].to_numpy(dtype=float) >= 0).all()
