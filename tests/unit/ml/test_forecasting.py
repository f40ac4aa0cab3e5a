from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.forecasting import forecast
from ml.forecasting.conformal import seasonal_error, with_intervals
from ml.forecasting.demand import demand_class, without_spikes
from ml.forecasting.ensemble import combine
from ml.forecasting.period_means import around
from ml.forecasting.scores import score
from ml.frames import FORECAST_COLUMNS, fill_gaps, read_panel

START = pd.Timestamp("2025-01-01")
LOCAL = ["arima", "prophet", "seasonal_naive"]


def panel(**series: list[float]) -> pd.DataFrame:
    return pd.concat(
        pd.DataFrame({"unique_id": name, "ds": pd.date_range(START, periods=len(y), freq="D"), "y": y})
        for name, y in series.items()
    )


def run(frame: pd.DataFrame, models: list[str], cutoff: int, horizon: int = 7, **settings: object) -> pd.DataFrame:
    return forecast(
        frame,
        models=models,
        cutoffs=[START + pd.Timedelta(days=cutoff)],
        horizon=horizon,
        season=7,
        freq="D",
        seed=1,
        **settings,  # type: ignore[arg-type]
    ).frame


def weekly(weeks: int, seed: int = 0, size: float = 100) -> list[float]:
    noise = np.random.default_rng(seed).normal(0, 0.05, weeks * 7)
    return list(size * (np.tile([1, 0.8, 0.9, 1, 1.3, 1.6, 0.7], weeks) + noise))


def test_a_cached_forecast_is_not_taken_for_one_of_a_series_that_is_not_modelled(tmp_path):
    daily = panel(a=[5.0] * 29)
    run(daily, ["seasonal_naive"], cutoff=28, cache_dir=tmp_path)
    weekly_readings = daily[daily["ds"].dt.dayofyear % 7 == 1]
    made = run(weekly_readings, ["seasonal_naive"], cutoff=28, cache_dir=tmp_path)
    assert list(made["fallback_reason"].unique()) == ["a value every 7 periods only"]


def test_seasonal_naive_repeats_the_last_season():
    made = run(panel(a=[1, 2, 3, 4, 5, 6, 7, 11, 12, 13, 14, 15, 16, 17]), ["seasonal_naive"], cutoff=13, horizon=9)
    assert list(made["y_hat"]) == [11, 12, 13, 14, 15, 16, 17, 11, 12]
    assert list(made.columns) == FORECAST_COLUMNS
    assert made["ds"].iloc[0] == START + pd.Timedelta(days=14)


@pytest.mark.parametrize("model", ["arima", "xgboost", "prophet", "ensemble"])
def test_each_model_sees_the_week(model):
    y = weekly(40)
    frame = panel(a=y, b=weekly(40, seed=1, size=10))
    made = run(frame, [model], cutoff=39 * 7 - 1)
    error = made.merge(frame, on=["unique_id", "ds"]).eval("abs(y - y_hat)").sum() / 7
    assert error < 0.1 * 110
    assert made["fallback_reason"].isna().all()


@pytest.mark.parametrize("model", ["arima", "xgboost", "prophet", "seasonal_naive"])
def test_nothing_after_the_cutoff_matters(model):
    y = weekly(30)
    changed = [*y[:140], *(value * 50 for value in y[140:])]
    first, second = (run(panel(a=values), [model], cutoff=139) for values in (y, changed))
    pd.testing.assert_frame_equal(first, second)


def test_again_is_bit_identical_and_comes_from_the_cache(tmp_path, monkeypatch):
    frame = panel(a=weekly(30), b=weekly(30, seed=2))
    models = ["arima", "xgboost", "prophet", "seasonal_naive", "ensemble"]
    first = run(frame, models, cutoff=180, cache_dir=tmp_path)
    pd.testing.assert_frame_equal(first, run(frame, models, cutoff=180))
    nothing = SimpleNamespace(forecast=None)
    monkeypatch.setattr("ml.forecasting.backtest.load", lambda *_: dict.fromkeys(models[:-1], nothing))
    pd.testing.assert_frame_equal(first, run(frame, models, cutoff=180, cache_dir=tmp_path))


