"""Spark's refinement: landed readings reach raw once each, whatever is killed when."""

import os
import shutil
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import click
import duckdb
import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from ingest.durable_files import file_lock
from ingest.load import command as load_command
from ingest.refining.checkpoint import forget_gone_files
from ingest.refining.compaction import compact_batches, compact_landing
from ingest.refining.refinement import refine as refine_files
from ingest.refining.spark_job import bind_source
from ingest.refining.spark_job import land as refine_landing
from ingest.sql import quoted
from tests.full_disk import FullDisk

ROOT = Path(__file__).parents[2]
INVENTORY = ROOT / ".venv/bin/inventory"
LANDED_SCHEMA = (
    "topic string, partition int, ledger_id bigint, entry_id bigint, batch_index int, publish_time timestamp, "
    "product_id string, category string, store_location string, quantity bigint, price double, "
    "event_timestamp timestamp, extra string, error string, raw binary"
)


def event(product: str, quantity: int, timestamp: str) -> bytes:
    return msgspec.json.encode(
        {
            "product_id": product,
            "category": "Toys",
            "store_location": "Store_A",
            "quantity": quantity,
            "price": 2.5,
            "event_timestamp": timestamp,
        }
    )


JANUARY = [event("P1", quantity, f"2026-01-{quantity + 1:02}T09:00:00Z") for quantity in range(20)]
FEBRUARY = [event("P2", quantity, f"2026-02-{quantity + 1:02}T09:00:00Z") for quantity in range(20)]


