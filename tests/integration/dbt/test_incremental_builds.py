"""An incremental build against one from nothing: the same rows, whatever came in which batch and in which order."""

from __future__ import annotations

import shutil
from datetime import datetime, timedelta

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.integration.dbt.project import Project, Tables
from tests.integration.oracle import Event
from tests.integration.test_metrics import write_raw

START = datetime(2026, 1, 1)
TABLES = ("int_stock_levels", "fct_stock_metrics", "fct_daily_stock", "inventory", "metrics")
SELECTION = ("--select", "+serving.*.metrics", "+serving.*.inventory", "+fct_daily_stock", "+serving.*.late_events")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return Project(tmp_path_factory.mktemp("incremental"))


def start_anew(project: Project) -> None:
    """Forget all data; what dbt has parsed stays."""
    for folder in ("raw", "landing", "warehouse"):
        shutil.rmtree(project.data_dir / folder, ignore_errors=True)


def rows(project: Project, *names: str) -> Tables:
    with duckdb.connect(str(project.data_dir / "warehouse/inventory.duckdb"), read_only=True) as connection:
        return {name: connection.execute(f"select * from {name} order by all").fetchall() for name in names}


# Few stores, products and moments, so that readings meet: repeats, conflicts, spikes that a later batch unmasks or
# explains, moves between categories, prices that are carried over several batches.
READINGS = st.builds(
    Event,
    store_location=st.sampled_from(["Store_A", "Store_B", "Store_C", "Store_D"]),
    product_id=st.sampled_from(["P1", "P2"]),
    category=st.sampled_from(["Toys", "Toys", "Toys", "Home"]),
    quantity=st.sampled_from([-3, 0, 4, 5, 6, 7, 60, 70, 80]),
    price=st.sampled_from([None, None, "1.50", "2.25"]),
    moment=st.builds(
        lambda hours, seconds: START + timedelta(hours=hours, seconds=seconds),
        st.integers(0, 30).map(lambda step: step * 23),
        st.sampled_from([0, 0, 0, 1, 1800]),
    ),
)
BATCHES = st.lists(st.lists(READINGS, min_size=1, max_size=40), min_size=3, max_size=4)


@settings(max_examples=8)
@given(batches=BATCHES, chance=st.randoms(use_true_random=False))
def test_any_batches_give_the_tables_of_a_full_refresh(project, batches, chance):
    start_anew(project)
    # arrival is one thing, the batch in which a reading is refined another: a partition may lag
    entries = list(range(sum(map(len, batches))))
    chance.shuffle(entries)
    for batch_id, batch in enumerate(batches):
        arrivals = [entries.pop() for _ in batch]
        write_raw(project.data_dir, batch, batch_id=batch_id, entries=arrivals)
        project.build(*SELECTION, with_seeds=batch_id == 0)
    incremental = rows(project, *TABLES)
    assert rows(project, "late_events")["late_events"] == []
    project.build("--full-refresh", *SELECTION)
    whole = rows(project, *TABLES)
    for table in TABLES:
        assert incremental[table] == whole[table], table