@pytest.mark.parametrize("model", ["arima", "xgboost", "prophet"])
@pytest.mark.parametrize(
    "y",
    [[5.0], [0.0] * 60, [3.0] * 60, [1, 2], [*weekly(12), 1e9], [0, 0, 0, 9] * 20, [float("nan")] * 5 + [1.0] * 40],
    ids=["one value", "all zero", "constant", "short", "spike at the end", "sparse", "gap at the start"],
)
def test_a_bad_series_is_forecast_all_the_same(model, y):
    made = run(panel(bad=y, good=weekly(40)), [model], cutoff=len(y) - 1)
    bad = made[made["unique_id"] == "bad"]
    numbers = bad[["y_hat", "lo80", "hi80", "lo95", "hi95"]].to_numpy()
    assert len(bad) == 7
    assert np.isfinite(numbers).all()
    assert (numbers >= 0).all()
    if len(y) < 7 or np.ptp(np.nan_to_num(y[5:])) == 0:
        assert bad["fallback_reason"].notna().all()


@settings(max_examples=30)
@given(st.lists(st.floats(-10, 1e6) | st.just(0.0), min_size=1, max_size=60))
def test_bounds_hold_the_forecast_whatever_the_series(y):
    made = run(panel(a=y), ["seasonal_naive"], cutoff=len(y) - 1)
    ordered = made[["lo95", "lo80", "y_hat", "hi80", "hi95"]].to_numpy()
    assert (np.diff(ordered, axis=1) >= 0).all()
    assert (ordered >= 0).all()


def test_known_future_columns_are_used():
    promotion = (np.arange(210) % 17 < 3).astype(float)
    frame = panel(a=list(20 + 50 * promotion + np.random.default_rng(0).normal(0, 1, 210))).assign(promotion=promotion)
    for model in ("arima", "xgboost", "prophet"):
        errors = []
        for columns in ([], ["promotion"]):
            made = run(frame, [model], cutoff=181, horizon=28, future_columns=columns)
            errors.append(made.merge(frame, on=["unique_id", "ds"]).eval("abs(y - y_hat)").mean())
        assert errors[1] < 0.5 * errors[0], model


@pytest.mark.parametrize("model", ["arima", "xgboost", "prophet"])
@pytest.mark.parametrize("name", ["holidays", "season", "known_1"])
def test_a_known_future_column_may_be_called_anything(model, name):
    promotion = np.tile([0, 0, 0, 1, 0, 0, 0, 0, 0, 0.0], 14)
    frame = panel(a=weekly(20) + 20 * promotion).assign(constant=1.0, promotion=promotion)
    named = frame.rename(columns={"constant": "known_0", "promotion": name})
    made, expected = (
        run(each, [model], cutoff=130, horizon=5, future_columns=columns)
        for each, columns in ((named, list(named)[3:]), (frame, ["constant", "promotion"]))
    )
    assert made["fallback_reason"].isna().all()
    pd.testing.assert_frame_equal(made, expected)


def test_empty_panel_gives_an_empty_typed_frame():
    made = run(panel(a=[1.0]).iloc[:0], ["ensemble"], cutoff=0)
    assert list(made.columns) == FORECAST_COLUMNS
    assert made["y_hat"].dtype == float
    assert made.empty


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda frame: frame.drop(columns="y"), "lacks the column y"),
        (lambda frame: pd.concat([frame, frame.tail(1)]), "more than one row"),
        (lambda frame: frame.assign(y=["x"] * len(frame)), "y is not a number up to 1e\\+19 in row 1: 'x'"),
        (lambda frame: frame.assign(y=frame["ds"]), "y is not a number up to 1e\\+19 in row 1: '2025"),
        (lambda frame: frame.assign(ds="soon"), "ds cannot be read as time"),
        (lambda frame: frame.assign(ds=np.datetime64("0001-01-01", "us")), "ds cannot be read as time"),
        (
            lambda frame: frame.assign(ds=["01/01/2025", "01/02/2025"]),
            "the day or the month in row 2: '01/02/2025'",
        ),
        (lambda frame: frame.assign(ds=["201011", "201012"]), "the year, the month or the day in row 1: '201011'"),
        (lambda frame: frame.assign(ds=["240101", "240102"]), "the year, the month or the day in row 1: '240101'"),
        (lambda frame: frame.assign(ds=["2025-01-06", 20250107]), "ds is a number in row 2, not a time: 20250107"),
        (lambda frame: frame.assign(ds=frame["ds"] - frame["ds"].min()), "ds is a number in row 1"),
        (lambda frame: frame.assign(unique_id=["a", ["b"]]), "unique_id is no text in row 2: \"\\['b'\\]\""),
    ],
)
def test_a_broken_panel_is_named(change, message):
    with pytest.raises(ValueError, match=message):
        read_panel(change(panel(a=[1.0, 2.0])))


