"""After `make pipeline` the rules have found what was labelled in the generated events."""

from __future__ import annotations

import csv
import sqlite3
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

from ingest.simulation.anomalies import WHOLE_CATEGORY
from tests.conftest import ROOT


def rule_ids() -> set[str]:
    with (ROOT / "seeds/anomaly_rules.csv").open() as file:
        return {row["rule_id"] for row in csv.DictReader(file) if row["family"] != "model"}


def is_for_a_rule(row: dict[str, str]) -> bool:
    """Whether a labelled anomaly is one that a rule must find: not too small a change of price, nor an old silence."""
    return (
        row["expected_detector"] in rule_ids()
        and not (row["kind"] == "price_jump" and 1 / 3 <= float(row["magnitude"]) <= 3)
        and not (row["kind"] == "missing_block" and row["end"] < "2026-06-29")
    )


def test_the_expected_rule_finds_each_labelled_anomaly(built: Path, tiny_events: Path) -> None:
    with closing(sqlite3.connect(built / "export/inventory_metrics.db")) as database:
        anomalies = database.execute(
            "select rule_id, store_location, category, product_id, event_timestamp from anomaly_events"
        ).fetchall()
    with (tiny_events.with_suffix(".truth") / "anomalies.csv").open() as file:
        expected = [row for row in csv.DictReader(file) if is_for_a_rule(row)]
    assert {"negative", "price_zero", "price_jump", "unit_error", "conflicting", "missing_block"} <= {
        row["kind"] for row in expected
    }
    for row in expected:
        start, end = (datetime.fromisoformat(row[name]).replace(tzinfo=None) for name in ("start", "end"))
        whole = row["product"] == WHOLE_CATEGORY
        found = [
            timestamp
            for rule, store, category, product, text in anomalies
            if (rule, store) == (row["expected_detector"], row["store"])
            and (category == row["category"] if whole else product == row["product"])
            # a silence is dated by the last reading before it
            and start - timedelta(days=whole) <= (timestamp := datetime.fromisoformat(text).replace(tzinfo=None)) <= end
        ]
        assert found, row
