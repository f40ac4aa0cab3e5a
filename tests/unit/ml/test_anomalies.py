import numpy as np
import pandas as pd
import pytest

from ml.anomalies import isolation_forest, robust_zscore
from ml.anomalies.calibration import MARGIN, threshold
from ml.anomalies.features import series_features
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
    return isolation_forest.detect(frame, season=7, seed=1, alert_budget=0.02, **settings)  # type: ignore[arg-type]


def zscore(frame: pd.DataFrame, **settings: object) -> pd.DataFrame:
    return robust_zscore.detect(frame, season=7, alert_budget=0.02, **settings)  # type: ignore[arg-type]


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
    """Of 7,000 scores a week's budget of 0.07 allows one in a hundred: the 6,931st."""
    assert threshold(np.arange(7000.0), 0.07, 7) == pytest.approx(6929.01 * MARGIN, rel=1e-4)


def test_features_by_hand():
    y = np.array([10.0] * 40 + [40.0, 40.0])
    features = series_features(y, season=7)
    assert features["expected"].iloc[40] == 10
    # the step is 30 and none came before it: measured by the least step, 1
    assert features["difference"].iloc[40] == 30
    assert features["difference"].iloc[41] == 0
    assert features["ratio to 7-period median"].iloc[40] == pytest.approx(np.log(41 / 11))
    assert (features.drop(columns="expected").iloc[:28] == 0).all().all()