MONTHS = pd.date_range("2023-01-01", periods=26, freq="MS")
WEEKS = pd.date_range("2020-01-06", "2024-12-31", freq="W-MON")
MONTH_FIRST, DAY_FIRST = "%m/%d/%Y", "%d.%m.%Y"


@pytest.mark.parametrize("spelling", [MONTH_FIRST, DAY_FIRST])
@pytest.mark.parametrize(
    "days",
    [
        pytest.param(WEEKS, id="weeks"),  # the first number above twelve comes in a later row
        pytest.param(MONTHS, id="months"),
        pytest.param(MONTHS[:13], id="one month of the second year"),
        pytest.param(MONTHS + pd.Timedelta(days=4), id="fifths of the month"),
        pytest.param(MONTHS.delete([5, 6, 20]), id="months with gaps"),
        pytest.param(MONTHS[::3], id="quarters"),
    ],
)
def test_dates_that_make_sense_in_one_order_are_read(days, spelling):
    whole = pd.DataFrame({"unique_id": "a", "ds": days, "y": 1.0})
    part = whole[2:8].assign(unique_id="b")  # short enough to be days of one month
    frame = pd.concat([part, whole])
    read = read_panel(frame.assign(ds=frame["ds"].dt.strftime(spelling)))
    assert list(read["ds"]) == [*days, *part["ds"]]


@pytest.mark.parametrize("spelling", [MONTH_FIRST, DAY_FIRST])
@pytest.mark.parametrize(
    "days",
    [
        pytest.param(MONTHS[:2], id="two dates"),
        pytest.param(MONTHS[10:13], id="three dates"),
        pytest.param(MONTHS[:12], id="months of one year or days of one month"),
        pytest.param(pd.date_range("2012-02-01", periods=10, freq="YS-FEB"), id="years"),
        pytest.param(WEEKS[WEEKS.day <= 12], id="weeks that end before the twelfth"),
    ],
)
def test_dates_that_make_sense_in_both_orders_or_none_are_refused(days, spelling):
    frame = pd.DataFrame({"unique_id": "a", "ds": days.strftime(spelling), "y": 1.0})
    with pytest.raises(ValueError, match="ds may begin with the day or the month in row"):
        read_panel(frame)


@pytest.mark.parametrize("spelled", ["31.01.23", "23-01-05"])
def test_a_year_of_two_digits_may_come_first(spelled):
    with pytest.raises(ValueError, match="ds may begin with the day or the month in row 1"):
        read_panel(panel(a=[1.0]).assign(ds=spelled))


def test_a_month_that_can_only_come_first_is_read():
    read = read_panel(panel(a=[1.0, 2.0]).assign(ds=["12/31/24", "01/01/25"]))
    assert list(read["ds"]) == [pd.Timestamp("2024-12-31"), pd.Timestamp("2025-01-01")]


@pytest.mark.parametrize("first", ["01/01/2025", "01/31/2025", "31.01.2025", "2025-01-01"])
@pytest.mark.parametrize("second", ["soon", "45/45/2025"])
def test_a_row_that_is_no_date_is_named(first, second):
    with pytest.raises(ValueError, match=f"in row 2: '{second}'"):
        read_panel(panel(a=[1.0, 2.0]).assign(ds=[first, second]))


@pytest.mark.parametrize("columns", [["y"], ["unique_id"], ["ds"], ["promo", "promo"]])
def test_a_column_that_is_asked_for_twice_is_named(columns):
    with pytest.raises(ValueError, match=f"the column {columns[0]} is asked for twice"):
        read_panel(panel(a=[1.0, 2.0]).assign(promo=0.0), columns)


def test_unknown_model_is_named():
    with pytest.raises(ValueError, match="unknown model oracle; choose from arima"):
        run(panel(a=[1.0]), ["oracle"], cutoff=0)


def test_gaps_repeat_the_last_value():
    frame = panel(a=[1.0, 2.0, 3.0, 4.0]).drop(index=[1, 2])
    assert list(fill_gaps(read_panel(frame), "D")["y"]) == [1, 1, 1, 4]


def test_seasonal_error_by_hand():
    # |8 - 1|, |9 - 2| over a season of 2 apart from 1, 2, 8, 9
    assert seasonal_error(np.array([1.0, 2.0, 8.0, 9.0]), 2) == 7.0
    # a constant series has one in a hundred of its level, however it was added up
    assert seasonal_error(np.array([0.3, 0.1 + 0.2, 0.3]), 1) == pytest.approx(0.003)
    assert seasonal_error(np.array([5e-324, 0.0, 5e-324]), 1) == 1e-6


