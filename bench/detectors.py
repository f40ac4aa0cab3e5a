"""How many labelled anomalies the detectors find in generated data, and how often they cry wolf.

The demo's levels at the end of each day are a panel of 1,000 series. Each kind that changes levels is put into 50 of
them (`BENCH_DETECTORS_COUNT`), subtle ones included, and each hard negative as well. The baseline is a sigma rule on
each series' daily differences, and knows all of the series: at 3 sigma, where it alerts all the time, and at the limit
at which it gives as many false alerts as the detector that it is held against.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
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
        generate(replace(PROFILES["demo"], wrong=0), SEED, END, events)
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

    sigmas = _sigmas(panel)
    for method, alerts in _detect(panel).items():
        yield from _figures(method, alerts, sigmas, truth)


def _panel(log: EventLog) -> pd.DataFrame:
    """Levels at the end of each day: `unique_id, ds, y`."""
    points = [point for series in log.series.values() for point in series]
    frame = pd.DataFrame(
        {
            "unique_id": [f"{point.store}|{point.product}" for point in points],
            "ds": pd.to_datetime([point.timestamp for point in points]).tz_localize(None).normalize(),
            "y": [float(point.quantity) for point in points],
        }
    )
    return frame.groupby(["unique_id", "ds"], as_index=False).last()


def _detect(panel: pd.DataFrame) -> dict[str, pd.DataFrame]:
    from ml.anomalies import detect, detectors
    from ml.anomalies.command import ALERT_BUDGET
    from ml.registry import names_of

    names = names_of(detectors)
    found = detect(panel, detectors=names, season=7, seed=SEED, alert_budget=ALERT_BUDGET)
    return {name: found.loc[found["method"] == name, ["unique_id", "ds"]] for name in names}


def _sigmas(panel: pd.DataFrame) -> pd.DataFrame:
    """The panel with each daily difference in standard deviations of its series."""
    step = panel.groupby("unique_id")["y"].diff()
    spread = step.groupby(panel["unique_id"]).transform("std")
    return panel.assign(sigmas=(step.abs() / spread).fillna(0))


def _figures(method: str, alerts: pd.DataFrame, sigmas: pd.DataFrame, truth: pd.DataFrame) -> Iterator[Figure]:
    false = (~_is_near(alerts, truth)).sum()
    undisturbed = sigmas[~_is_near(sigmas, truth)]
    limit = undisturbed["sigmas"].nlargest(max(false, 1)).min()
    ours, theirs = _found(alerts, truth), _found(sigmas[sigmas["sigmas"] >= limit], truth)
    for kind, rows in truth.groupby("kind"):
        hard = KINDS[str(kind)].detector == "none"
        share, plain = ours[rows.index].mean(), theirs[rows.index].mean()
        yield Figure(
            f"{method}, {kind}" + (", must not alert" if hard else ""),
            f"{share:.0%} of {len(rows)} {'alert' if hard else 'found'}",
            f"{plain:.0%} at {limit:.1f} sigma",
            share / plain if plain else None,
        )
    weeks = len(undisturbed) / 7
    plain = (undisturbed["sigmas"] > 3).sum() / weeks
    yield Figure(
        f"{method}, false alerts a series and week",
        f"{false / weeks:.4f}",
        f"{plain:.4f} at 3 sigma",
        false / weeks / plain,
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


def _is_near(timestamps: pd.DataFrame, truth: pd.DataFrame) -> pd.Series:
    """Which timestamps of series lie in what was introduced, or in the weeks in which levels come back."""
    together = timestamps[["unique_id", "ds"]].reset_index(names="timestamp").merge(truth, on="unique_id")
    near = together["ds"].between(together["start"], together["end"] + timedelta(days=28))
    return timestamps.index.to_series().isin(together.loc[near, "timestamp"])
