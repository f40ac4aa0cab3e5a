"""A rule, a detector, a forecaster is one file and one line of a seed, as CONTRIBUTING.md shows."""

from __future__ import annotations

import csv
import re
import textwrap
from datetime import datetime, timedelta

import duckdb
import pytest

from ml.anomalies import detectors
from ml.forecasting import forecasters
from ml.registry import names_of
from tests.integration.dbt.project import ROOT, Project, copy_project
from tests.integration.oracle import Event
from tests.integration.test_metrics import write_raw

SELECTION = ("--select", "+int_quantity_anomalies")


def test_the_documented_rule_finds_what_no_other_rule_asks_for(tmp_path):
    """Other words of a rule are taken as they come; another rule, or one that asks for other readings, wants the tables
    built whole."""
    place, sql, line = documented("rule")
    copy_project(tmp_path)

    # none of them breaks a record
    levels = [700, 601, 600, 599, 500, 499, 400, 399]
    start = datetime(2026, 1, 1)
    write_raw(
        tmp_path / "data",
        [
            Event("Store_A", "P1", "Toys", level, "2.00", start + timedelta(days=day))
            for day, level in enumerate(levels)
        ],
    )
    Project(tmp_path / "data", tmp_path).build(*SELECTION)

    seed = tmp_path / "seeds/anomaly_rules.csv"
    words = seed.read_text()
    seed.write_text(words.replace("Count the shelf", "Look at the shelf"))
    assert seed.read_text() != words
    Project(tmp_path / "data", tmp_path).build(*SELECTION)

    (tmp_path / place).write_text(sql)
    seed.write_text(words + line)
    with pytest.raises(AssertionError, match="--full-refresh"):
        Project(tmp_path / "data", tmp_path).build(*SELECTION)
    Project(tmp_path / "data", tmp_path).build("--full-refresh", *SELECTION)
    with duckdb.connect(str(tmp_path / "data/warehouse/inventory.duckdb"), read_only=True) as connection:
        found = connection.execute(
            "select detector, observed_value from int_quantity_anomalies order by all"
        ).fetchall()
    assert found == [("round_count", 500), ("round_count", 600), ("round_count", 700)]

    (tmp_path / place).write_text(sql.replace("quantity > 0 and", "quantity > 500 and"))
    with pytest.raises(AssertionError, match="--full-refresh"):
        Project(tmp_path / "data", tmp_path).build(*SELECTION, with_seeds=False)


def test_the_documented_detector_and_forecaster_and_those_switched_on_are_published(tmp_path, monkeypatch):
    copy_project(tmp_path)
    for thing, package, seed in (
        ("detector", detectors, "detectors.csv"),
        ("forecaster", forecasters, "forecasters.csv"),
    ):
        place, code, line = documented(thing)
        path = tmp_path / place
        path.parent.mkdir(parents=True)
        path.write_text(code)
        monkeypatch.setattr(package, "__path__", [*package.__path__, str(path.parent)])
        with (tmp_path / "seeds" / seed).open("a") as registry:
            registry.write(line)
    monkeypatch.setenv("INVENTORY_DETECTORS", "lstm_autoencoder")

    start = datetime(2026, 1, 1)
    # five to seven go out each day, on one day 900
    levels = [3000 - 6 * day - day % 2 - (900 if day >= 110 else 0) for day in range(120)]
    write_raw(
        tmp_path / "data",
        [
            Event("Store_A", "P1", "Toys", level, "2.00", start + timedelta(days=day))
            for day, level in enumerate(levels)
        ],
    )
    project = Project(tmp_path / "data", tmp_path)
    project.build("--select", "+numerical_quantity", "+notification_episodes", "+ml_metrics")
    with duckdb.connect(str(tmp_path / "data/warehouse/inventory.duckdb"), read_only=True) as connection:

        def found(query: str) -> set[object]:
            return {row[0] for row in connection.execute(query).fetchall()}

        assert "Largest step" in found("select model_name from numerical_quantity")
        # of what several find on one day, the greatest gives the episode its rule
        assert "largest_step" in found("select detector from int_notifications")
        assert "lstm_autoencoder" in found("select method from int_panel_detections")
        assert "Last value" in found("select model_name from ml_metrics")


def test_each_detector_and_forecaster_has_its_line():
    """dbt asks for the file of each line; a file without a line would never run."""
    for package, seed, others in ((detectors, "detectors", set()), (forecasters, "forecasters", {"ensemble"})):
        with (ROOT / f"seeds/{seed}.csv").open() as registry:
            lines = {line[seed[:-1]] for line in csv.DictReader(registry) if line.get("looks_at", "panel") == "panel"}
        assert lines == set(names_of(package)) | others


def documented(thing: str) -> tuple[str, str, str]:
    """Where CONTRIBUTING.md puts a new one, its code, and its line of the seed."""
    guide = (ROOT / "CONTRIBUTING.md").read_text()
    steps = re.search(rf"## Add a {thing}\n(.*?)\n## ", guide, re.DOTALL)[1]
    (place,) = re.findall(r"1\. `((?:macros|ml)/\S+)`", steps)
    code, line = (textwrap.dedent(block) for block in re.findall(r" *```\w*\n(.*?) *```", steps, re.DOTALL))
    return place, code, line
