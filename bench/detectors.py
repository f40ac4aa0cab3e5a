"""How many injected anomalies the detectors find by their own alerts, and how often they cry wolf.

The panel is what the simulated demo shops sold, by store and category and day. Six kinds of anomaly are put into each
series, at random days, five times over with other seeds. An anomaly is found if an alert falls into it or into the
three days after; all other alerts are false. The benchmark fails where the mean of a detector's event F1 has fallen by
more than the seeds differ.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

from bench import Figure
from ingest.simulation.catalogue import PROFILES
from ingest.simulation.event_files import truth_folder
from ingest.simulation.generate_data import generate

SEEDS = range(int(os.environ.get("BENCH_DETECTORS_SEEDS", "5")))
END, SEED, ALERT_BUDGET = date(2026, 6, 30), 7, 0.02
REACTION = pd.Timedelta(days=3)  # an alert later than this after the end of an anomaly is about something else
FIRST_DAY, APART = 120, 18  # days that the detectors have to learn, and that lie between two anomalies of a series
LENGTHS = {"spike": 1, "drop": 1, "zero": 3, "shift": 14, "frozen": 7, "double": 1}  # days
# mean event F1 of five seeds, as last measured
REACHED = {
    "isolation_forest": 0.70,
    "lstm_autoencoder": 0.83,
    "seasonal_smoothing": 0.83,
    "spectral_residual": 0.49,
    "sub_pca": 0.45,
    "whole_past": 0.30,
}


def run() -> Iterator[Figure]:
    """Yield for each detector its event F1, recall by kind, false alerts; and the cost. Raises SystemExit on a
    regression."""
    from ml.anomalies import detect, detectors
    from ml.registry import installed_names

    names, panel = installed_names(detectors), daily_units_sold()
    weeks = len(panel) / 7

    def alerts(wrong: pd.DataFrame) -> pd.DataFrame:
        return detect(
            wrong, detectors=names, season=7, seed=SEED, alert_budget=ALERT_BUDGET, peers=["store", "category"]
        )

    clean = alerts(panel).groupby("method").size()
    started = time.process_time()
    rounds = [_round(panel, seed, names, alerts) for seed in SEEDS]
    cost = (time.process_time() - started) / len(rounds) / (len(panel) / 365)
    worse = []
    for name in names:
        scores = pd.DataFrame([found[name] for found in rounds])
        event_f1 = 2 * scores["recall"] * scores["precision"] / (scores["recall"] + scores["precision"])
        kinds = ", ".join(f"{kind} {scores[kind].mean():.2f}" for kind in LENGTHS)
        yield Figure(
            f"{name}, event F1", f"{event_f1.mean():.3f} ± {event_f1.std():.3f}", f"{REACHED.get(name, 0)} before"
        )
        yield Figure(f"{name}, recall", f"{scores['recall'].mean():.2f} ({kinds})")
        yield Figure(f"{name}, precision", f"{scores['precision'].mean():.2f}")
        yield Figure(f"{name}, false alerts a series and week", f"{scores['false'].mean() / weeks:.4f}", goal="<= 0.02")
        yield Figure(
            f"{name}, alerts a series and week on clean data", f"{clean.get(name, 0) / weeks:.4f}", goal="<= 0.02"
        )
        if event_f1.mean() < REACHED.get(name, 0) - 2 * event_f1.std():
            worse.append(name)
    yield Figure("all detectors, CPU seconds a series and year", f"{cost:.3f}", goal="<= 0.05 each")
    if worse:
        raise SystemExit(f"find less than before, beyond the noise of the seeds: {', '.join(worse)}")


def daily_units_sold() -> pd.DataFrame:
    """Units sold a day: `unique_id, ds, y, store, category`."""
    with TemporaryDirectory(prefix="detectors-") as folder:
        events = Path(folder, "demo.ndjson")
        generate(replace(PROFILES["demo"], wrong=0), SEED, END, events)
        demand = pd.read_parquet(truth_folder(events) / "demand.parquet")
    sold = demand.groupby(["store_location", "category", "event_date"], observed=True, as_index=False)["sales"].sum()
    return pd.DataFrame(
        {
            "unique_id": sold["store_location"].astype(str) + "|" + sold["category"].astype(str),
            "ds": pd.to_datetime(sold["event_date"]),
            "y": sold["sales"].astype(float),
            "store": sold["store_location"].astype(str),
            "category": sold["category"].astype(str),
        }
    )


def _round(
    panel: pd.DataFrame, seed: int, names: list[str], alerts: Callable[[pd.DataFrame], pd.DataFrame]
) -> dict[str, dict[str, float]]:
    wrong, truth = _with_anomalies(panel, np.random.default_rng(seed))
    found = alerts(wrong)
    return {name: _scores(found[found["method"] == name], truth) for name in names}


def _with_anomalies(panel: pd.DataFrame, random: np.random.Generator) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The panel with one anomaly of each kind in each series; and where they are: `unique_id, kind, start, end`."""
    y, truth = panel["y"].to_numpy().copy(), []
    for name, rows in panel.groupby("unique_id").indices.items():
        # days of their own, far enough apart: as many slots as fit, of which each kind takes one
        slots = np.arange(FIRST_DAY, len(rows) - max(LENGTHS.values()), max(LENGTHS.values()) + APART)
        for kind, slot in zip(LENGTHS, random.permutation(slots)[: len(LENGTHS)], strict=True):
            first = slot + int(random.integers(APART // 2))
            days = rows[first : first + LENGTHS[kind]]
            y[days] = np.round(_wrong(kind, y[days], random))
            truth.append((name, kind, panel["ds"].iloc[days[0]], panel["ds"].iloc[days[-1]]))
    return panel.assign(y=y), pd.DataFrame(truth, columns=["unique_id", "kind", "start", "end"])


def _wrong(kind: str, usual: np.ndarray, random: np.random.Generator) -> np.ndarray:
    factors = {
        "spike": random.uniform(2, 4),
        "drop": random.uniform(0.2, 0.5),
        "zero": 0.0,
        "shift": random.choice([0.6, 1.5]),
        "double": 2.0,
    }
    return np.full_like(usual, usual[0]) if kind == "frozen" else usual * factors[kind]


def _scores(alerts: pd.DataFrame, truth: pd.DataFrame) -> dict[str, float]:
    """Recall, also of each kind, precision, and the number of false alerts."""
    together = (
        alerts[["unique_id", "ds"]].reset_index(names="alert").merge(truth.reset_index(names="anomaly"), on="unique_id")
    )
    hits = together[together["ds"].between(together["start"], together["end"] + REACTION)]
    is_found = truth.index.isin(hits["anomaly"])
    true = hits["alert"].nunique()
    return {
        "recall": is_found.mean(),
        "precision": true / max(len(alerts), 1),
        "false": len(alerts) - true,
        **pd.Series(is_found).groupby(truth["kind"]).mean().to_dict(),
    }
