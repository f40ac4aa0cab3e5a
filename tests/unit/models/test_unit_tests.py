"""dbt's own unit tests, which `inventory build` leaves out: they examine the SQL, not the data."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

from tests.integration.dbt.project import Project
from tests.integration.oracle import Event
from tests.integration.test_metrics import write_raw


def test_the_unit_tests_of_the_models_pass(tmp_path: Path) -> None:
    write_raw(tmp_path, [Event("Store_A", "P1", "Toys", 5, "1.00", datetime(2026, 1, 1, 12))])
    Project(tmp_path).build("--exclude-resource-type", "test", steps="build", with_seeds=False)
    results = json.loads((tmp_path / "dbt/run_results.json").read_text())["results"]
    passed = [entry for entry in results if entry["unique_id"].startswith("unit_test.") and entry["status"] == "pass"]
    assert len(passed) >= 50
