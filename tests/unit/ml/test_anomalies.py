from importlib.util import find_spec

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import betabinom

from ml.anomalies import detect, detection, detectors
from ml.anomalies.calibration import Tail, allowed_share, clean_tail, tail_probability, thresholds
from ml.anomalies.episodes import first_of_episode
from ml.anomalies.series_table import read_series
from ml.anomalies.sparse_demand import rarity_of_sales
from ml.frames import DETECTION_COLUMNS
from ml.registry import names_of

START = pd.Timestamp("2025-01-06")
DAYS = 400
NEEDS_DEEP = pytest.mark.skipif(
    find_spec("autograd") is None, reason="no extra deep here: `make setup-dev` installs it"
)
LSTM = pytest.param("lstm_autoencoder", marks=NEEDS_DEEP)
DETECTORS = ["isolation_forest", LSTM, "seasonal_smoothing"]
# by the whole past of one series, a holiday is unusual
BESIDE_PEERS = [LSTM, *(name for name in names_of(detectors) if name not in {"lstm_autoencoder", "whole_past"})]
ALL = [*BESIDE_PEERS, "whole_past"]


def sales(store: int, category: int) -> np.ndarray:
    """Units sold a day: a week, weather that all shops share, and two holidays on which all sell a fifth, or thrice."""
    weather = np.random.default_rng(0).normal(0, 0.15, DAYS)
    random = np.random.default_rng(100 * store + category)
    week = np.array([0.8, 0.8, 0.9, 1, 1.2, 1.4, 0.9])[np.arange(DAYS) % 7]
    mean = (30 + 25 * category) * week * np.exp(weather + np.cumsum(random.normal(0, 0.005, DAYS)))
    mean[[150, 340]] *= [0.2, 3]
    return random.poisson(mean).astype(float)


def panel(stores: int = 4, categories: int = 4) -> pd.DataFrame:
    frames = [
        pd.DataFrame(
            {
                "unique_id": f"s{store}c{category}",
                "ds": pd.date_range(START, periods=DAYS),
                "y": sales(store, category),
                "store": f"s{store}",
                "category": f"c{category}",
            }
        )
        for store in range(stores)
        for category in range(categories)
    ]
    return pd.concat(frames, ignore_index=True)


def changed(frame: pd.DataFrame, series: str, days: slice, change) -> pd.DataFrame:
    rows = frame.index[frame["unique_id"] == series][days]
    return frame.assign(y=frame["y"].where(~frame.index.isin(rows), change(frame["y"])))


def find(frame: pd.DataFrame, detector: str = "seasonal_smoothing", **options) -> pd.DataFrame:
    options = {"season": 7, "seed": 1, "alert_budget": 0.02, "peers": ["store", "category"]} | options
    return detect(frame, detectors=[detector], **options)


