"""What panels of the world bring along: other calendars, gaps, series that end, plans that are missing."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.forecasting import forecast
from ml.frames import anchored, fill_gaps, read_panel

START = pd.Timestamp("2025-01-06")  # a Monday


def dated(name: str, y: list[float], freq: str = "D") -> pd.DataFrame:
    return pd.DataFrame({"unique_id": name, "ds": pd.date_range(START, periods=len(y), freq=freq), "y": y})


@pytest.mark.parametrize(
    ("freq", "first", "expected"),
    [
        ("D", "2025-01-06", "D"),
        ("H", "2025-01-06 05:00", "h"),
        ("W", "2025-01-05", "W-SUN"),
        ("W", "2025-01-06", "W-MON"),
        ("M", "2025-01-01", "MS"),
        ("M", "2025-01-31", "ME"),
        ("Q", "2025-02-01", "QS-FEB"),
    ],
)
def test_periods_fall_where_the_panel_has_them(freq, first, expected):
    assert anchored(freq, pd.Series([pd.Timestamp(first)])) == expected


@pytest.mark.parametrize(("freq", "message"), [("fortnight", "unknown frequency"), ("MS", "is not a period of")])
def test_a_frequency_that_does_not_fit_is_named(freq, message):
    with pytest.raises(ValueError, match=message):
        anchored(freq, pd.Series([START]))


def test_a_value_between_the_periods_is_named():
    panel = dated("a", [1.0, 2.0, 3.0])
    panel.loc[1, "ds"] += pd.Timedelta(hours=5)
    with pytest.raises(ValueError, match=r"series 'a': 2025-01-07 05:00:00 lies between"):
        fill_gaps(panel, "D")


@pytest.mark.parametrize(("freq", "season"), [("W", 4), ("h", 24), ("MS", 12)])
@pytest.mark.parametrize("model", ["arima", "xgboost", "prophet", "seasonal_naive"])
def test_any_calendar_will_do(freq, season, model):
    start = pd.Timestamp("2020-01-01") if freq == "MS" else START
    ds = pd.date_range(start, periods=season * 8, freq=freq if freq != "W" else "7D")
    wave = 100 + 50 * np.sin(2 * np.pi * np.arange(len(ds)) / season)
    noise = np.random.default_rng(0).normal(0, 1, len(ds))
    panel = pd.DataFrame({"unique_id": "a", "ds": ds, "y": wave + noise})
    made = forecast(
        panel, models=[model], cutoffs=[ds[-season - 1]], horizon=season, season=season, freq=freq, seed=1
    ).frame.merge(panel, on=["unique_id", "ds"])
    assert len(made) == season
    assert made["fallback_reason"].isna().all()
    # far below the 32 units that the mean of the wave is off
    assert (made["y_hat"] - made["y"]).abs().mean() < 10


@pytest.mark.parametrize("model", ["arima", "xgboost", "prophet", "seasonal_naive", "ensemble"])
def test_a_series_that_ended_repeats_its_last_season_and_says_so(model):
    inactive, alive = dated("inactive", [1.0, 2, 3, 4, 5, 6, 7] * 8), dated("alive", [1.0, 2, 3, 4, 5, 6, 9] * 20)
    made = forecast(
        pd.concat([inactive, alive]),
        models=[model],
        cutoffs=[alive["ds"].iloc[-1]],
        horizon=3,
        season=7,
        freq="D",
        seed=1,
    ).frame.set_index("unique_id")
    assert list(made.loc["inactive", "y_hat"]) == [7, 7, 7]  # the level that it was last read at
    reason = "every member fell back" if model == "ensemble" else "no value since 2025-03-02"
    assert set(made.loc["inactive", "fallback_reason"]) == {reason}
    assert made.loc["alive", "fallback_reason"].isna().all()


def test_a_series_that_is_read_late_is_forecast_from_the_cutoff():
    late, whole = dated("late", [5.0, 6, 7]), dated("whole", [5.0, 6, 7, 8, 9])
    made = forecast(
        pd.concat([late, whole]),
        models=["seasonal_naive"],
        cutoffs=[whole["ds"].iloc[-1]],
        horizon=2,
        season=1,
        freq="D",
        seed=1,
    ).frame
    assert made.groupby("unique_id")["ds"].min().nunique() == 1
    assert list(made.loc[made["unique_id"] == "late", "y_hat"]) == [7, 7]


@pytest.mark.parametrize("model", ["arima", "xgboost", "prophet"])
def test_plans_that_are_missing_count_as_none(model):
    days = 20 * 7
    plan = np.where(np.arange(days + 7) % 10 == 0, 1.0, np.nan)
    y = 10 + 30 * np.nan_to_num(plan[:days]) + np.random.default_rng(0).normal(0, 0.5, days)
    known = pd.date_range(START, periods=days + 7)
    panel = pd.DataFrame({"unique_id": "a", "ds": known, "y": np.append(y, [np.nan] * 7), "plan": plan})

    def run(frame: pd.DataFrame) -> pd.DataFrame:
        return forecast(
            frame,
            models=[model],
            cutoffs=[known[days - 1]],
            horizon=7,
            season=7,
            freq="D",
            seed=1,
            future_columns=["plan"],
        ).frame

    made = run(panel)
    assert made["fallback_reason"].isna().all()
    pd.testing.assert_frame_equal(made, run(panel.fillna({"plan": 0.0})))
    # the tenth day, planned, falls on the first of the week ahead
    assert made["y_hat"].iloc[0] > 1.5 * made["y_hat"].iloc[1:].max()


@pytest.mark.parametrize("as_text", [False, True])
def test_local_days_across_a_change_of_the_clocks_are_days(as_text):
    days = pd.date_range("2025-03-28", periods=5, tz="Europe/Berlin")
    panel = pd.DataFrame({"unique_id": "a", "ds": days.map(str) if as_text else days, "y": 1.0})
    assert list(read_panel(panel)["ds"]) == list(pd.date_range("2025-03-28", periods=5))
    evenings = pd.date_range("2025-03-28 18:00", periods=5).tz_localize("Europe/Berlin")
    evenings = panel.assign(ds=evenings.map(str) if as_text else evenings)
    assert list(read_panel(evenings)["ds"]) == list(pd.date_range("2025-03-28 18:00", periods=5))
    hours = panel.assign(ds=pd.date_range("2025-03-30 01:00", periods=5, freq="h", tz="Europe/Berlin"))
    assert read_panel(hours)["ds"].iloc[0] == pd.Timestamp("2025-03-30 00:00")


def test_a_weekly_series_in_a_daily_panel_is_said():
    weekly = dated("weekly", [5.0, 6, 7, 8, 9, 10], freq="7D")
    made = forecast(
        pd.concat([weekly, dated("daily", [5.0, 6, 7] * 12)]),
        models=["seasonal_naive"],
        cutoffs=[START + pd.Timedelta(days=35)],
        horizon=2,
        season=7,
        freq="D",
        seed=1,
    ).frame.set_index("unique_id")
    assert set(made.loc["weekly", "fallback_reason"]) == {"a value every 7 periods only"}
    assert made.loc["daily", "fallback_reason"].isna().all()


numbers = st.floats(-100, 1e6) | st.just(0.0) | st.just(float("nan"))
series = st.tuples(st.lists(numbers, min_size=1, max_size=45), st.sets(st.integers(0, 44), max_size=20))


@settings(max_examples=5, deadline=None)
@given(st.lists(series, min_size=4, max_size=4))
def test_whatever_the_series_the_forecast_is_finite_and_not_negative(drawn):
    bad = [
        dated(f"bad {place}", y).drop(index=[row for row in dropped if row < len(y)])
        for place, (y, dropped) in enumerate(drawn)
    ]
    good = dated("good", list(np.tile([5.0, 6, 7, 8, 9, 12, 3], 10)))
    made = forecast(
        pd.concat([*bad, good]),
        models=["arima", "xgboost", "prophet", "seasonal_naive", "ensemble"],
        cutoffs=[good["ds"].iloc[-1]],
        horizon=3,
        season=7,
        freq="D",
        seed=1,
    ).frame
    for each in bad:
        assert (made["unique_id"] == each["unique_id"].iloc[0]).sum() == (15 if each["y"].notna().any() else 0)
    numbers = made[["lo95", "lo80", "y_hat", "hi80", "hi95"]].to_numpy()
    assert np.isfinite(numbers).all()
    assert (numbers >= 0).all()
    assert (np.diff(numbers, axis=1) >= 0).all()


def test_intervals_hold_about_what_they_say():
    """Thirty lively series, four cutoffs: 80 and 95 in a hundred actuals lie within, give or take a few."""
    random = np.random.default_rng(3)
    week = np.array([5.0, 6, 7, 8, 9, 12, 3])
    panel = pd.concat(
        dated(f"s{index}", list(random.poisson(np.tile(week, 30) * size))) for index, size in enumerate(range(2, 32))
    )
    last = panel["ds"].max()
    made = forecast(
        panel,
        models=["seasonal_naive", "xgboost"],
        cutoffs=[last - pd.Timedelta(days=14 * back) for back in range(1, 5)],
        horizon=14,
        season=7,
        freq="D",
        seed=1,
    ).frame.merge(panel, on=["unique_id", "ds"])
    for _, frame in made.groupby("model"):
        assert frame["y"].between(frame["lo80"], frame["hi80"]).mean() == pytest.approx(0.80, abs=0.06)
        assert frame["y"].between(frame["lo95"], frame["hi95"]).mean() == pytest.approx(0.95, abs=0.03)
