"""Files of events: each line lands once, good or quarantined, however the file is named, grown or read again."""

from pathlib import Path

import duckdb
import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from ingest import load
from ingest.durable_files import file_lock
from ingest.events import FIELDS
from tests.unit.ingest.landing.loading import load_until_killed
from tests.unit.ingest.test_events import EVENT


def run(data_dir: Path, source: Path):
    return CliRunner().invoke(load.command, ["--source", str(source), "--data-dir", str(data_dir)])


def landed(data_dir: Path):
    files = f"{data_dir}/landing/publish_date=*/*.parquet"
    return duckdb.sql(f"select * from read_parquet('{files}', hive_partitioning = false)").fetchall()


def write(path: Path, *lines: bytes) -> Path:
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    return path


def events(count: int, start: int = 0) -> list[bytes]:
    return [msgspec.json.encode({**EVENT, "quantity": quantity}) for quantity in range(start, start + count)]


def test_landing_columns_are_the_contract(tmp_path):
    assert run(tmp_path, write(tmp_path / "e.ndjson", *events(2), b"broken")).exit_code == 0
    (file,) = (tmp_path / "landing").glob("publish_date=*/*.parquet")
    assert pq.read_schema(file).names == [
        *("topic", "partition", "ledger_id", "entry_id", "batch_index", "publish_time"),
        *FIELDS,
        *("extra", "error", "raw"),
    ]
    rows = pq.read_table(file).to_pylist()
    assert [(row["topic"], row["entry_id"], row["quantity"]) for row in rows] == [
        ("e.ndjson", 1, 0),
        ("e.ndjson", 2, 1),
        ("e.ndjson", 3, None),
    ]
    assert [row["raw"] for row in rows] == [None, None, b"broken"]
    assert [row["error"] is None for row in rows] == [True, True, False]


def test_half_malformed_file_lands_the_good_and_keeps_the_bad(tmp_path):
    source = write(tmp_path / "e.ndjson", events(1)[0], b"{", b"\xe9t\xe9", events(1, 1)[0])
    result = run(tmp_path, source)
    assert result.exit_code == 0
    assert "landed 2 readings, quarantined 2 (1 not_json, 1 not_utf8)" in result.output
    assert len(landed(tmp_path)) == 4


def test_landing_again_changes_nothing(tmp_path):
    source = write(tmp_path / "e.ndjson", *events(3))
    run(tmp_path, source)
    before = sorted((tmp_path / "landing").rglob("*.parquet"))
    result = run(tmp_path, source)
    assert "nothing new" in result.output
    assert result.exit_code == 0
    assert sorted((tmp_path / "landing").rglob("*.parquet")) == before


def test_grown_file_goes_on_where_it_was_left(tmp_path):
    source = tmp_path / "e.ndjson"
    run(tmp_path, write(source, *events(3)))
    run(tmp_path, write(source, *events(5)))
    assert sorted((row[2], row[3]) for row in landed(tmp_path)) == [(1, line) for line in range(1, 6)]


