"""A batch that was landed by mistake leaves the tables and comes back, whatever else brought the same readings."""

from __future__ import annotations

import random
import shutil
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner

from ingest.durable_files import exchange, file_lock
from ingest.landing.file_loader import land_file
from ingest.landing.withdraw import command
from ingest.refining import spark_job
from ingest.refining.spark_job import bind_source, land
from ingest.sql import quoted
from tests.integration.dbt.project import Project
from tests.integration.test_refinement import event

CONTENT = "product_id, quantity, event_timestamp"
FILES = {
    "shop.ndjson": range(20),
    "till.ndjson": range(10, 30),
    "again.ndjson": [*range(5, 15), *range(25, 35)],
}
SELECTION = ("+serving.*.inventory", "+serving.*.metrics", "+int_feed_anomalies", "+serving.*.pipeline_status")
TABLES = ("inventory", "metrics", "int_feed_anomalies", "pipeline_status", "int_message_batches")


def load(data_dir: Path, name: str, *lines: bytes) -> None:
    source = data_dir / name
    source.write_bytes(b"\n".join(lines) + b"\n")
    with file_lock(data_dir / "landing", "landing"):
        land_file(data_dir / "landing", source)


def load_all(data_dir: Path) -> None:
    for name, quantities in FILES.items():
        lines = [event(f"P{number % 3}", number, f"2026-01-{number % 28 + 1:02}T09:00:00Z") for number in quantities]
        load(data_dir, name, *lines, b"rejected by " + name.encode())


def withdraw(data_dir: Path, *arguments: str) -> str:
    result = CliRunner().invoke(command, [*arguments, "--data-dir", str(data_dir)])
    assert result.exit_code == 0, result.output
    return result.output


def refine(spark, data_dir: Path) -> None:
    with file_lock(data_dir / "raw", "refining"):
        bind_source(data_dir / "raw", {})
        land(spark, data_dir, {}, once=True)


def query(sql: str, data_dir: Path) -> list[tuple[object, ...]]:
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        return connection.execute(sql.format(data_dir=quoted(data_dir))).fetchall()


def raw(data_dir: Path) -> list[tuple[object, ...]]:
    return query(
        f"select {CONTENT}, topic, entry_id from read_parquet('{{data_dir}}/raw/readings/batch-*/*/*.parquet') "
        "order by all",
        data_dir,
    )


def first_arrivals(data_dir: Path, topics: set[str]) -> list[tuple[object, ...]]:
    """Each reading that one of the files brought, by its first arrival, straight from landing."""
    kept = ", ".join(f"'{topic}'" for topic in topics)
    return query(
        f"select {CONTENT}, arg_min(topic, publish_time), arg_min(entry_id, publish_time) "
        "from read_parquet('{data_dir}/landing/*/*.parquet') "
        f"where error is null and topic in ({kept}) group by {CONTENT} order by all",
        data_dir,
    )


def test_raw_holds_what_is_not_withdrawn_by_its_first_arrival(spark, tmp_path):
    chance = random.Random(1)
    load_all(tmp_path)
    refine(spark, tmp_path)
    kept = set(FILES)
    for step in range(3):
        # the last step restores what the others have left withdrawn
        changed = sorted(set(FILES) - kept if step == 2 else chance.sample(sorted(FILES), 2))
        for topic in changed:
            withdraw(tmp_path, "--source", topic)
        kept ^= set(changed)
        refine(spark, tmp_path)
        assert raw(tmp_path) == first_arrivals(tmp_path, kept), (step, kept)
    assert kept == set(FILES)


def test_tables_are_those_of_the_remaining_files_and_restored_as_they_were(spark, tmp_path):
    project = Project(tmp_path)
    load_all(tmp_path)
    aside = tmp_path / "aside.parquet"
    (mistake,) = tmp_path.glob("landing/*/shop.ndjson~*")
    mistake.rename(aside)
    refine(spark, tmp_path)
    remaining = built(project)

    aside.rename(mistake)
    for folder in ("raw", "warehouse"):
        shutil.rmtree(tmp_path / folder)
    refine(spark, tmp_path)
    everything = built(project)
    assert everything["pipeline_status"][0][:3] == (60, 3, 35)

    assert "withdrew 20 readings and 1 rejected messages" in withdraw(tmp_path, "--source", "shop.ndjson")
    refine(spark, tmp_path)
    assert built(project) == remaining

    assert "restored 20 readings and 1 rejected messages" in withdraw(tmp_path, "--source", "shop.ndjson")
    refine(spark, tmp_path)
    assert built(project) == everything


def built(project: Project) -> dict[str, list[tuple[object, ...]]]:
    """The tables after an incremental build, where there are tables already."""
    (project.data_dir / "warehouse").mkdir(exist_ok=True)
    project.build("--select", *SELECTION)
    with duckdb.connect(str(project.data_dir / "warehouse/inventory.duckdb"), read_only=True) as connection:
        return {name: connection.execute(f"select * from {name} order by all").fetchall() for name in TABLES}


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_kill_around_the_exchange_leaves_one_raw_or_the_other(spark, tmp_path, monkeypatch, when):
    load_all(tmp_path)
    refine(spark, tmp_path)
    withdraw(tmp_path, "--source", "shop.ndjson")

    def killed(new: Path, old: Path) -> None:
        if when == "after":
            exchange(new, old)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(spark_job, "exchange", killed)
        with pytest.raises(KeyboardInterrupt):
            refine(spark, tmp_path)
    kept = set(FILES) if when == "before" else set(FILES) - {"shop.ndjson"}
    assert raw(tmp_path) == first_arrivals(tmp_path, kept)
    refine(spark, tmp_path)
    assert raw(tmp_path) == first_arrivals(tmp_path, set(FILES) - {"shop.ndjson"})
    assert not list(tmp_path.glob(".tmp-*"))


def test_refinement_that_goes_on_notices_a_withdrawal_and_what_lands_after_it(spark, tmp_path, monkeypatch):
    monkeypatch.setattr(spark_job, "SECONDS_BETWEEN_LOOKS", 0.1)
    load_all(tmp_path)

    def refine_until_stopped() -> None:
        with file_lock(tmp_path / "raw", "refining"):
            bind_source(tmp_path / "raw", {})
            land(spark, tmp_path, {}, once=False)

    def wait_for(expected: Callable[[], list[tuple[object, ...]]]) -> None:
        while thread.is_alive():
            with suppress(duckdb.IOException):  # no file yet, or replaced at this instant
                if raw(tmp_path) == expected():
                    return
            time.sleep(0.1)
        pytest.fail("the refinement ended")

    thread = threading.Thread(target=refine_until_stopped, daemon=True)
    thread.start()
    try:
        wait_for(lambda: first_arrivals(tmp_path, set(FILES)))
        withdraw(tmp_path, "--source", "shop.ndjson")
        wait_for(lambda: first_arrivals(tmp_path, set(FILES) - {"shop.ndjson"}))
        load(tmp_path, "late.ndjson", event("P9", 1, "2026-01-05T09:00:00Z"))
        wait_for(lambda: first_arrivals(tmp_path, {*FILES, "late.ndjson"} - {"shop.ndjson"}))
    finally:
        for query_ in spark.streams.active:
            query_.stop()
    thread.join()