def forecasts_of(names: list[str], cutoffs: list[pd.Timestamp], **columns: object) -> pd.DataFrame:
    """A forecast of 10 by model m for the day after each cutoff."""
    made = pd.DataFrame([(name, cutoff) for cutoff in cutoffs for name in names], columns=["unique_id", "cutoff"])
    facts = {"model": "m", "y_hat": 10.0, "y": np.nan, "scale": 1.0, "demand_class": "smooth", "bucket": 0}
    return made.assign(ds=made["cutoff"] + pd.Timedelta(days=1), **(facts | {"fallback_reason": None} | columns))


def test_intervals_by_hand():
    """Nine earlier errors of -4 to 4 bound 80 % by the outermost ones: 0.9 * (9 + 1) / 9 is the maximum."""
    names, earlier, now = [f"s{index}" for index in range(9)], START, START + pd.Timedelta(days=2)
    made = forecasts_of(names, [earlier, now], y=[*(10.0 + np.arange(-4, 5)), *[np.nan] * 9])
    scales = pd.DataFrame({"cutoff": [earlier, now], "naive_errors": [np.zeros(1)] * 2})
    bounded = with_intervals(made, scales, [now]).set_index("unique_id")
    # the median series was off by 2. Of the window of s0 and s8 (off by 4) a third is believed: 4/3 as wild
    assert bounded.loc["s0", ["lo80", "hi80"]].tolist() == pytest.approx([10 - 4 * 4 / 3, 10 + 4 * 4 / 3])
    assert bounded.loc["s2", ["lo80", "hi80"]].tolist() == [6.0, 14.0]


def test_one_wild_series_leaves_the_intervals_of_its_neighbours_alone():
    names = [f"s{index:02}" for index in range(21)]
    cutoffs = [START + pd.Timedelta(days=2 * index) for index in range(5)]
    off = np.where(np.arange(21) == 20, 1000.0, np.random.default_rng(0).normal(0, 1, (5, 21))).ravel()
    made = forecasts_of(names, cutoffs, y=10 + off)
    scales = pd.DataFrame({"cutoff": cutoffs, "naive_errors": [np.zeros(1)] * 5})
    newest = with_intervals(made, scales, cutoffs[-1:]).set_index("unique_id")
    assert newest["hi95"].drop("s20").max() < 16
    assert newest.loc["s20", "hi95"] > 500


def test_a_feast_keeps_its_height_where_a_year_before_is_smoothed():
    weeks = np.tile([100.0, 104.0, 98.0, 102.0], 13)[None]
    weeks[0, 20] = 500.0
    smooth = around(weeks, unit=1)[0]
    assert smooth[20] == pytest.approx(500, abs=8)
    assert smooth[[19, 21]].max() < 110
    assert np.ptp(smooth[:19]) < np.ptp(weeks[0, :19])


def test_prophet_follows_a_level_that_has_just_moved():
    moved = [*weekly(26), *weekly(4, size=130)]
    made = run(panel(a=moved), ["prophet"], cutoff=209)
    assert made["y_hat"].mean() > 115 * np.mean([1, 0.8, 0.9, 1, 1.3, 1.6, 0.7])


def test_the_ensemble_leaves_out_what_makes_it_worse():
    """Model a is too high by 1, b too low by 1, c too high by 9: together a and b are right."""
    names, cutoffs = ["s0", "s1"], [START, START + pd.Timedelta(days=2)]
    made = pd.concat(
        forecasts_of(names, cutoffs, model=model, y_hat=10.0 + off, y=[10.0, 10.0, np.nan, np.nan])
        for model, off in {"a": 1, "b": -1, "c": 9, "seasonal_naive": 2}.items()
    )
    combined, weights = combine(made)
    newest = weights[weights["cutoff"] == cutoffs[1]].set_index("model")
    assert newest["weight"].to_dict() == {"a": 0.5, "b": 0.5, "c": 0, "seasonal_naive": 0}
    assert newest["error"].to_dict() == {"a": 1, "b": 1, "c": 9, "seasonal_naive": 2}
    assert newest.loc["a", ["ensemble_error", "naive_error", "forecasts"]].tolist() == [0, 2, 2]
    assert combined.loc[combined["cutoff"] == cutoffs[1], "y_hat"].tolist() == [10, 10]