def test_another_file_of_the_same_name_is_not_taken_for_the_first(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first, second = write(tmp_path / "a/e.ndjson", *events(3)), write(tmp_path / "b/e.ndjson", *events(4, 10))
    for source in (first, second, first, second):
        run(tmp_path, source)
    assert sorted((row[2], row[3]) for row in landed(tmp_path)) == [
        *((1, line) for line in range(1, 4)),
        *((2, line) for line in range(1, 5)),
    ]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("missing.ndjson", None, "no such file"),
        ("empty.ndjson", b"", "empty"),
        ("events.doc", b"x", "unknown ending '.doc'"),
        ("header.csv", b"sku,qty\nP1,5\n", "the header lacks product_id"),
        ("cut.parquet", b"PAR1 nothing", "not a readable Parquet file"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path, name, content, message):
    source = tmp_path / name
    if content is not None:
        source.write_bytes(content)
    result = run(tmp_path, source)
    assert result.exit_code == 1
    assert name in result.output
    assert message in result.output


def test_a_file_without_one_good_line_fails_and_is_kept(tmp_path):
    result = run(tmp_path, write(tmp_path / "e.ndjson", b"x", b"y"))
    assert result.exit_code == 1
    assert "no line is a stock reading" in result.output
    assert len(landed(tmp_path)) == 2


def test_csv_is_typed_from_its_text(tmp_path):
    header = ",".join([*FIELDS, "shelf"])
    rows = [
        'P1,"Toys, small",Store_A,5,9.5,2026-01-01T00:00:00Z,top',
        "P2,Toys,Store_A,5.0,,2026-01-01T00:00:00Z,",
        "P3,Toys,Store_A,many,1,2026-01-01T00:00:00Z,",
        "P4,Toys,Store_A",
    ]
    source = tmp_path / "e.csv"
    source.write_text("\ufeff" + "\r\n".join([header, *rows]) + "\r\n", encoding="utf-8")
    result = run(tmp_path, source)
    assert result.exit_code == 0, result.output
    rows = {row[3]: row[6:] for row in landed(tmp_path)}
    assert rows[2][:5] == ("P1", "Toys, small", "Store_A", 5, 9.5)
    assert rows[2][6] == '{"shelf":"top"}'
    assert rows[3][3:5] == (5, None)
    assert rows[4][7] == "wrong_type: quantity: 'many' is no number"
    assert rows[5][8] == b"P4,Toys,Store_A"


def test_parquet_rows_are_events(tmp_path):
    table = pa.table({name: [EVENT[name]] * 2 for name in FIELDS} | {"price": [1.5, None]})
    pq.write_table(table, tmp_path / "e.parquet")
    assert run(tmp_path, tmp_path / "e.parquet").exit_code == 0
    assert sorted((row[3], row[10]) for row in landed(tmp_path)) == [(1, 1.5), (2, None)]


def test_notes_of_a_file_land_beside_the_readings(tmp_path):
    names = ["note_id", "product_id", "category", "store_location", "note", "event_timestamp", "author"]
    source = tmp_path / "notes.csv"
    rows = ['N1,P1,Toys,Store_A,"box torn, twice",2026-01-01T00:00:00Z,Kim', "N2,P1,Toys,Store_A,late,soon,"]
    source.write_text("\n".join([",".join(names), *rows]) + "\n")
    result = CliRunner().invoke(load.command, ["--notes", "--source", str(source), "--data-dir", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert "landed 1 notes, quarantined 1 (1 wrong_type)" in result.output
    (file,) = tmp_path.glob("landing_notes/publish_date=*/*.parquet")
    good, bad = pq.read_table(file).to_pylist()
    assert (good["note_id"], good["note"], good["extra"]) == ("N1", "box torn, twice", '{"author":"Kim"}')
    assert (bad["note_id"], bad["raw"]) == (None, rows[1].encode())


def test_without_a_source_or_a_broker_it_says_what_to_set(tmp_path):
    result = CliRunner().invoke(load.command, ["--data-dir", str(tmp_path)], env={"PULSAR_URL": ""})
    assert result.exit_code == 1
    assert "PULSAR_URL" in result.output


def test_a_second_loader_is_refused_and_names_the_first(tmp_path):
    source = write(tmp_path / "e.ndjson", *events(1))
    with file_lock(tmp_path / "landing", "landing"):
        result = run(tmp_path, source)
    assert result.exit_code == 1
    assert "is landing here" in result.output


@pytest.mark.parametrize("step", ["write_table", "fsync", "rename", "sync_folder"])
@pytest.mark.parametrize("batch", [1, 2])
def test_killed_at_any_step_each_line_lands_once(tmp_path, step, batch):
    """A real process is killed before the given step of the given batch; what it left is finished by the next run."""
    source = write(tmp_path / "e.ndjson", *events(25), b"broken")
    load_until_killed(source, tmp_path, step, batch)
    assert run(tmp_path, source).exit_code == 0
    rows = landed(tmp_path)
    assert sorted(row[3] for row in rows) == list(range(1, 27))
    assert sorted(row[9] for row in rows if row[13] is None) == list(range(25))
    assert not list((tmp_path / "landing").rglob(".tmp-*"))
