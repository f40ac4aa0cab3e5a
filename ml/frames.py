"""The frames that the forecasters and detectors take and give, and what is checked of them.

A panel holds one row per series and period: `unique_id` (text), `ds` (timezone-naive timestamp), `y` (float), and
optionally known-future columns (float), which have values in rows beyond the last `y` as well.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Hashable, Sequence
from datetime import timedelta
from numbers import Number
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

FORECAST_COLUMNS = [
    "unique_id",
    "ds",
    "cutoff",
    "model",
    "y_hat",
    "lo80",
    "hi80",
    "lo95",
    "hi95",
    "fallback_reason",
]
DETECTION_COLUMNS = [
    "unique_id",
    "ds",
    "method",
    "score",
    "alert",
    "kind",
    "driver",
    "observed",
    "expected",
    "expected_low",
    "expected_high",
    "peer_ratio",
    "tail_probability",
]
TEXT_DETECTION_COLUMNS = ["note_id", "method", "score", "alert", "reason"]

OLD_SPELLINGS = {"H": "h", "T": "min", "S": "s", "M": "ME", "Q": "QE", "Y": "YE"}  # of pandas
DAY_OR_MONTH = re.compile(r"\s*(\d{1,2})[./-](\d{1,2})[./-](\d{4}|\d{2})(?!\d)")
SIX_DIGITS = re.compile(r"\s*\d{6}\s*")  # 201012 is December 2010, or 20 October 2012 to pandas
FEWEST_STEPS = 3  # two may be alike by chance
REGULAR = 0.8  # share of the periods that are there; read in the wrong order, months are twelve days of each year
LARGEST = 1e19  # more than a whole number of 64 bits; its square still fits into the single precision of the trees
LOOKED_AT = 2_000  # letters of a text; nobody reads further


def read_panel(panel: pd.DataFrame, extra_columns: Sequence[str] = ()) -> pd.DataFrame:
    """Check a panel and bring it into shape: the needed columns only, typed, sorted by series and time.

    Raises ValueError that names the column, and the row or series, at fault.
    """
    return typed_panel(panel, extra_columns).sort_values(["unique_id", "ds"], ignore_index=True)


def typed_panel(panel: pd.DataFrame, extra_columns: Sequence[str] = ()) -> pd.DataFrame:
    """The same as `read_panel`, its rows in the order they were given."""
    wanted = ["unique_id", "ds", "y", *extra_columns]
    missing = [column for column in wanted if column not in panel.columns]
    if missing:
        raise ValueError(
            f"the panel lacks the column {', '.join(missing)} (found: {', '.join(map(str, panel.columns))})"
        )
    if twice := sorted({column for column in wanted if wanted.count(column) > 1}):
        raise ValueError(f"the column {', '.join(twice)} is asked for twice; name each further column once")
    result = panel[wanted].reset_index(drop=True)
    result["unique_id"] = _texts(result["unique_id"])
    _check_filled(result["unique_id"])
    result["ds"] = _timestamps(result["ds"], result["unique_id"])
    for column in ["y", *extra_columns]:
        result[column] = _numbers(result[column])
    doubled = result.duplicated(["unique_id", "ds"])
    if doubled.any():
        first = result[doubled].iloc[0]
        raise ValueError(f"series {first.unique_id!r} has more than one row for {first.ds}")
    return result


def _texts(values: pd.Series) -> pd.Series:
    """Values as text, empty where there are none. Lone surrogates are no text, and no file takes them."""

    def text(value: object) -> str:
        if isinstance(value, bytes):
            return value.decode("utf-8", "replace")
        return str(value).encode("utf-8", "replace").decode()

    # one text for all rows that hold it: a panel has millions of rows and thousands of names
    codes, given = numbered(values)
    texts = np.array([*map(text, given), ""], dtype=object)
    return pd.Series(texts[codes], values.index, name=values.name)


def numbered(values: pd.Series) -> tuple[np.ndarray, Sequence[Any]]:
    """The number of each row's value, -1 where there is none, and the values. Raises ValueError for a list or object:
    it is no name."""
    try:
        return pd.factorize(values)
    except TypeError as error:  # they have no hash
        row = next(row for row, value in enumerate(values) if not isinstance(value, Hashable))
        raise ValueError(f"{values.name} is no text in row {row + 1}: {str(values.iloc[row])[:60]!r}") from error


def _check_filled(texts: pd.Series) -> None:
    if (texts == "").any():
        raise ValueError(f"{texts.name} is empty in row {int(np.argmax(texts == '')) + 1}")


def _timestamps(values: pd.Series, unique_ids: pd.Series) -> pd.Series:
    """Raises ValueError for numbers as well: they may be days, seconds or 20260105."""
    if values.isna().any():
        raise ValueError(f"ds is empty in row {int(np.argmax(values.isna())) + 1}")
    if pd.api.types.infer_dtype(values) not in ("string", "datetime64", "datetime"):
        numbers = [row for row, value in enumerate(values) if isinstance(value, Number | timedelta)]
        if numbers:
            raise ValueError(f"ds is a number in row {numbers[0] + 1}, not a time: {values.iloc[numbers[0]]}")
    if len(values) and SIX_DIGITS.fullmatch(str(values.iloc[0])):
        raise ValueError(
            f"ds may begin with the year, the month or the day in row 1: {values.iloc[0]!r}; write it as 2025-12-31"
        )
    order = date_order(values, unique_ids)
    day_first = order is not None and order.first == "day"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of a spelling that pandas does not know
        try:
            timestamps = pd.to_datetime(values, utc=True, dayfirst=day_first)
        except (ValueError, TypeError):  # the rows differ in their spelling, or one is no time
            spelling = None if order else "ISO8601"
            timestamps = pd.to_datetime(values, utc=True, errors="coerce", format=spelling, dayfirst=day_first)
    unreadable = ~timestamps.between(pd.Timestamp.min.tz_localize("UTC"), pd.Timestamp.max.tz_localize("UTC"))
    if unreadable.any():
        row = int(np.argmax(unreadable))
        raise ValueError(
            f"ds cannot be read as time in row {row + 1}: {str(values.iloc[row])[:60]!r}; write it as 2025-12-31"
        )
    timestamps = timestamps.astype("datetime64[ns, UTC]")
    naive: pd.Series = timestamps.dt.tz_localize(None)
    local = _wall_clock(values)
    is_days = (local == local.dt.normalize()).all()
    return local if is_days or (_is_daily(local) and not _is_daily(naive)) else naive


class DateOrder(NamedTuple):
    first: str  # "day" or "month"
    is_shown: bool  # by a number above twelve; otherwise only this order gives regular series


def date_order(times: pd.Series, unique_ids: pd.Series) -> DateOrder | None:
    """What comes first in dates such as 01/02/2025, None if they are spelled otherwise.

    Raises ValueError where both orders make sense: pandas would take the first number for the month.
    """
    if times.empty or not DAY_OR_MONTH.match(str(times.iloc[0])):
        return None
    codes, spelled = numbered(times)
    parts = pd.Series(spelled).astype(str).str.extract(DAY_OR_MONTH).astype(float)
    parts.columns = ["day", "month", "year"]
    parts = parts.where(parts[["day", "month"]].min(axis=1) <= 12)  # otherwise it is no date
    differ = (parts["day"].notna() & (parts["day"] != parts["month"])).to_numpy()
    if not differ.any():
        return DateOrder("month", is_shown=True)  # it makes no difference
    readings = {"month": parts.rename(columns={"day": "month", "month": "day"}), "day": parts}
    possible = [first for first, dates in readings.items() if dates["month"].max() <= 12]
    if possible == ["month"] or (possible == ["day"] and parts["year"].min() >= 100):  # 23-01-05 may begin with a year
        return DateOrder(possible[0], is_shown=True)
    if len(possible) == 2 and parts["year"].min() >= 100:
        rows = pd.DataFrame({"series": numbered(unique_ids)[0], "date": codes}).drop_duplicates()
        regular = [
            first
            for first, dates in readings.items()
            if _is_regular(rows["series"], pd.to_datetime(dates, errors="coerce").take(rows["date"]))
        ]
        if len(regular) == 1:
            return DateOrder(regular[0], is_shown=False)
    row = int(np.argmax(differ[codes]))
    raise ValueError(
        f"ds may begin with the day or the month in row {row + 1}: {times.iloc[row]!r}; "
        "write the year first, as in 2025-12-31"
    )


def _is_regular(series: pd.Series, days: pd.Series) -> bool:
    """Whether the days of each series are the same number of days, or of months, apart, but for a few gaps."""
    table = pd.DataFrame({"series": series.to_numpy(), "day": days.to_numpy()}).drop_duplicates()
    table = table.sort_values(["series", "day"])
    follows = table["series"].eq(table["series"].shift())
    apart = table["day"].diff().dt.days[follows]
    months = (table["day"].dt.year * 12 + table["day"].dt.month).diff()[follows]
    falls_on_one_day = (table["day"].dt.day.diff()[follows] == 0).all()
    for steps in [apart, months] if falls_on_one_day else [apart]:
        periods = steps / steps.min()
        if (periods % 1 == 0).all() and len(periods) >= max(FEWEST_STEPS, REGULAR * periods.sum()):
            return True
    return False


def _is_daily(times: pd.Series) -> bool:
    return bool(times.notna().all()) and (times - times.dt.normalize()).nunique() == 1


def _wall_clock(times: pd.Series) -> pd.Series:
    """Times without their offset from UTC. Local midnights, or six o'clocks, are days, and stay a day apart when the
    clocks change."""
    if isinstance(times.dtype, pd.DatetimeTZDtype):
        return times.dt.tz_localize(None).astype("datetime64[ns]")
    texts = times.astype(str).str.replace(r"(?<=:\d\d)\s*[+-]\d\d:?\d\d$", "", regex=True)
    return (
        pd.to_datetime(texts, utc=True, errors="coerce", format="ISO8601").dt.tz_localize(None).astype("datetime64[ns]")
    )


def _numbers(values: pd.Series) -> pd.Series:
    numbers = pd.to_numeric(values, errors="coerce").astype(float)
    is_time = values.dtype.kind in "mM"  # pandas would give its nanoseconds
    broken = ((numbers.isna() | is_time) & values.notna()) | (numbers.abs() > LARGEST)
    if broken.any():
        row = int(np.argmax(broken))
        raise ValueError(
            f"{values.name} is not a number up to {LARGEST:g} in row {row + 1}: {str(values.iloc[row])[:60]!r}"
        )
    return numbers


def anchored(freq: str, timestamps: pd.Series) -> str:
    """The pandas frequency that a panel's periods follow: `freq`, on the weekday or the end of the month they fall on.

    A panel of weeks that begin on Mondays does not fit pandas' "W", which means Sundays: it would lose every value.
    Raises ValueError for a frequency that pandas does not know, or that the timestamps do not follow.
    """
    unit = freq.lstrip("0123456789")
    spelled = freq.removesuffix(unit) + OLD_SPELLINGS.get(unit, unit)
    try:
        offset = pd.tseries.frequencies.to_offset(spelled)
    except ValueError as error:
        raise ValueError(f"unknown frequency {freq!r}; use one of pandas, such as D, W, h or MS") from error
    if offset.n <= 0:
        raise ValueError(f"the frequency {freq!r} leads nowhere; use one such as D, W, h or MS")
    choices = [offset]
    if len(timestamps):
        first = timestamps.iloc[0]
        if freq == "W":
            choices.append(pd.offsets.Week(weekday=first.dayofweek))
        starts = {"ME": "MS", "QE": f"QS-{first:%b}", "YE": f"YS-{first:%b}"}
        if spelled in starts:
            choices.append(pd.tseries.frequencies.to_offset(starts[spelled].upper()))
    for choice in choices:
        strays = [timestamp for timestamp in timestamps.unique() if not choice.is_on_offset(pd.Timestamp(timestamp))]
        if not strays:
            return choice.freqstr
    raise ValueError(
        f"{pd.Timestamp(strays[0])} is not a period of the frequency {freq!r}; check the freq of the panel"
    )


def fill_gaps(panel: pd.DataFrame, freq: str) -> pd.DataFrame:
    """Give every series a row for each period between its first and last; an unread period repeats the last value.

    Raises ValueError for a value that lies between the periods.
    """
    if panel.empty:
        return panel

    def dense(name: str, series: pd.DataFrame) -> pd.DataFrame:
        periods = pd.date_range(series["ds"].iloc[0], series["ds"].iloc[-1], freq=freq)
        between = ~series["ds"].isin(periods).to_numpy()
        if between.any():
            timestamp = series.loc[between, "ds"].iloc[0]
            raise ValueError(
                f"series {name!r}: {timestamp} lies between the periods that begin on {series['ds'].iloc[0]}"
            )
        if len(periods) > len(series):
            series = series.set_index("ds").reindex(periods).rename_axis("ds").reset_index().assign(unique_id=name)
        return series.assign(y=series["y"].ffill().bfill().fillna(0.0))

    parts = [dense(name, series) for name, series in panel.groupby("unique_id", sort=True)]
    return pd.concat(parts, ignore_index=True)[list(panel.columns)]


def empty_forecasts() -> pd.DataFrame:
    """A forecast frame without rows, with a type that DuckDB knows for each column: of objects it would know none."""
    types = dict.fromkeys(FORECAST_COLUMNS, "float64") | {
        "unique_id": "string",
        "ds": "datetime64[ns]",
        "cutoff": "datetime64[ns]",
        "model": "string",
        "fallback_reason": "string",
    }
    return pd.DataFrame({column: pd.Series(dtype=types[column]) for column in FORECAST_COLUMNS})


def empty_detections() -> pd.DataFrame:
    """A detection frame without rows, with a type that DuckDB knows for each column."""
    types = dict.fromkeys(DETECTION_COLUMNS, "string") | {
        "ds": "datetime64[ns]",
        "score": "float64",
        "alert": "bool",
        **dict.fromkeys(DETECTION_COLUMNS[-6:], "float64"),
    }
    return pd.DataFrame({column: pd.Series(dtype=types[column]) for column in DETECTION_COLUMNS})


def read_notes(notes: pd.DataFrame) -> pd.DataFrame:
    """Check notes and bring them into shape, in the order they came: `note_id, product_id, category` (text), `note`
    (the first 2,000 letters), `quantity` and `units_in` (units on hand and received when it was written, NaN where
    unknown, or no number up to LARGEST).

    Raises ValueError that names the column, or the row, at fault.
    """
    wanted = ["note_id", "product_id", "category", "note"]
    missing = [column for column in wanted if column not in notes.columns]
    if missing:
        raise ValueError(
            f"the notes lack the column {', '.join(missing)} (found: {', '.join(map(str, notes.columns))})"
        )
    result = notes[wanted].reset_index(drop=True)
    for column in wanted:
        # an id that is a number in every row stays one
        if column != "note_id" or not pd.api.types.is_integer_dtype(result[column]):
            result[column] = _texts(result[column])
    _check_filled(result["note_id"])
    result["note"] = result["note"].str[:LOOKED_AT]
    for column in ("quantity", "units_in"):
        given = notes[column] if column in notes.columns else pd.Series(np.nan, notes.index)
        numbers = pd.to_numeric(given, errors="coerce").astype(float)
        result[column] = numbers.where(numbers.abs() <= LARGEST).to_numpy()
    return result
