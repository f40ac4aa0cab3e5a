"""`inventory build` runs the generic tests of a model with it, in one query, and the audit sees a result of each."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import duckdb
import pytest
import yaml

from tests.integration.dbt.project import WHOLE, Project, copy_project
from tests.integration.oracle import Event
from tests.integration.test_metrics import write_raw

READING = Event("Store_A", "P1", "Toys", 9, "1.00", datetime(2026, 1, 1))


@pytest.fixture
def project_dir(tmp_path: Path) -> Path:
    """The project with `whole` narrowed to the clock and what it is built from, and two more tests of the clock."""
    copy_project(tmp_path)
    selectors = tmp_path / "selectors.yml"
    selectors.write_text(selectors.read_text().replace('value: "*"', "value: int_as_of\n          parents: true", 1))
    models = tmp_path / "models/intermediate/levels/_levels__models.yml"
    content = yaml.safe_load(models.read_text())
    (clock,) = [model for model in content["models"] if model["name"] == "int_as_of"]
    before = {"arguments": {"upper": "timestamp '2000-01-01'"}}
    clock["columns"][0]["data_tests"] += [
        {"within": {"name": "early_where_empty", **before, "config": {"where": "as_of is null"}}},
        {"within": {"name": "early", **before, "config": {"severity": "warn"}}},
    ]
    models.write_text(yaml.safe_dump(content, sort_keys=False))
    write_raw(tmp_path / "data", [READING])
    return tmp_path


def build(project_dir: Path) -> Project:
    project = Project(project_dir / "data", project_dir)
    project.build(*WHOLE, "--indirect-selection", "cautious", steps="build", with_seeds=False)
    return project


def query(project_dir: Path, sql: str) -> list[tuple[object, ...]]:
    with duckdb.connect(str(project_dir / "data/warehouse/inventory.duckdb"), read_only=True) as connection:
        return connection.execute(sql).fetchall()


def test_each_test_of_what_is_built_has_a_result(project_dir: Path) -> None:
    tests = build(project_dir).generic_tests()
    results = dict(
        query(project_dir, "select node_id, status from build_audit.node_results where node_id like 'test.%'")
    )
    built = {node for (node,) in query(project_dir, "select node_id from build_audit.node_results")}
    assert set(results) == {test for test, node in tests.items() if node in built}
    assert len(results) > 20
    assert {test.split(".")[2] for test, status in results.items() if status != "pass"} == {"early"}


def test_a_table_that_fails_a_test_never_replaces_the_one_before(project_dir: Path) -> None:
    build(project_dir)
    model = project_dir / "models/intermediate/levels/int_as_of.sql"
    model.write_text(
        model.read_text().replace("select {{ newest }} as as_of", "select cast(null as timestamp) as as_of")
    )
    with pytest.raises(AssertionError, match=r"int_as_of: [\s\S]*not_null_int_as_of_as_of found 1 rows"):
        build(project_dir)
    assert query(project_dir, "select as_of from int_as_of") == [(READING.timestamp,)]


def test_results_do_not_pile_up_and_each_build_keeps_its_counts(project_dir: Path) -> None:
    for _ in range(3):
        build(project_dir)
    repeated = "select node_id, count(*) from build_audit.node_results group by node_id, status having count(*) > 1"
    # the newest build of the readings, and the one that built them whole
    assert query(project_dir, repeated) == [("model.inventory.int_accepted_readings", 2)]
    counts = "select count(*), min(passed_test_count), sum(failed_count) from build_audit.invocations"
    ((build_count, fewest_passed, failed_count),) = query(project_dir, counts)
    assert (build_count, failed_count) == (3, 0)
    assert fewest_passed > 20
