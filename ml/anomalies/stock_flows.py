"""What neither demand nor supply explains in the daily flows of a product: falls, receipts, returns and standstills.

A level by itself says little: a delivery is a spike and a sell-out a zero, and both happen every day. So flows are
judged. Units out follow a negative binomial distribution. Its mean is what usually goes out of the product, times
factors for the weekday, for a price cut and for the day of the whole store. A receipt is judged by the sizes of the
product's last deliveries and by the days between them, alone and together with the receipt before it. A score is
-log10 of the probability of something at least as unusual.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from ml.cache import cached

CODE = Path(__file__).parent
LIBRARIES = ("numpy", "pandas", "scipy")
FLOW_COLUMNS = ["unique_id", "ds", "category", "units_out", "units_in", "opening_level", "price", "is_expected"]
FOUND_COLUMNS = [
    "unique_id", "ds", "kind", "score", "observed", "expected", "spread", "days", "usual_days", "store_ratio",
]  # fmt: skip

# The score from which a kind is reported: a thousand products exceed it by chance a few times a year.
THRESHOLDS = {"fall": 6.0, "receipt": 4.5, "receipts": 6.0, "return": 5.5, "standstill": 4.5}
# A return is a fall and a receipt right after it. Each must be unlikely, but less so than one that is reported alone.
LEAST_FALL_SCORE, LEAST_RECEIPT_SCORE = 3.0, 1.2
# Two receipts in a row: each must be unlikely, and they must lie close together, or the second only follows from the
# first.
LEAST_SCORE_IN_A_ROW, DAYS_IN_A_ROW = 2.0, 5

KNOWN_DAYS = 20  # days in stock before the demand for a product is known
KNOWN_RECEIPTS = 4  # receipts before the supply of a product is known
MEMORY = 20  # days in stock that the moving average of units out reaches back
RECEIPTS_REMEMBERED = 8
PRICES_REMEMBERED = 56
PROMOTED = 0.03  # a price so far below the usual one is a promotion
STORE_PRIOR = 10.0  # units out by which the day of a store is drawn towards an ordinary one
LEAST_STORE_RATIO = 0.7  # a slow day of the store makes a fall no more unlikely than this
LEAST_DEMAND = 0.02  # units a day
LEAST_LOGARITHM = -300.0  # of a probability; a smaller one underflows to 0, whose logarithm is infinite
LEAST_UNITS = 4  # away from what was expected: fewer may be one customer
COOLDOWN = pd.Timedelta(days=7)  # later findings of the product within it belong to the first


class Demand(NamedTuple):
    """What the products of a store share: factors of their usual demand, and how far days stray from it."""

    weekday: pd.Series  # by category and weekday
    lift: float  # of a promotion
    dispersion: pd.Series  # by class of demand and promotion: variance = mean + dispersion * mean ** 2


def find_unexplained_flows(flows: pd.DataFrame, *, cache_dir: Path | None = None) -> pd.DataFrame:
    """Find the days of a store's products whose flows neither demand nor supply explains.

    `flows`: one row per product and day with a reading: `unique_id`, `ds` (day), `category`, `units_out` and `units_in`
    (units since the reading day before), `opening_level` (units at the start), `price` (may be NaN) and `is_expected`
    (somebody said that nothing was wrong: nothing is learned from that day). The products are those of one store, since
    they share its closed and its busy days.

    Returns a row per finding: `unique_id, ds, kind` (a key of THRESHOLDS), `score` (over its threshold),
    `observed`, `expected` and `spread` (units; spread is one standard deviation), `days` (since the reading day before,
    since the last receipt, or of standstill), `usual_days` (between receipts; NaN for the others) and `store_ratio`
    (units out of the store's other products over what was expected of them). A finding depends on no later day. Raises
    ValueError that names a missing column.
    """
    missing = [column for column in FLOW_COLUMNS if column not in flows.columns]
    if missing:
        raise ValueError(f"the flows lack the column {', '.join(missing)} (found: {', '.join(flows.columns)})")
    days = flows[FLOW_COLUMNS].sort_values(["unique_id", "ds"], ignore_index=True)
    if days.empty:
        return empty_findings()
    return cached(cache_dir, ("unexplained flows",), [days], partial(_find, days), code=CODE, libraries=LIBRARIES)


def _find(days: pd.DataFrame) -> pd.DataFrame:
    days["days"] = days.groupby("unique_id")["ds"].diff().dt.days.fillna(1.0)
    days["weekday"] = days["ds"].dt.dayofweek
    days["counts"] = ((days["opening_level"] > 0) | (days["units_in"] > 0)) & ~days["is_expected"]
    days["usual"], days["still_share"], days["known_days"] = _usual_units_out(days)
    days["promoted"] = _is_promoted(days)
    _expect(days)
    falls, receipts = _falls(days), _receipts(days)
    both = [_receipts_in_a_row(receipts), _returns(falls, receipts)]
    found = pd.concat([falls, _standstills(days), receipts, *both], ignore_index=True)
    off = (found["observed"] - found["expected"]).abs()
    found = found[(found["score"] >= found["kind"].map(THRESHOLDS)) & (off >= LEAST_UNITS)]
    return _first_of_each(found)[FOUND_COLUMNS]


def empty_findings() -> pd.DataFrame:
    """A frame of findings without rows, its columns typed as in a full one."""
    types = dict.fromkeys(FOUND_COLUMNS, "float64") | {"unique_id": "string", "ds": "datetime64[ns]", "kind": "string"}
    return pd.DataFrame({column: pd.Series(dtype=types[column]) for column in FOUND_COLUMNS})


def _usual_units_out(days: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Usual units out per day in stock before each row, the share of these days on which nothing went out, and their
    number.

    Moving averages; units out beyond three standard deviations count only up to there.
    """
    series, position = days.groupby("unique_id", sort=False).ngroup().to_numpy(), days.groupby("unique_id").cumcount()
    shape = (series[-1] + 1, int(position.max()) + 1)
    cells = (series, position.to_numpy())
    rates, counts = np.zeros(shape), np.zeros(shape, dtype=bool)
    rates[cells], counts[cells] = days["units_out"] / days["days"], days["counts"]

    usual, still, known = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    mean, variance, idle, seen = np.zeros(shape[0]), np.ones(shape[0]), np.zeros(shape[0]), np.zeros(shape[0])
    for column in range(shape[1]):
        usual[:, column], still[:, column], known[:, column] = mean, idle, seen
        rate, weight = rates[:, column], np.maximum(1 / MEMORY, 1 / (seen + 1.5))
        tempered = np.minimum(rate, mean + 3 * np.sqrt(np.maximum(variance, mean) + 0.5))
        is_first, is_later = counts[:, column] & (seen == 0), counts[:, column] & (seen > 0)
        variance = np.where(is_later, variance + weight * ((tempered - mean) ** 2 - variance), variance)
        idle = np.where(counts[:, column], idle + weight * ((rate == 0) - idle), idle)
        mean = np.where(is_first, rate, np.where(is_later, mean + weight * (tempered - mean), mean))
        seen = seen + counts[:, column]
    return usual[cells], still[cells], known[cells]


def _is_promoted(days: pd.DataFrame) -> pd.Series:
    usual = days.groupby("unique_id")["price"].transform(lambda price: price.rolling(PRICES_REMEMBERED, 5).median())
    return days["price"] < (1 - PROMOTED) * usual


def _expect(days: pd.DataFrame) -> None:
    """Add to each day the `expected` units out, their `dispersion`, and the `store_ratio` that they contain.

    What products share is learned month by month, from the months before. In the first month it is unknown: NaN.
    """
    days["expected"], days["dispersion"], days["store_ratio"] = np.nan, np.nan, 1.0
    teaches = days["counts"] & (days["days"] == 1) & (days["known_days"] >= KNOWN_DAYS)
    month = days["ds"].dt.to_period("M")
    for current in month.unique()[1:]:
        past = days[teaches & (month < current)]
        if past["units_out"].sum() == 0:
            continue
        demand, rows = _learned(past), month == current
        block = days[rows]
        usual = _shared(block, demand) * block["days"]
        ratio = _store_ratio(block, usual, teaches[rows])
        expected = np.maximum(usual * ratio, LEAST_DEMAND)
        days.loc[rows, "expected"] = expected.where(block["known_days"] >= KNOWN_DAYS)
        days.loc[rows, "store_ratio"] = ratio
        days.loc[rows, "dispersion"] = _dispersion(demand, expected, block["promoted"])


def _learned(past: pd.DataFrame) -> Demand:
    weekdays = past.groupby(["category", "weekday"])[["units_out", "usual"]].sum()
    weekday = (weekdays["units_out"] + STORE_PRIOR) / (weekdays["usual"] + STORE_PRIOR)
    usual = past["usual"] * _of(weekday, past["category"], past["weekday"], 1.0)
    promoted = past["promoted"]
    lift = (past["units_out"][promoted].sum() + STORE_PRIOR) / (usual[promoted].sum() + STORE_PRIOR)
    expected = np.maximum(usual * np.where(promoted, lift, 1.0), LEAST_DEMAND)
    strays = pd.DataFrame({
        "excess": (past["units_out"] - expected) ** 2 - expected,
        "square": expected**2,
        "size": _size(expected),
        "promoted": promoted,
    })  # fmt: skip
    # one anomaly in a thousand days must not make the others usual
    most = strays.groupby(["size", "promoted"])["excess"].transform(lambda excess: excess.quantile(0.999))
    sums = strays.assign(excess=strays["excess"].clip(upper=most)).groupby(["size", "promoted"]).sum()
    return Demand(weekday, float(lift), (sums["excess"] / sums["square"]).clip(0.05, 3.0))


def _size(expected: pd.Series) -> pd.Series:
    return np.log(expected).round().clip(-2, 6)


def _shared(block: pd.DataFrame, demand: Demand) -> pd.Series:
    weekday = _of(demand.weekday, block["category"], block["weekday"], 1.0)
    return block["usual"] * weekday * np.where(block["promoted"], demand.lift, 1.0)


def _dispersion(demand: Demand, expected: pd.Series, promoted: pd.Series) -> np.ndarray:
    return _of(demand.dispersion, _size(expected), promoted, float(demand.dispersion.max()))


def _of(values: pd.Series, first: pd.Series, second: pd.Series, default: float) -> np.ndarray:
    """The value of each pair of keys, or the default for a pair that is new."""
    return values.reindex(pd.MultiIndex.from_arrays([first, second])).fillna(default).to_numpy()


def _store_ratio(block: pd.DataFrame, usual: pd.Series, counts: pd.Series) -> pd.Series:
    """Units out of the store's other products on a day over what was expected of them, 1 where there are none."""
    out, due = block["units_out"].where(counts, 0.0), usual.where(counts, 0.0)
    # one product may not speak for the store
    out = np.minimum(out, due + 3 * np.sqrt(due + 1))
    all_out, all_due = out.groupby(block["ds"]).transform("sum"), due.groupby(block["ds"]).transform("sum")
    return (all_out - out + STORE_PRIOR) / (all_due - due + STORE_PRIOR)


def _falls(days: pd.DataFrame) -> pd.DataFrame:
    at_least = np.maximum(days["store_ratio"], LEAST_STORE_RATIO) / days["store_ratio"]
    expected = days["expected"] * at_least
    score = -_negative_binomial(stats.nbinom.logsf, days["units_out"] - 1, expected, days["dispersion"])
    return _found(days, "fall", score, days["units_out"], expected, days["days"])


def _standstills(days: pd.DataFrame) -> pd.DataFrame:
    is_still = (days["units_out"] == 0) & (days["units_in"] == 0) & (days["opening_level"] > 0)
    run = (~is_still).groupby(days["unique_id"]).cumsum()
    runs = [days["unique_id"], run]
    unlikely = -_negative_binomial(stats.nbinom.logpmf, 0, days["expected"], days["dispersion"])
    # demand that comes in bursts leaves more days without it than the distribution says
    with np.errstate(divide="ignore"):
        usually = -np.log10(days["still_share"].groupby(runs).transform("first"))
    score = np.minimum(unlikely, usually).where(is_still, 0.0).groupby(runs).cumsum()
    expected = days["expected"].where(is_still, 0.0).groupby(runs).cumsum()
    lasted = days["days"].where(is_still, 0.0).groupby(runs).cumsum()
    return _found(days, "standstill", score.where(is_still, 0.0), 0.0 * expected, expected, lasted)


def _negative_binomial(
    function: Callable[..., np.ndarray], units: pd.Series | int, expected: pd.Series, dispersion: pd.Series
) -> pd.Series:
    """log10 of a probability function of scipy's negative binomial with this mean; NaN where nothing is expected."""
    count = 1 / dispersion
    values = function(units, count, count / (count + expected)) / np.log(10)
    return pd.Series(np.maximum(values, LEAST_LOGARITHM), expected.index)


def _receipts(days: pd.DataFrame) -> pd.DataFrame:
    """Receipts, scored by how unlike the product's last ones they are in size, and how much sooner they come."""
    received = days[days["units_in"] > 0].copy()
    product = received["unique_id"]
    received["since"] = received.groupby("unique_id")["ds"].diff().dt.days
    size, size_spread = _usual_receipts(np.log(received["units_in"]), product)
    gap, gap_spread = _usual_receipts(np.log(received["since"]), product)
    # orders come in packs and are rounded, and no delivery keeps to the day
    size_sd = np.sqrt(0.5 * size_spread.fillna(0.2) ** 2 + 0.12**2 + 0.5 / np.exp(size))
    gap_sd = np.sqrt(0.5 * gap_spread.fillna(0.3) ** 2 + 0.25**2)
    size_score = -np.log10(2 * stats.t.sf(np.abs(np.log(received["units_in"]) - size) / size_sd, 5))
    gap_score = -np.log10(stats.t.cdf((np.log(received["since"]) - gap) / gap_sd, 7))
    score = pd.Series(np.nan_to_num(size_score) + np.nan_to_num(gap_score), received.index)
    expected = np.exp(size)
    found = _found(received, "receipt", score, received["units_in"], expected, received["since"])
    return found.assign(spread=expected * np.expm1(size_sd), usual_days=np.exp(gap))


def _receipts_in_a_row(receipts: pd.DataFrame) -> pd.DataFrame:
    """Receipts that are both unlike the product's deliveries, as of the later one; `observed` is the earlier one.

    Where a level is wrong for weeks, deliveries seem too small or too large, and its correction is one more receipt.
    """
    before = receipts.groupby("unique_id")[["score", "observed"]].shift()
    both = receipts.assign(kind="receipts", observed=before["observed"], score=receipts["score"] + before["score"])
    is_unlikely = np.minimum(receipts["score"], before["score"]) >= LEAST_SCORE_IN_A_ROW
    return both[is_unlikely & (receipts["days"] <= DAYS_IN_A_ROW)]


def _returns(falls: pd.DataFrame, receipts: pd.DataFrame) -> pd.DataFrame:
    """Falls that came back on the next day with a reading, as of that day."""
    before = falls.shift()[falls["unique_id"] == falls["unique_id"].shift()]
    both = before.loc[before.index.isin(receipts.index)].assign(ds=falls["ds"], days=falls["days"], kind="return")
    received = receipts["score"].reindex(both.index)
    both["score"] += received
    return both[(both["score"] - received >= LEAST_FALL_SCORE) & (received >= LEAST_RECEIPT_SCORE)]


def _usual_receipts(values: pd.Series, product: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Median of the product's receipts before each, and how far receipts strayed from it so far."""

    def median(of: pd.Series, last: int, least: int) -> pd.Series:
        return of.groupby(product).transform(lambda value: value.shift().rolling(last, min_periods=least).median())

    usual = median(values, RECEIPTS_REMEMBERED, KNOWN_RECEIPTS)
    return usual, 1.4826 * median((values - usual).abs(), 12, 3)


def _found(
    days: pd.DataFrame, kind: str, score: pd.Series, observed: pd.Series, expected: pd.Series, lasted: pd.Series
) -> pd.DataFrame:
    spread = np.sqrt(expected + days["dispersion"] * expected**2)
    columns = days[["unique_id", "ds", "store_ratio"]]
    return columns.assign(
        kind=kind, score=score, observed=observed, expected=expected, spread=spread, days=lasted, usual_days=np.nan
    )


def _first_of_each(found: pd.DataFrame) -> pd.DataFrame:
    """Leave out what follows a finding of the same product within the cooldown."""
    found = found.sort_values(["unique_id", "ds", "score"], ascending=[True, True, False], ignore_index=True)
    same = found["unique_id"] == found["unique_id"].shift()
    return found[~(same & (found["ds"] - found["ds"].shift() <= COOLDOWN))].reset_index(drop=True)
