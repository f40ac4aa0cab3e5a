"""Compaction: fewer files, the same rows, whatever is killed when and whoever reads meanwhile."""

from __future__ import annotations

import ctypes
import itertools
import os
import random
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.durable_files import ExchangeError, file_lock
from ingest.events import READINGS
from ingest.landing.commit import TIMESTAMP, land, landed_files, not_landed, to_table
from ingest.landing.file_loader import land_file
from ingest.landing.quarantine import rejected
from ingest.refining import compaction
from ingest.refining.compaction import command, compact_batches, compact_landing

YESTERDAY = datetime(2026, 6, 29, 12, tzinfo=UTC)


def event(number: int) -> bytes:
    return (
        b'{"product_id":"P%d","category":"Toys","store_location":"Store_A","quantity":%d,"price":2.5,'
        b'"event_timestamp":"2026-06-28T10:00:00Z"}' % (number, number)
    )


def messages(ledger: int, first: int, count: int, timestamp: datetime = YESTERDAY) -> pa.Table:
    numbers = range(first, first + count)
    lines = [event(number) if number % 7 else b"broken" for number in numbers]
    published = pa.array([timestamp] * count, TIMESTAMP)
    return to_table(READINGS, "events", 0, ([ledger] * count, list(numbers), [-1] * count), published, lines)


def landed_rows(landing: Path) -> Counter[tuple[object, ...]]:
    found = duckdb.sql(
        f"select * exclude (price, event_timestamp) from read_parquet('{landing}/publish_date=*/*.parquet', "
        "hive_partitioning = true)"
    ).fetchall()
    return Counter(found)


def write_batch(table: Path, batch_id: int, months: dict[str, int], files_per_month: int = 1) -> None:
    """A micro-batch as refinement leaves it: per month that many rows, in so many files."""
    for month, rows in months.items():
        folder = table / f"batch-{batch_id:06d}" / f"event_month={month}"
        folder.mkdir(parents=True)
        for part in range(files_per_month):
            content = [f"{batch_id}/{month}/{part}/{row}" for row in range(rows)]
            pq.write_table(
                pa.table(
                    {"content": pa.array(content, pa.string()), "batch_id": pa.array([batch_id] * rows, pa.int64())}
                ),
                folder / f"part-{part}-of-{batch_id}.parquet",
            )


def raw_rows(table: Path) -> Counter[tuple[object, ...]]:
    found = duckdb.sql(
        f"select content, batch_id, event_month from read_parquet('{table}/batch-*/*/*.parquet', "
        "hive_partitioning = true, hive_types_autocast = false)"
    ).fetchall()
    return Counter(found)


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*.parquet"))


