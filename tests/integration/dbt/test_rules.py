"""A rule is one file and one line of the seed, as CONTRIBUTING.md shows."""

from __future__ import annotations

import re
import textwrap
from datetime import datetime, timedelta

import duckdb
import pytest

from tests.integration.dbt.project import ROOT, Project, copy_project
from tests.integration.oracle import Event
from tests.integration.test_metrics import write_raw

SELECTION = ("--select", "+int_quantity_anomalies")


def test_the_documented_rule_finds_what_no_other_rule_asks_for(tmp_path):
    """Other words of a rule are taken as they come; another rule, or one that asks for other readings, wants the tables
    built whole."""
    steps = re.search(r"## Add a rule\n(.*?)\n## ", (ROOT / "CONTRIBUTING.md").read_text(), re.DOTALL)[1]
    (place,) = re.findall(r"1\. `(macros/\S+)`", steps)
    sql, line = (textwrap.dedent(block) for block in re.findall(r" *```(?:sql)?\n(.*?) *```", steps, re.DOTALL))
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
        found = connection.execute("select rule_id, reading_value from int_quantity_anomalies order by all").fetchall()
    assert found == [("round_count", 500), ("round_count", 600), ("round_count", 700)]

    (tmp_path / place).write_text(sql.replace("quantity > 0 and", "quantity > 500 and"))
    with pytest.raises(AssertionError, match="--full-refresh"):
        Project(tmp_path / "data", tmp_path).build(*SELECTION, with_seeds=False)
