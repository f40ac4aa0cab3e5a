import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.anomalies import detect
from ml.anomalies.calibration import threshold
from ml.anomalies.episodes import first_of_episode
from ml.anomalies.features import FEATURES, panel_features
from ml.frames import DETECTION_COLUMNS

START = pd.Timestamp("2025-01-01")
DAYS = 300


def shelf(seed: int) -> np.ndarray:
    """A level that sells down and is filled up: a clean (s, S) sawtooth."""
    random = np.random.default_rng(seed)
    level, levels = 80, []
    for _ in range(DAYS):
        level -= random.poisson(6)
        if level < 20:
            level = 90 + random.integers(0, 10)
        levels.append(max(level, 0))
    return np.array(levels, dtype=float)


def panel(count: int, wrong: dict[tuple[int, int], float]) -> pd.DataFrame:
    frames = []
    for name in range(count):
        y = shelf(name)
        for (series, day), value in wrong.items():
            if series == name:
                y[day] = value
        frames.append(pd.DataFrame({"unique_id": f"s{name:02}", "ds": pd.date_range(START, periods=DAYS), "y": y}))
    return pd.concat(frames)


def forest(frame: pd.DataFrame, **settings: object) -> pd.DataFrame:
    return detect(frame, detectors=["isolation_forest"], season=7, seed=1, alert_budget=0.02, **settings)  # type: ignore[arg-type]


def zscore(frame: pd.DataFrame, **settings: object) -> pd.DataFrame:
    return detect(frame, detectors=["robust_zscore"], season=7, seed=1, alert_budget=0.02, **settings)  # type: ignore[arg-type]


WRONG = {(3, 200): 900.0, (7, 250): 950.0, (11, 220): -5.0, (15, 280): 1000.0}


@pytest.mark.parametrize("detect", [forest, zscore], ids=["forest", "z-score"])
def test_wrong_levels_are_found_and_restocks_are_not(detect):
    found = detect(panel(20, WRONG))
    alerts = {(int(row.unique_id[1:]), (row.ds - START).days) for row in found.itertuples()}
    # the wrong levels of the past raise the threshold of the small panel: the last one may hide behind them
    assert len(set(WRONG) & alerts) >= 3
    weeks = 20 * (DAYS - 91) / 7
    assert len(alerts - set(WRONG)) <= 0.02 * weeks + 3
    assert list(found.columns) == DETECTION_COLUMNS
    kinds = {(int(row.unique_id[1:]), (row.ds - START).days): row.kind for row in found.itertuples()}
    assert kinds[3, 200] == "spike"
    assert kinds[11, 220] == "negative"
    assert found["driver"].notna().all()


@pytest.mark.parametrize("detect", [forest, zscore], ids=["forest", "z-score"])
def test_a_score_depends_on_nothing_later(detect):
    frame = panel(6, WRONG)
    cut = frame[frame["ds"] <= START + pd.Timedelta(days=230)]
    whole = detect(frame, all_rows=True).merge(cut[["unique_id", "ds"]])
    pd.testing.assert_frame_equal(detect(cut, all_rows=True), whole, check_dtype=False)


def test_training_ends_where_it_is_told_to():
    found = forest(panel(6, WRONG), all_rows=True, train_end=START + pd.Timedelta(days=150))
    assert (found.loc[found["ds"] <= START + pd.Timedelta(days=150), "score"] == 0).all()
    assert (found.loc[found["ds"] > START + pd.Timedelta(days=150), "score"] > 0).all()


def test_again_is_bit_identical():
    pd.testing.assert_frame_equal(forest(panel(4, WRONG)), forest(panel(4, WRONG)))


@pytest.mark.parametrize("y", [[], [1.0], [0.0] * 200, [5.0] * 10])
def test_small_and_flat_series_raise_nothing(y):
    frame = pd.DataFrame({"unique_id": "a", "ds": pd.date_range(START, periods=len(y)), "y": y})
    assert forest(frame).empty


def test_threshold_by_hand():
    """Scores with a Pareto tail, 1 / share: a share of 1 % is exceeded by 100, and 2 % by 50, whatever lies beyond."""
    scores = 1 / ((np.arange(100_000) + 0.5) / 100_000)
    assert threshold(scores, alert_budget=0.07, periods_per_week=7) == pytest.approx(100, rel=0.01)
    assert threshold(scores, alert_budget=0.007, periods_per_week=7) == pytest.approx(1000, rel=0.01)


def test_threshold_is_not_moved_by_the_anomalies_of_the_past():
    clean = np.random.default_rng(0).exponential(1, 50_000)
    dirty = np.append(clean, np.full(250, 1000.0))  # five in a thousand, where the budget allows three
    limits = [threshold(scores, alert_budget=0.02, periods_per_week=7) for scores in (clean, dirty)]
    assert limits[1] < 1.5 * limits[0]
    assert np.mean(clean > limits[0]) <= 0.02 / 7


def test_no_past_gives_no_threshold():
    with pytest.raises(ValueError, match="no past scores"):
        threshold(np.array([]), 0.02, 7)


def features_of(y: np.ndarray) -> tuple[pd.DataFrame, np.ndarray]:
    features, expected = panel_features(y, np.array([len(y)]), season=7)
    return pd.DataFrame(features, columns=FEATURES), expected


