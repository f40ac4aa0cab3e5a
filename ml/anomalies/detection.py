"""What all detectors share: scoring in blocks, each by what was known before it, and naming what was found."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
import pandas as pd

from ml.anomalies.calibration import threshold
from ml.anomalies.episodes import first_of_episode
from ml.anomalies.features import LONG, SHORT, WARM_UP, drivers, kinds, panel_features
from ml.frames import DETECTION_COLUMNS, anchored, empty_detections, fill_gaps, read_panel
from ml.registry import load

FIRST_BLOCK = 10  # seasons before the first block
BLOCK_GROWTH = 1.3  # the longer the past, the less a further season tells
PAST_ROWS = 50_000

# features (rows by features) to scores
Score = Callable[[np.ndarray], np.ndarray]


class Detector(Protocol):
    """Learns what is usual from the features of the past (rows by features, see features). Returns what scores others:
    one number a row, the higher the less usual. The same features and seed give the same scores."""

    def __call__(self, past: np.ndarray, seed: int) -> Score: ...


def detect(
    panel: pd.DataFrame,
    *,
    detectors: Sequence[str],
    season: int,
    seed: int,
    alert_budget: float,
    freq: str = "D",
    train_end: pd.Timestamp | None = None,
    all_rows: bool = False,
) -> pd.DataFrame:
    """Find the values of a panel that are unlike their series, by each of the detectors named.

    `panel`: `unique_id, ds, y`. `alert_budget`: false alerts per series and week that are tolerated. Returns the
    detection frame `unique_id, ds, method, score, alert, kind, driver, observed, expected`: its alerts, or every row
    with `all_rows`; the score is 0 where it is too early to tell, observed and expected are in units of y. Causal, and
    bit-identical for the same arguments. Raises ValueError for an unknown detector, and for a panel that breaks its
    contract.
    """
    from ml.anomalies import detectors as package

    found = [
        _detect_in_blocks(panel, name, file.fit, season, seed, freq, alert_budget, train_end, all_rows)
        for name, file in load(package, detectors).items()
    ]
    return pd.concat(found, ignore_index=True) if found else empty_detections()


def _detect_in_blocks(
    panel: pd.DataFrame,
    method: str,
    fit: Detector,
    season: int,
    seed: int,
    freq: str,
    alert_budget: float,
    train_end: pd.Timestamp | None,
    all_rows: bool,
) -> pd.DataFrame:
    """Score a panel so that no score depends on a later period.

    Up to `train_end`, or else for the first ten seasons, nothing can be told: score 0, no alert. After that each block
    is scored by a detector fitted on, and a threshold calibrated on, the periods before it (a sample of them, where
    they are many); the blocks grow with what is known. With `train_end` there is one fit, on the periods up to it.
    What stays unusual for days is told once (see episodes). Returns the detection frame.
    """
    asked = read_panel(panel)
    read = asked.dropna(subset=["y"])
    if read.empty:
        return empty_detections()
    freq = anchored(freq, read["ds"])
    scored = fill_gaps(read, freq).assign(score=0.0, alert=False, driver=None, kind=None)
    was_read = scored.merge(read[["unique_id", "ds"]], how="left", indicator=True)["_merge"].eq("both").to_numpy()
    lengths = scored.groupby("unique_id", sort=False).size().to_numpy()
    features, expected = panel_features(scored["y"].to_numpy(), lengths, season)
    scored["expected"] = expected
    scored["position"] = np.concatenate([np.arange(length) for length in lengths])
    ready = (scored["position"] >= WARM_UP).to_numpy()
    ds = scored["ds"].to_numpy()
    periods = pd.date_range("2024-01-01", periods=2, freq=freq)
    per_week = pd.Timedelta(days=7) / (periods[1] - periods[0])

    for start, end in _blocks(scored["ds"], season, freq, train_end):
        before, block = ready & (ds < start), ready & (ds >= start) & (ds < end)
        if before.sum() < LONG or not block.any():
            continue
        past = features[before]
        if len(past) > PAST_ROWS:
            past = past[np.random.default_rng(0).choice(len(past), PAST_ROWS, replace=False)]
        score = fit(past, seed)
        limit = threshold(score(past), alert_budget, per_week)
        scores = score(features[block])
        scored.loc[block, "score"] = scores
        # inside its own past nothing is unusual, however rare the mixture of its features may be
        outside = np.abs(features[block]).max(axis=1) > 1
        scored.loc[block, "alert"] = (scores > limit) & outside & was_read[block]

    alerts = scored[scored["alert"]]
    driver = pd.Series(drivers(features[scored["alert"]]), alerts.index, dtype=object)
    scored.loc[alerts.index, "driver"] = driver
    scored.loc[alerts.index, "kind"] = kinds(alerts["y"], alerts["expected"], driver)
    told = first_of_episode(scored.loc[alerts.index], quiet=max(season, SHORT))
    scored.loc[alerts.index[~told], ["alert", "driver", "kind"]] = [False, None, None]
    scored["method"] = method
    scored["observed"] = scored["y"]
    if not all_rows:
        return scored.loc[scored["alert"], DETECTION_COLUMNS].reset_index(drop=True)
    # the rows that were asked for: none that a gap was filled with, and those without a value as well
    whole = asked[["unique_id", "ds"]].merge(scored[was_read], on=["unique_id", "ds"], how="left")
    filled = whole.fillna({"method": method, "score": 0.0}).assign(alert=whole["alert"].eq(True))
    return filled[DETECTION_COLUMNS]


def _blocks(
    ds: pd.Series, season: int, freq: str, train_end: pd.Timestamp | None
) -> list[tuple[np.datetime64, np.datetime64]]:
    beyond = ds.max() + pd.Timedelta(days=366)
    if train_end is not None:
        return [(np.datetime64(train_end + pd.Timedelta(microseconds=1)), np.datetime64(beyond))]
    period = pd.tseries.frequencies.to_offset(freq)
    edges: list[pd.Timestamp] = []
    seasons = float(FIRST_BLOCK)
    while not edges or edges[-1] <= ds.max():
        edges.append(ds.min() + period * (season * round(seasons)))
        seasons *= BLOCK_GROWTH
    return [(np.datetime64(start), np.datetime64(end)) for start, end in itertools.pairwise(edges)]