WRONG = {
    "s0c1": (slice(200, 201), lambda y: 3 * y, {"spike"}),
    "s1c2": (slice(250, 251), lambda y: 2 * y, {"duplicate", "spike"}),
    "s2c3": (slice(220, 221), lambda y: y // 4, {"drop"}),
    "s3c1": (slice(300, 302), lambda y: 0 * y, {"zero"}),
    "s1c1": (slice(180, 181), lambda y: 0 * y - 7, {"negative"}),
    "s2c1": (slice(270, 277), lambda y: 0 * y + 50, {"flat_line"}),
    "s0c3": (slice(310, 324), lambda y: (0.6 * y).round(), {"level_shift", "drop"}),
}


@pytest.fixture(scope="module")
def wrong() -> pd.DataFrame:
    frame = panel()
    for series, (days, change, _) in WRONG.items():
        frame = changed(frame, series, days, change)
    return frame


@pytest.mark.parametrize("detector", DETECTORS)
@pytest.mark.parametrize("peers", [["store", "category"], []])
def test_what_is_wrong_is_found_and_named_and_a_holiday_is_not(wrong, detector, peers):
    found = find(wrong, detector, peers=peers)
    assert list(found.columns) == DETECTION_COLUMNS
    days = (found["ds"] - START).dt.days
    missed = 0
    for series, (span, _, kinds) in WRONG.items():
        own = found[(found["unique_id"] == series) & days.between(span.start, span.stop + 2)]
        missed += own.empty
        assert own.empty or kinds & set(own["kind"]), (series, own)
    assert missed <= (1 if detector == "seasonal_smoothing" else 2)
    assert not days.isin([150, 340]).any()
    weeks = len(wrong) / 7
    true = [
        days.iloc[row] in range(WRONG[name][0].start, WRONG[name][0].stop + 3)
        for row, name in enumerate(found["unique_id"])
        if name in WRONG
    ]
    assert len(found) - sum(true) <= 0.02 * weeks
    assert found["driver"].notna().all()


def test_an_alert_says_what_was_expected_and_what_the_peers_did():
    frame = changed(panel(), "s0c1", slice(340, 341), lambda y: 0 * y)
    alert = find(frame, all_rows=True).set_index(["unique_id", "ds"]).loc["s0c1", START + pd.Timedelta(days=340)]
    usual = (
        frame.loc[(frame["unique_id"] == "s0c1") & (frame["ds"] < START + pd.Timedelta(days=340)), "y"].tail(28).mean()
    )
    assert alert["score"] > 1
    assert 2 * usual < alert["expected"] < 4.5 * usual  # everybody else sold three times as much
    assert alert["expected_low"] < alert["expected"] < alert["expected_high"]
    assert 2 < alert["peer_ratio"] < 4


@pytest.mark.parametrize("detector", DETECTORS)
def test_a_fault_of_a_whole_store_shows_in_its_sum(detector):
    """Its categories share it, so none of them is unusual beside the others; other stores say that it is no holiday."""
    categories = panel(5, 4).assign(category_peers=lambda frame: frame["category"])
    for category in range(4):
        categories = changed(categories, f"s2c{category}", slice(250, 251), lambda y: y // 4)
    stores = categories.groupby(["store", "ds"], as_index=False)["y"].sum()
    stores = stores.assign(unique_id=stores["store"], store=None, category_peers="all of a store")
    found = find(pd.concat([categories, stores]), detector, peers=["store", "category_peers"])
    alerts = found.loc[(found["ds"] - START).dt.days == 250, "unique_id"]
    assert list(alerts) == ["s2"]
    assert not (found["ds"] - START).dt.days.isin([150, 340]).any()


@pytest.mark.parametrize("detector", BESIDE_PEERS)
def test_clean_sales_stay_within_the_budget(detector):
    frame = panel(8, 5)
    assert len(find(frame, detector)) <= 0.02 * len(frame) / 7


@pytest.mark.parametrize("detector", ALL)
@pytest.mark.parametrize("peers", [["store", "category"], []])
def test_a_score_depends_on_nothing_later(wrong, detector, peers):
    cut = wrong[wrong["ds"] <= START + pd.Timedelta(days=260)]
    whole = find(wrong, detector, peers=peers, all_rows=True).merge(cut[["unique_id", "ds"]])
    pd.testing.assert_frame_equal(find(cut, detector, peers=peers, all_rows=True), whole, check_dtype=False)


def odd_series() -> pd.DataFrame:
    ds = pd.date_range(START, periods=DAYS)
    random = np.random.default_rng(5)
    usual = random.poisson(40, DAYS).astype(float)
    wild, gappy = usual.copy(), usual.copy()
    wild[250] = 1e12
    gappy[random.random(DAYS) < 0.6] = np.nan
    weekly = np.where(np.arange(DAYS) % 7 == 0, usual, np.nan)
    values = {
        "odd empty": np.full(DAYS, np.nan),
        "odd one point": np.where(np.arange(DAYS) == 9, 5, np.nan),
        "odd constant": np.full(DAYS, 5.0),
        "odd zero": np.zeros(DAYS),
        "odd wild": wild,
        "odd gappy": gappy,
        "odd negative": -usual,
        "odd weekly": weekly,
        "odd random": random.normal(0, 1e6, DAYS),
    }
    return pd.concat([pd.DataFrame({"unique_id": name, "ds": ds, "y": y, "store": name}) for name, y in values.items()])


@pytest.mark.parametrize("detector", ALL)
@pytest.mark.parametrize("peers", [["store", "category"], []])
def test_odd_series_change_no_alert_of_the_others(wrong, detector, peers):
    mixed = find(pd.concat([wrong, odd_series()]), detector, peers=peers, all_rows=True)
    alone = find(wrong, detector, peers=peers, all_rows=True)
    others = mixed[~mixed["unique_id"].str.startswith("odd")].reset_index(drop=True)
    pd.testing.assert_frame_equal(others, alone)
    assert np.isfinite(mixed["score"]).all()
    wild = mixed[(mixed["unique_id"] == "odd wild") & mixed["alert"]]
    assert START + pd.Timedelta(days=250) in set(wild["ds"])
    assert not mixed.loc[
        mixed["unique_id"].isin(["odd constant", "odd zero", "odd empty", "odd one point"]), "alert"
    ].any()


def test_training_ends_where_it_is_told_to(wrong):
    last = START + pd.Timedelta(days=190)
    found = find(wrong, all_rows=True, train_end=last)
    assert not found.loc[found["ds"] <= last, "alert"].any()
    assert found.loc[found["ds"] > last, "alert"].any()


@pytest.mark.parametrize("detector", DETECTORS)
def test_again_is_bit_identical(wrong, detector):
    pd.testing.assert_frame_equal(find(wrong, detector), find(wrong, detector), check_exact=True)


@pytest.mark.parametrize("references", [4, 500])
@pytest.mark.parametrize("peers", [["store", "category"], []])
def test_series_in_parts_give_what_all_give_at_once(wrong, peers, references, monkeypatch):
    monkeypatch.setattr(detection, "REFERENCES", references)
    at_once = find(wrong, peers=peers, all_rows=True)
    monkeypatch.setattr(detection, "SERIES_AT_A_TIME", 2)
    pd.testing.assert_frame_equal(at_once, find(wrong, peers=peers, all_rows=True), check_exact=True)


def late_beside_old(count: int, spikes: list[int]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Series that begin 300 days after an old one: alone and beside it."""
    y = np.random.default_rng(3).poisson(40, (count + 1, 750)).astype(float)
    y[:, spikes] *= 3
    days = pd.date_range(START, periods=750)
    old, *late = (
        pd.DataFrame({"unique_id": f"{row}", "ds": days[first:], "y": y[row, first:], "group": f"{row}"})
        for row, first in enumerate([0] + [300] * count)
    )
    return pd.concat(late), pd.concat([old, *late])


@pytest.mark.parametrize("detector", ["seasonal_smoothing", "spectral_residual"])
def test_a_series_that_begins_late_is_as_large_as_it_is(detector):
    """The nothing before it must not make it look as if it hardly sold anything."""
    spike = START + pd.Timedelta(days=380)
    alone, beside = (find(frame, detector, peers=["group"]) for frame in late_beside_old(8, [380]))
    known, seen = (set(frame.loc[frame["ds"] == spike, "unique_id"]) - {"0"} for frame in (alone, beside))
    assert len(known) >= 4
    assert known == seen


def test_the_ordinary_days_of_a_series_that_begins_late_are_not_rare():
    alone, beside = (find(frame, "whole_past", peers=["group"]) for frame in late_beside_old(8, []))
    assert (beside["unique_id"] != "0").sum() <= len(alone)


def test_known_anomalies_are_not_learned_from():
    """A month of known double sales: what comes after is measured by what was before."""
    frame = changed(panel(2, 2), "s0c0", slice(200, 230), lambda y: 2 * y)
    labels = {("s0c0", START + pd.Timedelta(days=day)) for day in range(200, 230)}
    told, untold = (find(frame, all_rows=True, labels=names) for names in (labels, ()))
    frame = frame[frame["unique_id"] == "s0c0"].set_index("ds")["y"]
    usual = frame[START + pd.Timedelta(days=171) : START + pd.Timedelta(days=199)].mean()
    day = START + pd.Timedelta(days=231)
    known, unknown = (found.set_index(["unique_id", "ds"])["expected"]["s0c0", day] for found in (told, untold))
    assert known < unknown
    assert known == pytest.approx(usual, rel=0.35)


@pytest.mark.parametrize("y", [[], [1.0], [0.0] * 200, [5.0] * 10, [np.nan] * 100])
def test_small_and_flat_series_raise_nothing(y):
    frame = pd.DataFrame({"unique_id": "a", "ds": pd.date_range(START, periods=len(y)), "y": y})
    assert find(frame, peers=[]).empty


def test_every_row_that_was_asked_for_and_no_other(wrong):
    frame = wrong.reset_index(drop=True)
    frame.loc[[5, 150, 151], "y"] = np.nan
    gappy = frame.drop(index=range(500, 520)).sample(frac=1, random_state=1)
    found = find(gappy, all_rows=True)
    expected = gappy.sort_values(["unique_id", "ds"], ignore_index=True)
    pd.testing.assert_frame_equal(found[["unique_id", "ds"]], expected[["unique_id", "ds"]])
    assert not found.loc[found["observed"].isna(), "alert"].any()
    assert found["score"].notna().all()


def test_timestamps_off_the_grid_lose_no_row():
    random = np.random.default_rng(2)
    ds = START + pd.to_timedelta(np.cumsum(random.integers(1, 9, 900)), unit="min")
    frame = pd.DataFrame({"unique_id": "a", "ds": ds, "y": random.poisson(50, 900).astype(float)})
    frame.loc[800, "y"] = 900
    found = find(frame, peers=[], freq="5min", season=12, all_rows=True)
    assert list(found["ds"]) == list(ds)
    assert found.loc[800, "alert"]


def test_a_stray_timestamp_is_named():
    frame = panel(1, 1).assign(ds=lambda frame: START + pd.to_timedelta(np.arange(len(frame)) * 5, unit="min"))
    frame.loc[0, "ds"] = pd.Timestamp("1970-01-01")
    with pytest.raises(ValueError, match=r"from 1970-01-01 00:00:00 to .* check the first and last timestamps"):
        find(frame, freq="5min")


@pytest.mark.parametrize(
    ("freq", "season", "first"), [("W", 52, "2020-01-06"), ("MS", 12, "1990-01-01"), ("h", 24, "2025-01-06")]
)
def test_any_calendar_will_do(freq, season, first):
    ds = pd.date_range(first, periods=400, freq={"W": "7D"}.get(freq, freq))
    y = np.random.default_rng(3).poisson(50, 400).astype(float)
    y[300] = 500
    found = find(pd.DataFrame({"unique_id": "a", "ds": ds, "y": y}), freq=freq, season=season, peers=[])
    assert ds[300] in set(found["ds"])


def test_a_missing_peer_column_is_named():
    with pytest.raises(ValueError, match="lacks the column region"):
        find(panel(2, 2), peers=["region"])
    with pytest.raises(ValueError, match="store is no text in row 1"):
        find(panel(1, 1).assign(store=[["s0"]] * DAYS), peers=["store"])


def test_a_tail_by_hand():
    """Scores with a Pareto tail, 1 / share: a share of 1 % is exceeded by 100, and of 0.01 % by 10,000."""
    scores = 1 / ((np.arange(100_000) + 0.5) / 100_000)
    measured = clean_tail(scores[None])
    assert measured.threshold(0.01)[0] == pytest.approx(100, rel=0.01)
    assert measured.threshold(0.0001)[0] == pytest.approx(10_000, rel=0.02)


def test_a_tail_probability_by_hand():
    """The same tail: twice the threshold of 1 % is 200, which half as many exceed; half of it is 50, and 2 %."""
    measured = clean_tail((1 / ((np.arange(100_000) + 0.5) / 100_000))[None])
    found = tail_probability(np.array([1.0, 2.0, 0.5, 0.0]), measured.decay, 0.01)
    assert found == pytest.approx([0.01, 0.005, 0.02, 1.0], rel=0.02)


def test_a_threshold_is_not_moved_by_the_anomalies_of_the_past():
    clean = np.abs(np.random.default_rng(0).normal(0, 1, 1000))
    dirty = np.where(np.arange(1000) % 100 == 0, 1000.0, clean)
    counted = np.ones((2, 1000), dtype=bool)
    prior = Tail(np.log([1.6, 1.6]), np.array([0.17, 0.17]))
    low, high = thresholds(np.stack([clean, dirty]), counted, prior, allowed_share(0.02, 7))
    assert 0.95 * low < high < 1.1 * low
    assert 2.5 < low < 3.5


def test_no_past_takes_the_prior():
    prior = Tail(np.log([2.0]), np.array([0.2]))
    assert thresholds(np.zeros((1, 5)), np.zeros((1, 5), dtype=bool), prior, 0.001)[0] == prior.threshold(0.001)[0]


def test_an_episode_is_reported_once_and_again_after_its_cooldown():
    kinds = np.full((2, 40), None, dtype=object)
    for series, period, kind in [
        (0, 10, "spike"),
        (0, 11, "drop"),  # the same episode
        (0, 16, "level_shift"),  # says more of it
        (0, 17, "level_shift"),
        (0, 24, "spike"),  # still within seven periods of the last
        (0, 32, "spike"),  # a new episode
        (1, 33, "spike"),
    ]:
        kinds[series, period] = kind
    reported = first_of_episode(kinds != None, kinds, cooldown=7)  # noqa: E711
    assert list(zip(*np.nonzero(reported), strict=True)) == [(0, 10), (0, 16), (0, 32), (1, 33)]


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(-5, 300), min_size=90, max_size=160), st.integers(75, 159))
def test_cutting_off_the_future_changes_no_score(y, end):
    other = panel(1, 2)
    frame = pd.concat(
        [
            pd.DataFrame({"unique_id": "a", "ds": pd.date_range(START, periods=len(y)), "y": np.array(y, float)}),
            other[other["ds"] < START + pd.Timedelta(days=160)],
        ]
    )
    last = START + pd.Timedelta(days=end)
    whole = find(frame, peers=[], all_rows=True)
    cut = find(frame[frame["ds"] <= last], peers=[], all_rows=True)
    pd.testing.assert_frame_equal(cut, whole[whole["ds"] <= last].reset_index(drop=True), check_dtype=False)


def test_a_later_change_of_peers_changes_no_earlier_row():
    frame = pd.concat(
        pd.DataFrame({"unique_id": name, "ds": pd.date_range("2025-01-01", periods=3), "y": 1.0, "store": name[0]})
        for name in ("a1", "a2", "b1")
    )
    moved = frame.copy()
    moved.loc[(moved["unique_id"] == "a2") & (moved["ds"] > "2025-01-02"), "store"] = "b"
    for panel in (frame, moved, moved.sample(frac=1, random_state=1)):
        assert read_series(panel, "D", ["store"]).groups[0].tolist() == [0, 0, 1]
    assert read_series(frame, "D", ["unique_id"]).groups[0].tolist() == [0, 1, 2]


@pytest.mark.parametrize("name", ["isolation_forest", "seasonal_smoothing"])
def test_series_that_mostly_sell_nothing_keep_to_the_budget(name):
    random = np.random.default_rng(5)
    days, count = 365, 80
    ds = pd.date_range("2025-01-01", periods=days)
    # one day in twelve sells, one to four units
    sales = (random.random((count, days)) < 1 / 12) * random.integers(1, 5, (count, days)).astype(float)
    panel = pd.concat(
        [pd.DataFrame({"unique_id": f"s{row:02}", "ds": ds, "y": each}) for row, each in enumerate(sales)]
    )
    alerts = detect(panel, detectors=[name], season=7, seed=1, alert_budget=0.02)
    assert len(alerts) <= 0.02 * count * (days - 56) / 7


@pytest.mark.parametrize("every", [8, 30])
def test_a_sale_beyond_all_of_a_sparse_series_is_found(every):
    """Sales of one to three units now and then, until one of 40. A sale of 3 is as usual as before, even after it."""
    random = np.random.default_rng(every)
    sales = (random.random((20, DAYS)) < 1 / every) * random.integers(1, 4, (20, DAYS)).astype(float)
    sales[:, 300], sales[:, 320] = 40, 3
    ds = pd.date_range(START, periods=DAYS)
    frame = pd.concat(pd.DataFrame({"unique_id": f"s{row:02}", "ds": ds, "y": y}) for row, y in enumerate(sales))
    found = find(frame, peers=[])
    days = (found["ds"] - START).dt.days
    assert (days == 300).sum() == 20
    assert set(found.loc[days == 300, "kind"]) == {"spike"}
    assert not (days == 320).any()
    assert len(found) - 20 <= 0.02 * len(frame) / 7


def test_a_sparse_series_that_sells_every_day_has_shifted():
    random = np.random.default_rng(6)
    y = (random.random(DAYS) < 1 / 8).astype(float)
    y[300:314] = 1
    frame = pd.DataFrame({"unique_id": "a", "ds": pd.date_range(START, periods=DAYS), "y": y})
    found = find(frame, peers=[])
    assert set(found.loc[(found["ds"] - START).dt.days.between(300, 313), "kind"]) == {"level_shift"}


def test_the_rarity_of_sales_by_hand():
    """One unit on each tenth day, 20 times; then 21 units, and nothing for as long again.

    The 21 units are twice 1 + 20, so their size has a chance of 2^-21, and a sale one of 1 in 10. The chance of none in
    so many days falls from day to day.
    """
    y = np.where(np.arange(400) % 10 == 0, 1.0, 0.0)
    y[200], y[201:] = 21, 0
    is_sparse, (size, _, run) = rarity_of_sales(y[None], np.ones((1, 400), dtype=bool), [7])
    assert is_sparse[0, 20:].all()
    assert size[0, 200] == pytest.approx(2.15 * np.sqrt(21 * np.log10(2) + 1), rel=0.01)
    assert size[0, 201:].max() == 0
    assert (np.diff(run[0, 200:260]) > 0).all()


def test_the_number_of_sales_in_a_window_by_hand():
    """Sales on every tenth day, then on two days in a row: beta-binomial with a mean of 0.1, as if known from 30."""
    y = np.where(np.arange(401) % 10 == 0, 1.0, 0.0)
    y[391:] = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1]
    _, (_, sales, _) = rarity_of_sales(y[None], np.ones((1, 401), dtype=bool), [7])
    assert sales[0, 400] == pytest.approx(2.15 * np.sqrt(-np.log10(betabinom.sf(1, 7, 3, 27))), rel=0.02)
