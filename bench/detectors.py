"""How many labelled anomalies the detectors find in generated data, and how often they cry wolf.

The demo's levels at the end of each day are a panel of 1,000 series. Each kind that changes levels is put into 50
of them, and each hard negative as well; the baseline is a plain 3-sigma rule on daily differences
of the whole series. `BENCH_DETECTORS_COUNT` (default 50) changes how many of each.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

from bench import Figure
from ingest.simulation.anomalies import KINDS, Introduction
from ingest.simulation.catalogue import PROFILES, random_stream
from ingest.simulation.event_log import EventLog
from ingest.simulation.generate_data import generate
from ingest.simulation.introduce_anomalies import put_many, write_introduced

COUNT = int(os.environ.get("BENCH_DETECTORS_COUNT", "50"))
END, SEED = date(2026, 6, 30), 7
OTHERS = {"spike", "unit_error", "negative", "promotion", "season_peak", "bulk_sale"}
KINDS_OF_LEVELS = [kind for kind in KINDS.values() if kind.detector == "isolation_forest" or kind.name in OTHERS]
REACTION = timedelta(days=3)  # an alert later than this after the end of an anomaly is about something else
HORIZON = timedelta(days=14)  # what has gone on for two weeks unseen is not found


def run() -> Iterator[Figure]:
    """Yield recall for each kind, the share of hard negatives that alert, and false alerts for a series and week."""
    with TemporaryDirectory(prefix="detectors-") as folder:
        events = Path(folder, "demo.ndjson")
        generate(PROFILES["demo"], SEED, END, events)
        log = EventLog(events)
        introduction = Introduction(log)
        random = random_stream(SEED, 0, chunk=1)
        since = log.newest - timedelta(days=300)
        put_many(introduction, KINDS_OF_LEVELS, COUNT * len(KINDS_OF_LEVELS), random, since=since)
        write_introduced(introduction, events, events.with_suffix(".truth"))
        panel = _panel(EventLog(events))
    truth = pd.DataFrame(introduction.truth)
    truth["unique_id"] = truth["store"] + "|" + truth["product"]
    for name in ("start", "end"):
        truth[name] = pd.to_datetime(truth[name]).dt.tz_localize(None).dt.normalize()

    baseline = _three_sigma(panel)
    for method, alerts in _detect(panel).items():
        yield from _figures(method, alerts, baseline, truth, panel)


def _panel(log: EventLog) -> pd.DataFrame:
    """Levels at the end of each day: `unique_id, ds, y`."""
    points = [point for series in log.series.values() for point in series]
    frame = pd.DataFrame(
        {
            "unique_id": [f"{point.store}|{point.product}" for point in points],
            "ds": pd.to_datetime([point.moment for point in points]).tz_localize(None).normalize(),
            "y": [float(point.quantity) for point in points],
        }
    )
    return frame.groupby(["unique_id", "ds"], as_index=False).last()


def _detect(panel: pd.DataFrame) -> dict[str, pd.DataFrame]:
    from ml.anomalies import isolation_forest, robust_zscore
    from ml.anomalies.command import ALERT_BUDGET

    found = {}
    for method, detect in (("isolation_forest", isolation_forest.detect), ("robust_zscore", robust_zscore.detect)):
        settings = {"season": 7, "freq": "D", "alert_budget": ALERT_BUDGET, "train_end": None, "all_rows": False}
        if method == "isolation_forest":
            settings["seed"] = SEED
        found[method] = detect(panel, **settings)[["unique_id", "ds"]]  # type: ignore[arg-type]
    return found


def _three_sigma(panel: pd.DataFrame) -> pd.DataFrame:
    step = panel.groupby("unique_id")["y"].diff()
    spread = step.groupby(panel["unique_id"]).transform("std")
    return panel.loc[step.abs() > 3 * spread, ["unique_id", "ds"]]


def _figures(
    method: str, alerts: pd.DataFrame, baseline: pd.DataFrame, truth: pd.DataFrame, panel: pd.DataFrame
) -> Iterator[Figure]:
    ours, theirs = (_found(each, truth) for each in (alerts, baseline))
    for kind, rows in truth.groupby("kind"):
        hard = KINDS[str(kind)].detector == "none"
        for magnitude, same in rows.groupby("magnitude"):
            share, plain = ours[same.index].mean(), theirs[same.index].mean()
            yield Figure(
                f"{method}, {kind} ({magnitude})" + (", must not alert" if hard else ""),
                f"{share:.0%} of {len(same)} {'alert' if hard else 'found'}",
                f"{plain:.0%} by 3 sigma",
                share / plain if plain else None,
            )
    weeks = len(panel) / 7
    ours_false, theirs_false = (_false(each, truth) / weeks for each in (alerts, baseline))
    yield Figure(
        f"{method}, false alerts a series and week",
        f"{ours_false:.4f}",
        f"{theirs_false:.4f} by 3 sigma",
        ours_false / theirs_false,
        "<= 0.02",
    )


def _spans(alerts: pd.DataFrame, truth: pd.DataFrame) -> pd.DataFrame:
    """Each alert with the anomalies of its series: `row` of the truth, `is_within` its span."""
    together = alerts.reset_index(names="alert").merge(truth.reset_index(names="row"), on="unique_id")
    until = np.minimum(together["end"] + REACTION, together["start"] + HORIZON)
    return together.assign(is_within=together["ds"].between(together["start"], until))


def _found(alerts: pd.DataFrame, truth: pd.DataFrame) -> pd.Series:
    spans = _spans(alerts, truth)
    return pd.Series(truth.index.isin(spans.loc[spans["is_within"], "row"]), truth.index)


def _false(alerts: pd.DataFrame, truth: pd.DataFrame) -> int:
    """Alerts outside of everything that was introduced, and of the weeks in which levels come back."""
    together = alerts.reset_index(names="alert").merge(truth, on="unique_id")
    near = together["ds"].between(together["start"], together["end"] + timedelta(days=28))
    return len(alerts) - together.loc[near, "alert"].nunique()