def inventory(*arguments: object, data_dir: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [INVENTORY, *map(str, arguments)],
        env={**os.environ, "INVENTORY_DATA_DIR": str(data_dir), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def land(data_dir: Path, name: str, *lines: bytes) -> None:
    source = data_dir / name
    source.write_bytes(b"\n".join(lines) + b"\n")
    load(data_dir, source)


def load(data_dir: Path, source: Path) -> None:
    result = CliRunner().invoke(load_command, ["--source", str(source), "--data-dir", str(data_dir)])
    assert result.exit_code == 0, result.output


def raw(data_dir: Path) -> list[tuple[str, int, str]]:
    files = quoted(data_dir / "raw/readings/batch-*/*/*.parquet")
    return duckdb.sql(
        f"select product_id, quantity, strftime(event_timestamp at time zone 'UTC', '%Y-%m-%d %H:%M'), price, category "
        f"from read_parquet('{files}', union_by_name = true) order by all"
    ).fetchall()


def batches(data_dir: Path) -> list[tuple[int, int]]:
    """The readings of each micro-batch, by the column that is stored in the files."""
    files = quoted(data_dir / "raw/readings/batch-*/*/*.parquet")
    return duckdb.sql(
        f"select batch_id, count(*) from read_parquet('{files}', hive_partitioning = false) group by all order by all"
    ).fetchall()


def expected(*events: bytes) -> list[tuple[str, int, str, float, str]]:
    decoded = [msgspec.json.decode(line) for line in events]
    rows = {
        (row["product_id"], row["quantity"], row["event_timestamp"][:16].replace("T", " "), 2.5, "Toys")
        for row in decoded
    }
    return sorted(rows)


def test_repeats_are_refined_once_however_late_and_refining_again_changes_nothing(tmp_path):
    land(tmp_path, "first.ndjson", *JANUARY, *JANUARY[:5], b"broken")
    assert inventory("land", "--once", data_dir=tmp_path).returncode == 0
    assert raw(tmp_path) == expected(*JANUARY)
    # in the second run: repeats of the first, a late reading of an old month, and new ones
    late = event("P1", 99, "2026-01-05T10:00:00Z")
    land(tmp_path, "second.ndjson", *JANUARY[3:9], late, *FEBRUARY, *FEBRUARY)
    assert inventory("land", "--once", data_dir=tmp_path).returncode == 0
    assert raw(tmp_path) == expected(*JANUARY, late, *FEBRUARY)
    assert batches(tmp_path) == [(0, len(JANUARY)), (1, 1 + len(FEBRUARY))]
    before = sorted(path for path in (tmp_path / "raw" / "readings").rglob("*"))
    assert inventory("land", "--once", data_dir=tmp_path).returncode == 0
    assert sorted(path for path in (tmp_path / "raw" / "readings").rglob("*")) == before
    months = [path.name for path in (tmp_path / "raw/readings").glob("batch-*/*") if path.is_dir()]
    assert sorted(months) == ["event_month=2026-01", "event_month=2026-01", "event_month=2026-02"]


def refine(spark, data_dir: Path) -> None:
    with file_lock(data_dir / "raw", "refining"):
        bind_source(data_dir / "raw", {})
        refine_landing(spark, data_dir, {}, once=True)


def features(data_dir: Path) -> list[tuple[object, ...]]:
    return duckdb.sql(
        f"select * exclude (batch_id) from read_parquet('{data_dir}/raw/features/batch-*/*.parquet') order by all"
    ).fetchall()


@pytest.mark.parametrize(
    ("nth", "when"),
    [(1, "before"), (1, "after"), (2, "after"), (3, "after")],
    ids=["before the readings", "after the readings", "after the features' state", "before Spark's checkpoint"],
)
def test_killed_around_a_commit_each_reading_is_refined_and_counted_once(spark, tmp_path, nth, when):
    killed_dir, whole_dir = tmp_path / "killed", tmp_path / "whole"
    for data_dir in (killed_dir, whole_dir):
        data_dir.mkdir()
        land(data_dir, "events.ndjson", *JANUARY, *FEBRUARY)
    killer = textwrap.dedent(f"""
        import os, signal, sys
        from pathlib import Path
        from ingest.refining import spark_job

        original, commits = Path.rename, 0

        def rename(path, target):
            global commits
            commits += target.name.startswith("batch-")
            if commits == {nth} and "{when}" == "before":
                os.killpg(os.getpgrp(), signal.SIGKILL)
            original(path, target)
            if commits == {nth}:
                os.killpg(os.getpgrp(), signal.SIGKILL)

        Path.rename = rename
        spark_job.command(["--once", "--data-dir", sys.argv[1]])
    """)
    killed = subprocess.run(
        [sys.executable, "-c", killer, killed_dir], capture_output=True, check=False, start_new_session=True
    )
    assert killed.returncode == -signal.SIGKILL
    for data_dir in (killed_dir, whole_dir):
        refine(spark, data_dir)
    assert raw(killed_dir) == raw(whole_dir) == expected(*JANUARY, *FEBRUARY)
    assert features(killed_dir) == features(whole_dir)
    assert not list(killed_dir.glob("raw/**/.tmp-*"))


def test_compacted_files_are_not_refined_again_unless_all_is(spark, tmp_path):
    landing, table = tmp_path / "landing", tmp_path / "raw/readings"
    parts = [JANUARY[:7], [*JANUARY[7:], b"broken"], FEBRUARY[:9]]
    for number, lines in enumerate(parts):
        land(tmp_path, f"{number}.ndjson", *lines)
        with (tmp_path / "0.ndjson").open("ab") as file:  # and a line more of a file that was there before
            file.write(event("P3", number, "2026-03-01T09:00:00Z") + b"\n")
        load(tmp_path, tmp_path / "0.ndjson")
        refine(spark, tmp_path)
    content, by_batch, counted = raw(tmp_path), batches(tmp_path), features(tmp_path)
    compact_landing(landing)
    for name in ("readings", "features"):
        compact_batches(tmp_path / "raw" / name)
    assert len(list(landing.rglob("*.parquet"))) == 3  # one a source file
    assert (raw(tmp_path), batches(tmp_path), features(tmp_path)) == (content, by_batch, counted)

    before = sorted(table.rglob("*"))
    refine(spark, tmp_path)
    assert sorted(table.rglob("*")) == before
    land(tmp_path, "3.ndjson", *FEBRUARY)
    refine(spark, tmp_path)
    assert batches(tmp_path) == [*by_batch, (3, len(FEBRUARY[9:]))]

    (tmp_path / "raw").rename(tmp_path / "old")
    (tmp_path / "raw").mkdir()
    refine(spark, tmp_path)
    assert raw(tmp_path) == expected(*JANUARY, *FEBRUARY, *(event("P3", n, "2026-03-01T09:00:00Z") for n in range(3)))
    assert {batch_id for batch_id, _ in batches(tmp_path)} == {0}


@pytest.fixture
def short_log(spark):
    """Spark writes its log of landed files whole every second batch."""
    interval = "spark.sql.streaming.fileSource.log.compactInterval"
    spark.conf.set(interval, "2")
    yield
    spark.conf.unset(interval)


KILLED = {"before the log changes": "Path.unlink", "with the new log unnamed": "checkpoint.commit", "never": None}


@pytest.mark.parametrize("killed", KILLED)
def test_the_log_of_refined_files_keeps_only_those_that_are_there(spark, short_log, tmp_path, killed):
    data_dir = tmp_path / "all 50% of it"
    data_dir.mkdir()
    land(data_dir, "another 100%.ndjson", *FEBRUARY[:1])
    for count in (5, 10, 15, 20):  # a file of events that grows
        land(data_dir, "events 100%.ndjson", *JANUARY[:count])
        refine(spark, data_dir)
    log = data_dir / "raw/_checkpoint/sources/0/3.compact"
    assert len(log.read_text().splitlines()) == 1 + 5
    if KILLED[killed]:
        killer = f"""
            import os, signal
            from pathlib import Path
            from ingest.refining import checkpoint
            from ingest.refining.compaction import compact_landing

            compact_landing(Path({str(data_dir / "landing")!r}))
            {KILLED[killed]} = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
            checkpoint.forget_gone_files(Path({str(data_dir / "raw")!r}))
        """
        process = subprocess.run([sys.executable, "-c", textwrap.dedent(killer)], cwd=ROOT, check=False)
        assert process.returncode == -signal.SIGKILL
    else:
        compact_landing(data_dir / "landing")
        forget_gone_files(data_dir / "raw")
        assert len(log.read_text().splitlines()) == 1 + 2  # the file that stayed, and the newest that was merged
    folders = sorted((data_dir / "raw/readings").iterdir())
    refine(spark, data_dir)
    assert sorted((data_dir / "raw/readings").iterdir()) == folders
    for number in (1, 2, 3):  # until Spark has written the log whole again
        land(data_dir, "another 100%.ndjson", *FEBRUARY[: number + 1])
        refine(spark, data_dir)
    assert raw(data_dir) == expected(*JANUARY, *FEBRUARY[:4])
    assert not list(data_dir.glob("raw/**/.tmp-*"))


def take_back(data_dir: Path) -> None:
    """Leave the first batch as a kill does that strikes before its readings have their name."""
    for part in ("readings/batch-000000", "features/batch-000000", "features_state/batch-000000"):
        shutil.rmtree(data_dir / "raw" / part)
    for mark in ("0", ".0.crc"):
        (data_dir / "raw/_checkpoint/commits" / mark).unlink()


@pytest.mark.parametrize("killed", [False, True], ids=["as it ended", "as a kill left it"])
def test_a_checkpoint_from_when_the_stream_carried_the_rows_themselves_goes_on(spark, tmp_path, killed):
    data_dir = tmp_path / "all 50% of it"  # a path that needs quoting in some places and must not be in others
    table = data_dir / "raw/readings"
    table.mkdir(parents=True)
    land(data_dir, "first of all.ndjson", *JANUARY)
    bind_source(table.parent, {})
    rows = spark.readStream.schema(LANDED_SCHEMA).option("recursiveFileLookup", "true").parquet(f"{data_dir}/landing")
    writer = rows.writeStream.option("checkpointLocation", f"{table.parent}/_checkpoint").trigger(availableNow=True)
    (landed,) = data_dir.glob("landing/*/*.parquet")
    writer.foreachBatch(
        lambda _, batch_id: refine_files(spark, [landed], table.parent, batch_id)
    ).start().awaitTermination()
    if killed:
        take_back(data_dir)
    land(data_dir, "second.ndjson", *JANUARY[:3], *FEBRUARY)
    refine(spark, data_dir)
    assert raw(data_dir) == expected(*JANUARY, *FEBRUARY)
    assert batches(data_dir) == [(0, len(JANUARY)), (1, len(FEBRUARY))]


def test_readings_that_differ_in_one_field_alone_all_stay(spark, tmp_path):
    """A digest of some of the fields finds them alike; they are compared by all."""
    alike = [
        JANUARY[0],
        JANUARY[0].replace(b"2.5", b"3.5"),
        JANUARY[0].replace(b"2.5", b"null"),
        JANUARY[0].replace(b"Toys", b"Home"),
        JANUARY[0].replace(b"{", b'{"till":1,', 1),
    ]
    land(tmp_path, "first.ndjson", *alike[:2], *alike[:2], *alike[2:4])
    refine(spark, tmp_path)
    land(tmp_path, "second.ndjson", *alike, *alike)
    refine(spark, tmp_path)
    assert batches(tmp_path) == [(0, 4), (1, 1)]
    assert [(price, category) for *_, price, category in raw(tmp_path)] == [
        (2.5, "Home"),
        (2.5, "Toys"),
        (2.5, "Toys"),
        (3.5, "Toys"),
        (None, "Toys"),
    ]


def test_readings_that_are_all_repeats_are_refined_once(spark, tmp_path):
    data_dir = tmp_path / "50% off, Bob's"  # in SQL, in a name that Spark knows and in a pattern of names
    data_dir.mkdir()
    everything = [*JANUARY, *FEBRUARY]
    for name in ("first.ndjson", "again.ndjson"):
        land(data_dir, name, *everything)
    refine(spark, data_dir)
    assert raw(data_dir) == expected(*everything)
    assert batches(data_dir) == [(0, len(everything))]
    land(data_dir, "and again.ndjson", *everything)
    refine(spark, data_dir)
    assert batches(data_dir) == [(0, len(everything))]
    files = quoted(data_dir / "raw/readings/batch-*/*/*.parquet")
    topics = duckdb.sql(f"select distinct topic from read_parquet('{files}')").fetchall()
    assert topics == [("first.ndjson",)]  # the first arrival stays


def test_all_files_of_raw_have_the_same_columns(spark, tmp_path):
    """Those that a task has copied, those that were compared, and one without a row."""
    land(tmp_path, "first.ndjson", *JANUARY, JANUARY[0])
    refine(spark, tmp_path)
    land(tmp_path, "second.ndjson", JANUARY[0])
    refine(spark, tmp_path)
    files = list((tmp_path / "raw/readings").rglob("*.parquet"))
    assert len(files) == 3
    timestamp = pa.timestamp("us", tz="UTC")
    columns = pa.schema(
        {
            "store_location": pa.string(),
            "product_id": pa.string(),
            "event_timestamp": timestamp,
            "category": pa.string(),
            "quantity": pa.int64(),
            "price": pa.float64(),
            "extra": pa.string(),
            "publish_time": timestamp,
            "topic": pa.string(),
            "partition": pa.int32(),
            "ledger_id": pa.int64(),
            "entry_id": pa.int64(),
            "batch_index": pa.int32(),
            "batch_id": pa.int64(),
        }
    )
    assert [pq.read_schema(file).remove_metadata() for file in files] == [columns] * 3


def test_what_a_failed_attempt_of_a_task_has_written_is_not_taken(tmp_path):
    """The attempt dies when its files are whole, and Spark makes another."""
    land(tmp_path, "events.ndjson", *JANUARY, *JANUARY[:5], *FEBRUARY)
    failing = textwrap.dedent("""
        import os, signal, sys
        from pathlib import Path
        from pyspark import TaskContext
        from ingest.refining import refinement, spark_job

        copy, data_dir = refinement.copy_by, Path(sys.argv[1])

        def killed_at_first(column, parent, query):
            names = list(copy(column, parent, query))
            attempt = TaskContext.get().attemptNumber()
            (data_dir / f"attempt-{attempt}").write_text(str(len(list(parent.glob("*/event_month=*/*.parquet")))))
            if attempt == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            yield from names

        refinement.copy_by = killed_at_first
        spark_job.command(["--once", "--master", "local[2,2]", "--data-dir", sys.argv[1]])
    """)
    result = subprocess.run([sys.executable, "-c", failing, tmp_path], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    # January, February and what is set aside
    assert [(tmp_path / f"attempt-{number}").read_text() for number in range(2)] == ["3", "6"]
    assert raw(tmp_path) == expected(*JANUARY, *FEBRUARY)
    assert not list(tmp_path.glob("raw/**/.tmp-*"))


def test_executors_with_another_duckdb_are_refused(spark, tmp_path, monkeypatch):
    """The same content has the same digest in the same version only."""
    land(tmp_path, "events.ndjson", *JANUARY)
    monkeypatch.setattr(duckdb, "__version__", "0.1")
    with pytest.raises(click.ClickException, match=r"the driver 0\.1"):
        refine(spark, tmp_path)


def test_files_of_a_batch_that_a_kill_left_undone_are_refined_before_they_are_merged(spark, tmp_path):
    for count in (8, 12, 16):  # a file of events that grows
        land(tmp_path, "events.ndjson", *JANUARY[:count])
    (day,) = (tmp_path / "landing").glob("publish_date=*")
    past = day.rename(day.with_name("publish_date=2026-01-31"))
    assert len(list(past.glob("*.parquet"))) == 3
    refine(spark, tmp_path)
    take_back(tmp_path)
    result = inventory("compact", data_dir=tmp_path)
    assert result.returncode == 0, result.stderr
    assert len(list(past.glob("*.parquet"))) == 1
    assert raw(tmp_path) == expected(*JANUARY[:16])
    refine(spark, tmp_path)
    assert batches(tmp_path) == [(0, 16)]


def test_lost_checkpoint_is_refused_since_all_would_be_refined_twice(tmp_path):
    (tmp_path / "raw/readings/batch-000000").mkdir(parents=True)
    land(tmp_path, "events.ndjson", *JANUARY)
    result = inventory("land", "--once", data_dir=tmp_path)
    assert result.returncode == 1
    assert "refined twice" in result.stderr


def test_raw_of_an_older_version_is_refused(tmp_path):
    table = tmp_path / "readings/batch-000000/event_month=2026-01"
    table.mkdir(parents=True)
    (tmp_path / "_checkpoint/offsets").mkdir(parents=True)
    (tmp_path / "_checkpoint/offsets/0").touch()
    duckdb.sql(f"copy (select 'P1' as product_id) to '{table}/part.parquet' (format parquet)")
    with pytest.raises(click.ClickException, match="older version"):
        bind_source(tmp_path, {})


def test_nothing_landed_is_reported(tmp_path):
    result = inventory("land", "--once", data_dir=tmp_path)
    assert result.returncode == 1
    assert "inventory load" in result.stderr


def test_a_full_disk_is_one_line_and_what_was_unfinished_is_removed(tmp_path):
    with FullDisk(tmp_path, 2_000):
        land(tmp_path, "more.ndjson", *(event(f"P{number}", number, "2026-06-30T10:00:00Z") for number in range(9_000)))
        filling = tmp_path / "filling"
        filling.write_bytes(b"0" * (shutil.disk_usage(tmp_path).free - 60 * 1024))
        full = inventory("land", "--once", data_dir=tmp_path)
        unfinished = list(tmp_path.rglob(".tmp-*"))
        filling.unlink()
        again = inventory("land", "--once", data_dir=tmp_path)
        refined = len(raw(tmp_path))
    assert full.returncode == 1
    # Java announces a module of its own before
    assert [line for line in full.stderr.splitlines() if "incubator" not in line] == [
        line for line in full.stderr.splitlines() if line.startswith(f"Error: the disk is full: {tmp_path} has ")
    ]
    assert unfinished == []
    assert (again.returncode, refined) == (0, 9_000)


def test_a_machine_without_java_uses_the_wheel(tmp_path):
    """Everything on the path is there but java, so that Spark can only find the wheel's."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for folder in os.environ["PATH"].split(os.pathsep):
        for tool in Path(folder).glob("*"):
            if tool.name != "java" and not (tools / tool.name).is_symlink():
                (tools / tool.name).symlink_to(tool)
    assert shutil.which("java", path=str(tools)) is None
    land(tmp_path, "events.ndjson", *JANUARY)
    result = inventory("land", "--once", data_dir=tmp_path, PATH=str(tools), JAVA_HOME="")
    assert result.returncode == 0, result.stderr
    assert raw(tmp_path) == expected(*JANUARY)
