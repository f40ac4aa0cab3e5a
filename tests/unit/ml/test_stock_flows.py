import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.anomalies import stock_flows
from ml.anomalies.stock_flows import FOUND_COLUMNS, find_unexplained_flows

START, DAYS, PRODUCTS = pd.Timestamp("2025-01-01"), 200, 12
PACK = 48


def store(seed: int = 1) -> pd.DataFrame:
    """A store whose products sell about six a day and are filled up by packs; on day 100 it is closed."""
    random = np.random.default_rng(seed)
    frames = []
    for product in range(PRODUCTS):
        level, rows = 60, []
        for day in range(DAYS):
            out = 0 if day == 100 else min(level, random.poisson(6))
            received = PACK if level - out < 15 and day != 100 else 0
            rows.append((out, received, level))
            level += received - out
        frame = pd.DataFrame(rows, columns=["units_out", "units_in", "opening_level"], dtype=float)
        ds = pd.date_range(START, periods=DAYS)
        frames.append(frame.assign(unique_id=f"P{product:02}", ds=ds, category="Toys", price=10.0, is_expected=False))
    return pd.concat(frames, ignore_index=True)


def changed(flows: pd.DataFrame, product: str, day: int, **values: float) -> pd.DataFrame:
    flows = flows.copy()
    at = (flows["unique_id"] == product) & (flows["ds"] == START + pd.Timedelta(days=day))
    flows.loc[at, list(values)] = list(values.values())
    return flows


def found(flows: pd.DataFrame) -> set[tuple[str, int, str]]:
    frame = find_unexplained_flows(flows)
    assert list(frame.columns) == FOUND_COLUMNS
    return {(row.unique_id, (row.ds - START).days, row.kind) for row in frame.itertuples()}


def test_deliveries_sell_outs_and_a_closed_day_are_everyday():
    assert found(store()) == set()


def test_a_fall_beyond_demand_is_found_with_what_was_expected():
    findings = find_unexplained_flows(changed(store(), "P03", 150, units_out=40, opening_level=60))
    (fall,) = findings.to_dict("records")
    assert (fall["unique_id"], fall["kind"], fall["observed"]) == ("P03", "fall", 40)
    assert 4.5 < fall["expected"] < 7.5
    assert 2 < fall["spread"] < 4
    # the other products sold as usual
    assert fall["store_ratio"] == pytest.approx(1, abs=0.3)
    assert fall["score"] > 6


def test_a_fall_beyond_all_probability_has_a_finite_score():
    findings = find_unexplained_flows(changed(store(), "P03", 150, units_out=20_000, opening_level=20_000))
    assert findings["score"].max() == 300


def test_a_receipt_that_is_too_large_and_too_soon_is_found():
    flows = store()
    receipts = flows[(flows["unique_id"] == "P05") & (flows["units_in"] > 0)]
    day = int((receipts["ds"].iloc[-4] - START).days) + 1
    assert found(changed(flows, "P05", day, units_in=5 * PACK)) == {("P05", day, "receipt")}
    # of a usual size, and no sooner than others
    assert found(flows) == set()


def test_two_receipts_in_a_row_are_found_that_prove_little_alone():
    """Deliveries bring 48. One of 16 and, two days later, one of 60 are found together; alone, neither is."""
    flows = store()
    receipts = flows[(flows["unique_id"] == "P05") & (flows["units_in"] > 0)]
    day = int((receipts["ds"].iloc[-4] - START).days)
    small = changed(flows, "P05", day, units_in=16)
    (finding,) = find_unexplained_flows(changed(small, "P05", day + 2, units_in=60)).to_dict("records")
    assert (finding["kind"], finding["observed"], finding["days"]) == ("receipts", 16, 2)
    assert finding["expected"] == pytest.approx(48)
    assert found(small) == set()
    assert found(changed(flows, "P05", day + 2, units_in=60)) == set()


def test_a_standstill_is_found_where_demand_goes_on():
    flows = store()
    for day in range(150, 156):
        flows = changed(flows, "P07", day, units_out=0, units_in=0, opening_level=30)
    ((product, day, kind),) = found(flows)
    assert (product, kind) == ("P07", "standstill")
    assert 150 <= day < 156
    # where the whole store stands still it is closed
    closed = store()
    closed.loc[closed["ds"].between(START + pd.Timedelta(days=150), START + pd.Timedelta(days=155)),
               ["units_out", "units_in"]] = 0  # fmt: skip
    assert found(closed) == set()


