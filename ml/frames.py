"""The frames that the forecasters and detectors take and give, and what is checked of them.

A panel holds one row per series and period: `unique_id` (text), `ds` (timezone-naive timestamp), `y` (float), and
maybe known-future columns (float), which stand in rows beyond the last `y` as well.
"""

from __future__ import annotations

from collections.abc import Sequence

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
DETECTION_COLUMNS = ["unique_id", "ds", "method", "score", "alert", "kind", "driver", "observed", "expected"]


def read_panel(panel: pd.DataFrame, extra_columns: Sequence[str] = ()) -> pd.DataFrame:
    """Check a panel and bring it into shape: the needed columns only, typed, sorted by series and time.

    Raises ValueError that names the column, and the row or series, at fault.
    """
    wanted = ["unique_id", "ds", "y", *extra_columns]
    missing = [column for column in wanted if column not in panel.columns]
    if missing:
        raise ValueError(f"the panel lacks the column {', '.join(missing)} (found: {', '.join(panel.columns)})")
    result = panel[wanted].copy()
    if result["unique_id"].isna().any():
        raise ValueError(f"unique_id is empty in row {int(np.argmax(result['unique_id'].isna())) + 1}")
    result["unique_id"] = result["unique_id"].astype(str)
    result["ds"] = _moments(result["ds"])
    for column in ["y", *extra_columns]:
        result[column] = _numbers(result[column])
    doubled = result.duplicated(["unique_id", "ds"])
    if doubled.any():
        first = result[doubled].iloc[0]
        raise ValueError(f"series {first.unique_id!r} has more than one row for {first.ds}")
    return result.sort_values(["unique_id", "ds"], ignore_index=True)


def _moments(values: pd.Series) -> pd.Series:
    try:
        moments = pd.to_datetime(values, utc=True)
    except (ValueError, TypeError) as error:
        raise ValueError(f"ds cannot be read as time: {error}") from error
    if moments.isna().any():
        raise ValueError(f"ds is empty in row {int(np.argmax(moments.isna())) + 1}")
    naive: pd.Series = moments.dt.tz_localize(None).astype("datetime64[ns]")
    return naive


def _numbers(values: pd.Series) -> pd.Series:
    numbers = pd.to_numeric(values, errors="coerce").astype(float)
    broken = (numbers.isna() & values.notna()) | np.isinf(numbers)
    if broken.any():
        row = int(np.argmax(broken))
        raise ValueError(f"{values.name} is not a finite number in row {row + 1}: {values.iloc[row]!r}")
    return numbers


def fill_gaps(panel: pd.DataFrame, freq: str) -> pd.DataFrame:
    """Give every series a row for each period between its first and last; an unread period repeats the last value."""
    if panel.empty:
        return panel

    def dense(series: pd.DataFrame) -> pd.DataFrame:
        periods = pd.date_range(series["ds"].iloc[0], series["ds"].iloc[-1], freq=freq)
        if len(periods) == len(series):
            return series.assign(y=series["y"].ffill().bfill().fillna(0.0))
        filled = series.set_index("ds").reindex(periods).ffill().bfill()
        return filled.rename_axis("ds").reset_index().assign(y=lambda frame: frame["y"].fillna(0.0))

    parts = [dense(series) for _, series in panel.groupby("unique_id", sort=True)]
    return pd.concat(parts, ignore_index=True)[list(panel.columns)]


def empty_forecasts() -> pd.DataFrame:
    """A forecast frame without rows, its columns typed as in a full one."""
    types = dict.fromkeys(FORECAST_COLUMNS, "float64") | {
        "unique_id": "object",
        "ds": "datetime64[ns]",
        "cutoff": "datetime64[ns]",
        "model": "object",
        "fallback_reason": "object",
    }
    return pd.DataFrame({column: pd.Series(dtype=types[column]) for column in FORECAST_COLUMNS})


def empty_detections() -> pd.DataFrame:
    """A detection frame without rows, its columns typed as in a full one."""
    types = dict.fromkeys(DETECTION_COLUMNS, "object") | {
        "ds": "datetime64[ns]",
        "score": "float64",
        "alert": "bool",
        "observed": "float64",
        "expected": "float64",
    }
    return pd.DataFrame({column: pd.Series(dtype=types[column]) for column in DETECTION_COLUMNS})