def test_each_day_of_landing_becomes_one_file_a_topic_and_partition(tmp_path):
    for partition in (0, 1):
        for first in range(0, 50, 10):
            land(tmp_path, "events", partition, messages(3 + first // 20, first, 10))
    land(tmp_path, "events", 0, messages(9, 90, 5, datetime(2026, 6, 30, 1, tzinfo=UTC)))
    land(tmp_path, "events", 0, messages(9, 95, 5, datetime(2026, 6, 30, 2, tzinfo=UTC)))
    before, marks = landed_rows(tmp_path), {file.partition: file.last for file in landed_files(tmp_path, "events")}
    compact_landing(tmp_path)
    assert landed_rows(tmp_path) == before
    after = landed_files(tmp_path, "events")
    assert {file.partition: file.last for file in after} == marks
    assert [(file.partition, file.first, file.last) for file in after] == [
        (0, (3, 0, -1), (5, 49, -1)),
        (0, (9, 90, -1), (9, 99, -1)),
        (1, (3, 0, -1), (5, 49, -1)),
    ]
    ids = pq.read_table(after[0].path, columns=["ledger_id", "entry_id"]).to_pylist()
    assert ids == sorted(ids, key=lambda row: (row["ledger_id"], row["entry_id"]))
    unchanged = [(path, path.stat().st_ino) for path in files(tmp_path)]
    compact_landing(tmp_path)
    assert [(path, path.stat().st_ino) for path in files(tmp_path)] == unchanged


def test_a_loader_still_knows_what_is_landed_also_of_a_cluster_that_was_made_anew(tmp_path):
    older = [messages(3, first, 10) for first in (0, 10, 20)]
    renewed = [messages(3, first, 10, YESTERDAY.replace(hour=18)) for first in (0, 15)]  # the same ids once more
    for table in (*older, *renewed):
        land(tmp_path, "events", 0, table)
    before = landed_rows(tmp_path)
    compact_landing(tmp_path)
    assert landed_rows(tmp_path) == before
    (merged,) = landed_files(tmp_path, "events")
    assert (merged.first, merged.last) == ((3, 0, -1), (3, 29, -1))
    for table in (*older, *renewed):
        assert not_landed(tmp_path, "events", 0, table).num_rows == 0
    assert not_landed(tmp_path, "events", 0, messages(3, 10, 5, YESTERDAY.replace(hour=18))).num_rows == 5
    assert not_landed(tmp_path, "events", 0, messages(3, 25, 10)).num_rows == 5


def test_the_same_messages_are_in_quarantine(tmp_path):
    landing = tmp_path / "landing"
    landing.mkdir()
    for first in range(0, 50, 10):
        land(landing, "events", first % 20 // 10, messages(3, first, 10))
    before = [message._replace(path="") for message in rejected(tmp_path, None, None)]
    assert len(before) == 8
    compact_landing(landing)
    compact_landing(landing)
    assert [message._replace(path="") for message in rejected(tmp_path, None, None)] == before


def test_a_file_source_is_still_known_by_its_lines(tmp_path, monkeypatch):
    monkeypatch.setattr("ingest.landing.file_loader.FLUSH_ROWS", 4)
    landing, source = tmp_path / "landing", tmp_path / "events.ndjson"
    landing.mkdir()
    first = [event(number) for number in range(1, 12)]
    source.write_bytes(b"\n".join(first) + b"\n")
    land_file(landing, source)
    source.write_bytes(b"\n".join(event(number) for number in range(50, 61)) + b"\n")  # another file of that name
    land_file(landing, source)
    before = landed_rows(landing)
    compact_landing(landing)
    assert landed_rows(landing) == before
    assert len(files(landing)) == 2  # each of the two files of that name keeps its own digest
    assert land_file(landing, source).total() == 0
    source.write_bytes(b"\n".join([*first, event(12)]) + b"\n")
    assert land_file(landing, source).total() == 1


BATCHES = st.lists(
    st.dictionaries(st.sampled_from(["2026-01", "2026-02", "2026-03", "none"]), st.integers(0, 5), min_size=1),
    min_size=1,
    max_size=8,
)


@settings(max_examples=40)
@given(BATCHES, st.lists(st.integers(0, 8)), st.integers(1, 2))
def test_raw_keeps_every_row_and_its_batch_through_any_compactions(batches, compacted_after, files_per_month):
    with TemporaryDirectory() as folder:
        table, expected = Path(folder, "readings"), Counter[tuple[object, ...]]()
        for batch_id, months in enumerate(batches):
            write_batch(table, batch_id, months, files_per_month)
            expected.update(
                (f"{batch_id}/{month}/{part}/{row}", batch_id, month)
                for month, rows in months.items()
                for part in range(files_per_month)
                for row in range(rows)
            )
            newest = {path: path.stat().st_ino for path in files(table / f"batch-{batch_id:06d}")}
            if batch_id in compacted_after:
                compact_batches(table)
                assert raw_rows(table) == expected
                # by its newest folder Spark sees that the batch was committed
                assert {path: path.stat().st_ino for path in files(table / f"batch-{batch_id:06d}")} == newest
        compact_batches(table)
        assert raw_rows(table) == expected
        older = [path for path in files(table) if path.parents[1].name != f"batch-{len(batches) - 1:06d}"]
        assert len({path.parent.name for path in older}) == len(older)  # one file a month


@pytest.mark.parametrize("nullable", [[True, False, False, True], [False, True, True, False]])
def test_files_that_call_a_column_nullable_and_others_are_merged(tmp_path, nullable):
    """Spark calls a constant column, as `batch_id` was, not nullable; DuckDB calls every column nullable."""
    table = tmp_path / "readings"
    for batch_id, is_nullable in enumerate(nullable):
        folder = table / f"batch-{batch_id:06d}/event_month=2026-01"
        folder.mkdir(parents=True)
        schema = pa.schema([pa.field("batch_id", pa.int64(), nullable=is_nullable)])
        pq.write_table(pa.table({"batch_id": [batch_id] * 3}, schema=schema), folder / "part.parquet")
    compact_batches(table)
    merged, _newest = files(table)
    assert pq.read_table(merged, partitioning=None)["batch_id"].to_pylist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]


def test_full_files_are_left_alone(tmp_path, monkeypatch):
    table = tmp_path / "readings"
    for batch_id in range(6):
        write_batch(table, batch_id, {"2026-01": 1 if batch_id % 2 else 2000})
    small, large = sorted({path.stat().st_size for path in files(table)})[:2]
    monkeypatch.setattr(compaction, "FULL_BYTES", 3 * small)
    assert large > 3 * small
    inodes = {path.stat().st_ino for path in files(table) if path.stat().st_size >= large}
    before = raw_rows(table)
    compact_batches(table)
    assert raw_rows(table) == before
    assert inodes <= {path.stat().st_ino for path in files(table)}


def read_while(table: Path, compacted_at: int) -> tuple[int | None, bool]:
    """Read as DuckDB reads a pattern: list every folder, then open every file; compact after so many listings.

    Returns how many rows were read, None where a file was gone, and whether the compaction came in time.
    """
    listings = itertools.count(1)

    def list_folder(folder: Path) -> list[Path]:
        found = sorted(folder.iterdir()) if folder.is_dir() else []
        if next(listings) == compacted_at:
            compact_batches(table)
        return found

    found = [file for batch in list_folder(table) for month in list_folder(batch) for file in list_folder(month)]
    was_compacted = next(listings) > compacted_at
    try:
        return sum(pq.read_metadata(file).num_rows for file in found), was_compacted
    except FileNotFoundError:
        return None, was_compacted


def test_wherever_a_reader_is_when_the_folders_change_it_counts_right_or_misses_a_file(tmp_path):
    months = [
        {"2026-01": 3},
        {"2026-02": 4, "2026-03": 1},
        {"2026-01": 2, "2026-03": 5},
        {"2026-02": 1},
        {"2026-04": 1},
    ]
    outcomes = set()
    for compacted_at in itertools.count(1):
        table = tmp_path / str(compacted_at) / "readings"
        for batch_id, rows in enumerate(months):
            write_batch(table, batch_id, rows)
        count, was_compacted = read_while(table, compacted_at)
        if not was_compacted:
            break
        assert count in {17, None}
        outcomes.add(count)
    assert outcomes == {17, None}


def test_a_reader_meanwhile_counts_right_or_is_refused_since_a_file_is_gone(tmp_path):
    """The glob of the dbt source, again and again, while batches come and are compacted."""
    table = tmp_path / "readings"
    counts, failed, wrong = Counter[str](), threading.Event(), []
    low = high = 0
    for batch_id in range(3):
        write_batch(table, batch_id, {f"2026-{month:02}": 3 for month in range(1, 7)})
        low = high = high + 18

    def read() -> None:
        connection = duckdb.connect()
        while not failed.is_set():
            least = low
            try:
                (count,) = connection.execute(
                    f"select count(*) from read_parquet('{table}/batch-*/*/*.parquet', union_by_name = true)"
                ).fetchone()
            except duckdb.IOException as error:
                if "No files found" in str(error):  # the folder itself was gone
                    wrong.append((least, 0, high))
                counts["refused"] += 1
                continue
            counts["right"] += 1
            if not least <= count <= high:
                wrong.append((least, count, high))

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    try:
        for batch_id in range(3, 33):
            high += 18
            staged = tmp_path / "staged"
            write_batch(staged, batch_id, {f"2026-{month:02}": 3 for month in range(1, 7)})
            (staged / f"batch-{batch_id:06d}").rename(table / f"batch-{batch_id:06d}")
            low += 18
            compact_batches(table)
    finally:
        failed.set()
        for reader in readers:
            reader.join()
    assert not wrong
    assert counts["right"] > 20


STEPS = {
    "while files are linked": "Path.hardlink_to",
    "while files are merged": "compaction._write",
    "before the exchange": "compaction.exchange",
    "after the exchange": "shutil.rmtree",
}


@pytest.mark.parametrize("step", STEPS)
def test_killed_at_any_step_the_rows_are_there_once(tmp_path, step):
    table, landing = tmp_path / "raw/readings", tmp_path / "landing"
    for batch_id in range(5):
        write_batch(table, batch_id, {"2026-01": 3, "2026-02": batch_id})
    landing.mkdir()
    for first in range(0, 30, 10):
        land(landing, "events", 0, messages(3, first, 10))
    before = raw_rows(table), landed_rows(landing)
    killer = textwrap.dedent(f"""
        import os, shutil, signal, sys
        from pathlib import Path
        from ingest.refining import compaction

        def kill(path, *arguments, ignore_errors=False):
            if not ignore_errors:
                os.kill(os.getpid(), signal.SIGKILL)

        {STEPS[step]} = kill
        compaction.{{0}}
    """)
    for folder, call in (
        (table, f"compact_batches(Path('{table}'))"),
        (landing, f"compact_landing(Path('{landing}'))"),
    ):
        if folder == landing and step == "while files are linked":
            continue  # nothing of a day is kept there, so nothing is linked
        killed = subprocess.run([sys.executable, "-c", killer.format(call)], check=False)
        assert killed.returncode == -signal.SIGKILL
    assert (raw_rows(table), landed_rows(landing)) == before
    result = CliRunner().invoke(command, ["--data-dir", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert (raw_rows(table), landed_rows(landing)) == before
    assert not list(tmp_path.rglob(".tmp-*"))
    assert len(files(table)) == 4
    assert len(files(landing)) == 1


def test_killed_at_random_times_the_rows_are_there_once(tmp_path):
    table, chance = tmp_path / "raw/readings", random.Random(7)
    writer = textwrap.dedent("""
        import os, sys
        from pathlib import Path
        from ingest.refining.compaction import compact_batches
        from ingest.durable_files import file_lock
        from tests.unit.ingest.refining.test_compaction import write_batch

        raw, first = Path(sys.argv[1]), int(sys.argv[2])
        with file_lock(raw, "refining"):
            for batch_id in range(first, first + 100_000):
                write_batch(raw / ".tmp-next", batch_id, {"2026-01": 2, "2026-02": 1})
                (raw / f".tmp-next/batch-{batch_id:06d}").rename(raw / f"readings/batch-{batch_id:06d}")
                compact_batches(raw / "readings")
                print(batch_id, flush=True)
    """)
    write_batch(table, 0, {"2026-01": 2, "2026-02": 1})
    batches = 1
    for _ in range(4):
        process = subprocess.Popen(
            [sys.executable, "-c", writer, table.parent, str(batches)], stdout=subprocess.PIPE, cwd=Path.cwd()
        )
        assert process.stdout is not None
        for _ in range(chance.randint(1, 4)):
            assert process.stdout.readline()
        time.sleep(chance.uniform(0, 0.05))
        process.send_signal(signal.SIGKILL)
        process.wait()
        found = raw_rows(table)
        batches = max(batch_id for _, batch_id, _ in found) + 1
        assert sum(found.values()) == len(found) == 3 * batches
    assert batches > 4


@pytest.fixture
def no_exchange(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    class WithoutExchange:
        """The C library on a system that has no renameat2."""

    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: WithoutExchange())
    return


def test_where_folders_cannot_be_exchanged_nothing_is_changed(tmp_path, no_exchange):
    table = tmp_path / "raw/readings"
    for batch_id in range(3):
        write_batch(table, batch_id, {"2026-01": 3})
    before = files(table)
    with pytest.raises(ExchangeError, match="nothing was"):
        compact_batches(table)
    assert files(table) == before
    result = CliRunner().invoke(command, ["--data-dir", str(tmp_path)])
    assert result.exit_code == 1
    assert "ext4" in result.output


def test_it_does_not_run_beside_a_loader(tmp_path):
    landing = tmp_path / "landing"
    landing.mkdir()
    land(landing, "events", 0, messages(3, 0, 10))
    with file_lock(landing, "landing"):
        result = CliRunner().invoke(command, ["--data-dir", str(tmp_path)])
    assert result.exit_code == 1
    assert f"process {os.getpid()} is landing here" in result.output


def test_a_folder_without_data_is_named(tmp_path):
    result = CliRunner().invoke(command, ["--data-dir", str(tmp_path / "elsewhere")])
    assert result.exit_code == 1
    assert "INVENTORY_DATA_DIR" in result.output