def test_demand_in_bursts_pauses_without_standing_still():
    """Twelve units every other day, and then four days without any: the same pause as of a product that sells daily."""
    flows = store()
    own, day = flows["unique_id"] == "P07", (flows["ds"] - START).dt.days
    for units, kinds in ((np.full(DAYS, 6), {"standstill"}), (np.arange(DAYS) % 2 * 12, set())):
        flows.loc[own, "units_out"] = units
        flows.loc[own, ["opening_level", "units_in"]] = 30, 0
        flows.loc[own & day.between(150, 153), "units_out"] = 0
        assert {kind for product, _, kind in found(flows) if product == "P07"} == kinds


def test_an_empty_shelf_does_not_stand_still():
    flows = store()
    for day in range(150, 160):
        flows = changed(flows, "P07", day, units_out=0, units_in=0, opening_level=0)
    assert found(flows) == set()


def test_nothing_depends_on_a_later_day():
    flows = changed(changed(store(), "P03", 120, units_out=45, opening_level=60), "P08", 180, units_out=50)
    until = START + pd.Timedelta(days=150)
    whole, early = find_unexplained_flows(flows), find_unexplained_flows(flows[flows["ds"] <= until])
    pd.testing.assert_frame_equal(early, whole[whole["ds"] <= until].reset_index(drop=True))


def test_the_order_of_rows_does_not_matter():
    flows = changed(store(), "P03", 150, units_out=40, opening_level=60)
    pd.testing.assert_frame_equal(
        find_unexplained_flows(flows), find_unexplained_flows(flows.sample(frac=1, random_state=3))
    )


@pytest.mark.parametrize("units_out", [0, 40], ids=["nothing found", "a fall"])
def test_the_cache_gives_the_bytes_of_what_was_found(tmp_path, monkeypatch, units_out):
    flows = changed(store(), "P03", 150, units_out=units_out, opening_level=60)
    findings = find_unexplained_flows(flows, cache_dir=tmp_path)
    pd.testing.assert_frame_equal(findings, find_unexplained_flows(flows), check_exact=True)
    monkeypatch.setattr(stock_flows, "_find", lambda *_: pytest.fail("fitted again"))
    again = find_unexplained_flows(flows.sample(frac=1, random_state=3), cache_dir=tmp_path)
    pd.testing.assert_frame_equal(findings, again, check_exact=True)


def test_nothing_found_is_an_empty_typed_frame():
    empty = find_unexplained_flows(store().head(0))
    assert list(empty.columns) == FOUND_COLUMNS
    assert empty["score"].dtype == float


def test_a_missing_column_is_named():
    with pytest.raises(ValueError, match="lack the column units_in"):
        find_unexplained_flows(store().drop(columns="units_in"))


@settings(max_examples=8, deadline=None)
@given(
    odd=st.lists(st.sampled_from([0.0, 1.0, 1e6, 1e12]), min_size=1, max_size=60),
    price=st.sampled_from([np.nan, 0.0, 1e9]),
)
def test_an_odd_product_changes_no_finding_of_the_others(odd, price):
    flows = changed(store(), "P03", 150, units_out=40, opening_level=60)
    days = pd.date_range(START, periods=len(odd))
    strange = pd.DataFrame(
        {
            "unique_id": "odd",
            "ds": days,
            "category": "Odd",
            "units_out": odd,
            "units_in": odd[::-1],
            "opening_level": odd,
            "is_expected": False,
        }
    ).assign(price=price)
    others = {each for each in found(pd.concat([flows, strange])) if each[0] != "odd"}
    assert others == found(flows)


def test_a_fall_that_comes_straight_back_is_one_finding():
    flows = changed(store(), "P04", 150, units_out=20, units_in=0, opening_level=20)
    ((product, day, kind),) = found(changed(flows, "P04", 151, units_out=0, units_in=18, opening_level=0))
    assert (product, day, kind) == ("P04", 151, "return")
    # twenty are many for a day, and no proof
    assert found(flows) == set()


def test_nothing_is_learned_from_days_that_were_expected():
    """Twelve times the usual units out for two weeks. Where nobody says that this was expected, 60 become usual."""
    days = range(140, 154)
    flows = store()
    for day in days:
        flows = changed(flows, "P03", day, units_out=70, units_in=70)
    at = (flows["unique_id"] == "P03") & (flows["ds"] - START).dt.days.isin(days)
    flows = changed(flows, "P03", 165, units_out=40, opening_level=60)
    assert ("P03", 165, "fall") not in found(flows)
    assert ("P03", 165, "fall") in found(flows.assign(is_expected=at))