def test_the_weights_of_the_cutoffs_asked_for_come_with_the_forecasts():
    cutoff = START + pd.Timedelta(days=180)
    models = ["seasonal_naive", "xgboost", "ensemble"]
    settings = {"horizon": 14, "season": 7, "freq": "D", "seed": 1}
    made = forecast(panel(a=weekly(30)), models=models, cutoffs=[cutoff], **settings)
    weights, weighed = made.weights, made.with_weights()
    assert weighed.groupby("ds")["weight"].sum().eq(1).all()
    assert weighed.loc[weighed["model"] == "ensemble", "weight"].isna().all()
    assert set(weights["cutoff"]) == {cutoff}
    assert weights.groupby("bucket")["weight"].sum().tolist() == [1, 1]  # a week each
    nothing = forecast(panel(a=weekly(30)), models=models[:1], cutoffs=[cutoff], **settings).weights
    pd.testing.assert_series_equal(
        nothing.dtypes.drop(["demand_class", "model"]), weights.dtypes.drop(["demand_class", "model"])
    )
    assert nothing.empty


def test_fallbacks_do_not_vote():
    made = pd.concat(
        forecasts_of(["s0"], [START], model=model, y_hat=y_hat, fallback_reason=reason)
        for model, y_hat, reason in [("a", 8.0, None), ("b", 100.0, "short"), ("seasonal_naive", 50.0, None)]
    )
    combined, _ = combine(made)
    assert combined[["y_hat", "fallback_reason"]].to_numpy().tolist() == [[8.0, None]]


@pytest.mark.parametrize(
    ("y", "expected"),
    [
        ([5, 6, 5, 4] * 5, "smooth"),
        ([1, 1, 1, 20] * 5, "erratic"),
        ([0, 0, 3] * 5, "intermittent"),
        ([0, 0, 1, 0, 0, 30] * 5, "lumpy"),
        ([0, 0], "intermittent"),
    ],
)
def test_demand_classes(y, expected):
    assert demand_class(np.array(y, dtype=float)) == expected


def test_a_spike_is_cut_and_a_new_level_is_not():
    week = np.tile([9.0, 10, 11, 12, 9, 8, 7], 20)
    spiked = week.copy()
    spiked[[30, 139]] = 1e12, -1e12
    assert np.abs(without_spikes(spiked, 7)).max() < 100
    moved = np.append(week, week[:20] * 30)
    np.testing.assert_array_equal(without_spikes(moved, 7)[:160], moved)
    np.testing.assert_array_equal(without_spikes(week, 7), week)


@pytest.mark.parametrize("model", ["arima", "xgboost", "prophet"])
def test_a_spike_long_ago_moves_neither_its_series_nor_its_neighbour(model):
    calm, spiked = weekly(30, size=9), weekly(30, seed=1, size=9)
    spiked[150] = 1e12
    made = run(panel(calm=calm, spiked=spiked), [model], cutoff=209)
    assert made["y_hat"].between(4, 20).all()


def test_scores_by_hand():
    frame = panel(a=[1, 2, 3, 4, 10, 20])
    cutoff = START + pd.Timedelta(days=3)
    made = pd.DataFrame(
        {
            "unique_id": "a",
            "ds": [START + pd.Timedelta(days=4), START + pd.Timedelta(days=5)],
            "cutoff": cutoff,
            "model": "seasonal_naive",
            "y_hat": [12.0, 16.0],
            "lo80": [9.0, 17.0],
            "hi80": [13.0, 19.0],
            "lo95": [0.0, 0.0],
            "hi95": [30.0, 30.0],
        }
    )
    result = score(made, frame, season=2, freq="D").iloc[0]
    assert result["wape"] == pytest.approx(6 / 30)
    assert result["bias"] == pytest.approx(-2 / 30)
    # mean squared error (4 + 16) / 2; in sample a season of 2 differs by 2 each time
    assert result["rmsse"] == pytest.approx(np.sqrt(10 / 4))
    assert (result["coverage80"], result["coverage95"], result["wape_ratio"]) == (0.5, 1.0, 1.0)
    # a missing value takes its own differences away and no others, be it a row without a value or no row
    for gap in (frame.assign(y=frame["y"].where(frame["y"] != 2)), frame[frame["y"] != 2]):
        assert score(made, gap, season=2, freq="D").iloc[0]["rmsse"] == pytest.approx(np.sqrt(10 / 4))
    assert score(made, frame.head(4), season=2, freq="D").empty
    rounded = frame.assign(y=[0.3, 0.3, 0.1 + 0.2, 0.1 + 0.2, 10, 20])
    assert np.isnan(score(made, rounded, season=2, freq="D").iloc[0]["rmsse"])
