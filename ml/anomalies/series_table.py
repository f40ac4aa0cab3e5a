"""A panel as a table: one row per series, one column per period."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from ml.frames import anchored, numbered, read_panel, typed_panel

# A table that is nearly empty comes from a stray timestamp, and might not fit into memory.
MOST_PERIODS, SPARSEST = 20_000, 50


class SeriesTable(NamedTuple):
    """Series by periods.

    `y` is NaN where nothing was read, in units of the panel. `labelled` marks known anomalies. `groups` holds for each
    peer column the number of each series' group, -1 for none. `rows` and `columns` give the place of each row of
    `asked` (`unique_id, ds`, sorted) in the table.
    """

    unique_ids: np.ndarray
    y: np.ndarray
    labelled: np.ndarray
    groups: tuple[np.ndarray, ...]
    asked: pd.DataFrame
    rows: np.ndarray
    columns: np.ndarray


def read_series(
    panel: pd.DataFrame, freq: str, peers: Sequence[str] = (), labels: Collection[tuple[str, pd.Timestamp]] = ()
) -> SeriesTable:
    """Lay a panel out by series and period.

    A timestamp between two periods belongs to the earlier one; where that is taken, to the next free one, so that no
    row is lost. Raises ValueError for a panel that breaks its contract, and for a peer column that it lacks.
    """
    missing = [column for column in peers if column not in panel.columns]
    if missing:
        raise ValueError(
            f"the panel lacks the column {', '.join(missing)} (found: {', '.join(map(str, panel.columns))})"
        )
    asked = read_panel(panel)
    rows, unique_ids = pd.factorize(asked["unique_id"])
    columns = _columns(asked["ds"], rows, freq)
    y = np.full((len(unique_ids), int(columns.max(initial=-1)) + 1), np.nan)
    y[rows, columns] = asked["y"]
    labelled = np.zeros(y.shape, dtype=bool)
    if labels:
        known = pd.MultiIndex.from_frame(asked[["unique_id", "ds"]]).isin(list(labels))
        labelled[rows[known], columns[known]] = True
    groups = tuple(_peers(panel, unique_ids, peers))
    return SeriesTable(np.asarray(unique_ids), y, labelled, groups, asked[["unique_id", "ds"]], rows, columns)


def _peers(panel: pd.DataFrame, unique_ids: Sequence[str], peers: Sequence[str]) -> Iterator[np.ndarray]:
    """For each peer column, the group of each series: what its earliest row says, for a later one may not change
    earlier alerts."""
    if not peers:
        return
    typed = typed_panel(panel)
    earliest = typed.sort_values(["unique_id", "ds"]).drop_duplicates("unique_id").index
    for column in peers:
        codes = pd.Series(numbered(panel[column])[0][earliest], typed["unique_id"].to_numpy()[earliest])
        yield pd.factorize(codes.where(codes >= 0).reindex(unique_ids))[0]


def periods_per_week(freq: str) -> float:
    """How many periods of a frequency a week has."""
    periods = pd.date_range("2024-01-01", periods=2, freq=anchored(freq, pd.Series(dtype="datetime64[ns]")))
    return float(pd.Timedelta(days=7) / (periods[1] - periods[0]))


def column_of(table: SeriesTable, timestamp: pd.Timestamp) -> int:
    """The first column with a row later than a timestamp."""
    later = table.columns[(table.asked["ds"] > timestamp).to_numpy()]
    return int(later.min(initial=table.y.shape[1]))


def _columns(ds: pd.Series, rows: np.ndarray, freq: str) -> np.ndarray:
    if ds.empty:
        return np.zeros(0, dtype=int)
    freq = anchored(freq, ds)
    longest = int(np.bincount(rows).max())
    periods = int((ds.max() - ds.min()) / pd.Timedelta(days=7) * periods_per_week(freq)) + 1
    if periods > max(MOST_PERIODS, SPARSEST * longest):
        raise ValueError(
            f"the panel spans {periods:,} periods of {freq} from {ds.min()} to {ds.max()}, "
            f"but no series has more than {longest:,} values; check the first and last timestamps, and the freq"
        )
    edges = pd.date_range(ds.min(), ds.max(), freq=freq)
    columns = np.searchsorted(edges.to_numpy(), ds.to_numpy(), side="right") - 1
    # within a series each row gets a column of its own
    place = np.arange(len(rows))
    series_starts = np.flatnonzero(np.diff(rows, prepend=-1))
    for start, end in zip(series_starts, [*series_starts[1:], len(rows)], strict=True):
        own = columns[start:end]
        if len(own) > 1 and np.diff(own).min() == 0:
            columns[start:end] = np.maximum.accumulate(own - place[: len(own)]) + place[: len(own)]
    return columns
