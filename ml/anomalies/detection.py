"""What all detectors share: scoring in blocks, each by what was known before it, and naming what was found."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from ml.anomalies.calibration import threshold
from ml.anomalies.features import FEATURES, LONG, series_features
from ml.frames import DETECTION_COLUMNS, empty_detections, fill_gaps, read_panel

BLOCK_SEASONS = 13

# fitted on the features of the past (rows by features), gives a function from features to scores
Fit = Callable[[np.ndarray], Callable[[np.ndarray], np.ndarray]]


def detect_in_blocks(
    panel: pd.DataFrame,
    *,
    method: str,
    fit: Fit,
    season: int,
    freq: str,
    alert_budget: float,
    train_end: pd.Timestamp | None,
    all_rows: bool,
) -> pd.DataFrame:
    """Score a panel so that no score depends on a later period.

    Up to `train_end`, or else for the first blocks of 13 seasons, nothing can be told: score 0, no alert. After that
    each block is scored by a detector fitted on, and a threshold calibrated on, all periods before it; with
    `train_end` there is one fit, on the periods up to it. Returns the detection frame.
    """
    panel = fill_gaps(read_panel(panel).dropna(subset=["y"]), freq)
    if panel.empty:
        return empty_detections()
    parts = [
        pd.concat([series.reset_index(drop=True), series_features(series["y"].to_numpy(), season)], axis=1).assign(
            position=np.arange(len(series))
        )
        for _, series in panel.groupby("unique_id", sort=False)
    ]
    scored = pd.concat(parts, ignore_index=True).assign(score=0.0, alert=False, driver=None)
    features = scored[FEATURES].to_numpy()
    ready = (scored["position"] >= LONG).to_numpy()
    ds = scored["ds"].to_numpy()
    per_week = pd.Timedelta(days=7) / (pd.date_range("2024-01-01", periods=2, freq=freq).to_series().diff().iloc[1])

    for start, end in _blocks(scored["ds"], season, freq, train_end):
        before, block = ready & (ds < start), ready & (ds >= start) & (ds < end)
        if before.sum() < LONG or not block.any():
            continue
        past = features[before]
        center = np.median(past, axis=0)
        spread = np.fmax(np.quantile(np.abs(past - center), 0.9, axis=0), 1e-3)
        score = fit((past - center) / spread)
        standard = (features[block] - center) / spread
        scores = score(standard)
        limit = threshold(score((past - center) / spread), alert_budget, per_week)
        scored.loc[block, "score"] = scores
        scored.loc[block, "alert"] = scores > limit
        scored.loc[block, "driver"] = np.array(FEATURES)[np.abs(standard).argmax(axis=1)]

    kept = scored if all_rows else scored[scored["alert"]]
    return kept.assign(
        method=method, kind=_kinds(kept), observed=kept["y"], driver=kept["driver"].where(kept["alert"], None)
    )[DETECTION_COLUMNS].reset_index(drop=True)


def _blocks(
    ds: pd.Series, season: int, freq: str, train_end: pd.Timestamp | None
) -> list[tuple[np.datetime64, np.datetime64]]:
    beyond = ds.max() + pd.Timedelta(days=366)
    if train_end is not None:
        return [(np.datetime64(train_end + pd.Timedelta(microseconds=1)), np.datetime64(beyond))]
    step = pd.tseries.frequencies.to_offset(freq) * season * BLOCK_SEASONS
    edges = pd.date_range(ds.min(), ds.max(), freq=step)[1:]
    return [(np.datetime64(edge), np.datetime64(edge + step)) for edge in edges]


def _kinds(frame: pd.DataFrame) -> pd.Series:
    y, expected = frame["y"], frame["expected"]
    kinds = np.select(
        [y < 0, frame["driver"] == "flat run", (y == 0) & (expected > 0), y > expected],
        ["negative", "flat_line", "zero", "spike"],
        "drop",
    )
    return pd.Series(kinds, frame.index, dtype=object).where(frame["alert"], None)