def test_features_by_hand():
    y = np.tile([20.0, 16, 12, 8, 4], 20)  # sold down by fours and filled up by sixteen
    y = np.append(y, [20.0, 60, 16, 12])
    features, expected = features_of(y)
    # a step is what lies between a value and the nearer of the two before it: filling up 8, 4 to 20 is one of 12
    assert features["difference"][101] == pytest.approx(40 / 12)
    # back at 16: four below the day before the wrong one, as four at the most before
    assert features["difference"][102] == pytest.approx(-1)
    # median of the week before 60 is 12; the highest ratio was 20 to a median of 8
    assert features["ratio to 7-period median"][101] == pytest.approx(np.log(61 / 13) / np.log(21 / 9))
    assert (features[:56] == 0).all().all()
    assert expected[101] in (20, np.median([y[101 - 7 * back] for back in range(1, 7)]))


def test_one_anomaly_widens_the_measure_by_a_half():
    y = np.tile([20.0, 16, 12, 8, 4], 30)
    y[100:102] += [400, 0]
    y[125] += 400
    features, _ = features_of(y)
    assert features["difference"][100] == pytest.approx(412 / 12)
    assert features["difference"][125] == pytest.approx(412 / 18)


def test_series_do_not_mix():
    first, second = shelf(1), shelf(2)[:200]
    both, _ = panel_features(np.append(first, second), np.array([300, 200]), season=7)
    alone, _ = panel_features(second, np.array([200]), season=7)
    np.testing.assert_array_equal(both[300:], alone)


def test_an_episode_is_told_once_and_again_after_a_quiet_week():
    alerts = pd.DataFrame(
        [
            ("a", 10, "spike"),
            ("a", 11, "drop"),  # the same episode
            ("a", 16, "level_shift"),  # says more of it
            ("a", 17, "level_shift"),
            ("a", 24, "spike"),  # still within seven periods of the last
            ("a", 32, "spike"),  # a new episode
            ("b", 33, "spike"),
        ],
        columns=["unique_id", "position", "kind"],
    )
    assert list(first_of_episode(alerts, quiet=7)) == [True, False, True, False, False, True, True]


def injected(kind: str, y: np.ndarray, day: int) -> np.ndarray:
    y = y.copy()
    match kind:
        case "spike x3":
            y[day] = 3 * y[day - 60 : day].max()
        case "spike x10":
            y[day] = 10 * y[day - 60 : day].max()
        case "negative":
            y[day] = -4
        case "level shift":
            y[day:] += 3 * y[day - 60 : day].max()
        case "stuck":
            y[day : day + 21] = y[day]
    return y


@pytest.mark.parametrize("detect", [forest, zscore], ids=["forest", "z-score"])
def test_labelled_anomalies(detect):
    """Clean shelves with restocks of every size beside five kinds of anomaly, one a series: nearly all are found, the
    false alerts stay within the budget, and most alerts are true."""
    kinds = {"spike x3": "spike", "spike x10": "spike", "negative": "negative", "level shift": "spike"} | {
        "stuck": "flat_line"
    }
    frames, truth = [], {}
    for series in range(60):
        y, kind = shelf(series), [*kinds, *[None] * 5][series % 10]
        if kind:
            truth[f"s{series:02}"] = (kind, 150 + 2 * series)
            y = injected(kind, y, 150 + 2 * series)
        frames.append(pd.DataFrame({"unique_id": f"s{series:02}", "ds": pd.date_range(START, periods=DAYS), "y": y}))
    found = detect(pd.concat(frames), all_rows=True)
    alerts = found[found["alert"]].assign(day=lambda frame: (frame["ds"] - START).dt.days)
    hits = {
        name: first
        for name, (_, day) in truth.items()
        for first in alerts[(alerts["unique_id"] == name) & alerts["day"].between(day, day + 21)].head(1).itertuples()
    }
    false = len(alerts) - sum(
        alerts.loc[alerts["unique_id"] == name, "day"].between(day, day + 21).sum() for name, (_, day) in truth.items()
    )
    scored_weeks = (found["score"] > 0).sum() / 7
    assert false <= 0.02 * scored_weeks
    assert len(hits) / (len(hits) + false) >= 0.8
    for kind, named in kinds.items():
        own = [name for name, (what, _) in truth.items() if what == kind]
        assert sum(name in hits for name in own) >= 5, kind
        assert pd.Series([hits[name].kind for name in own if name in hits]).mode()[0] == named
    assert (alerts["kind"] == "level_shift").sum() >= 5


def test_clean_shelves_stay_within_the_budget():
    for find in (forest, zscore):
        found = find(panel(60, {}), all_rows=True)
        assert found["alert"].sum() <= 0.02 * (found["score"] > 0).sum() / 7


def test_every_row_that_was_asked_for_and_no_other():
    frame = panel(3, WRONG).reset_index(drop=True)
    frame.loc[[5, 150, 151], "y"] = np.nan
    gappy = frame.drop(index=range(400, 420))
    found = zscore(gappy, all_rows=True)
    expected = gappy.sort_values(["unique_id", "ds"], ignore_index=True)
    pd.testing.assert_frame_equal(found[["unique_id", "ds"]], expected[["unique_id", "ds"]])
    assert not found.loc[found["observed"].isna(), "alert"].any()
    assert found["score"].notna().all()


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(-5, 300), min_size=90, max_size=160), st.integers(75, 159))
def test_cutting_off_the_future_changes_no_score(y, end):
    frame = pd.concat(
        [
            pd.DataFrame({"unique_id": "a", "ds": pd.date_range(START, periods=len(y)), "y": np.array(y, float)}),
            panel(2, {}),
        ]
    )
    last = START + pd.Timedelta(days=end)
    whole = zscore(frame, all_rows=True)
    cut = zscore(frame[frame["ds"] <= last], all_rows=True)
    pd.testing.assert_frame_equal(cut, whole[whole["ds"] <= last].reset_index(drop=True), check_dtype=False)
