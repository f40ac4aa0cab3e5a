"""Parquet of every type that may hold a reading, and Excel workbooks."""

import io
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter

from tests.unit.ingest.landing.loading import gzipped, load_bytes, zipped

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
READING = {
    "product_id": "P1",
    "category": "Toys",
    "store_location": "East",
    "quantity": 5,
    "price": 9.5,
    "event_timestamp": AT,
}
LANDED = tuple(READING.values())


def parquet(**columns: pa.Array) -> bytes:
    """A file of one reading, with these columns in place of the usual ones."""
    file = io.BytesIO()
    pq.write_table(pa.table({name: pa.array([value]) for name, value in READING.items()} | columns), file)
    return file.getvalue()


def landed(rows) -> list[tuple]:
    return [tuple(row[name] for name in READING) for row in rows]


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("product_id", pa.array([b"P1"], pa.binary())),
        ("product_id", pa.array([b"P1"], pa.large_binary())),
        ("product_id", pa.array([b"P1"], pa.binary(2))),
        ("product_id", pa.array(["P1"], pa.large_string())),
        ("product_id", pa.array(["P1"], pa.string_view())),
        ("product_id", pa.array(["P1"]).dictionary_encode()),
        ("product_id", pa.array([b"P1"], pa.binary()).dictionary_encode()),
        ("quantity", pa.array([5], pa.int8())),
        ("quantity", pa.array([5], pa.uint64())),
        ("quantity", pa.array([5.0], pa.float64())),
        ("quantity", pa.array([np.float16(5)], pa.float16())),
        ("quantity", pa.array([Decimal("5.000")], pa.decimal128(10, 3))),
        ("quantity", pa.array(["5"])),
        ("price", pa.array([Decimal("9.50")], pa.decimal128(9, 2))),
        ("price", pa.array([Decimal("9.50")], pa.decimal256(50, 2))),
        ("price", pa.array([9.5], pa.float32())),
        ("price", pa.array(["9.50"])),
        *(
            ("event_timestamp", pa.array([AT], pa.timestamp(unit, zone)))
            for unit in ("s", "ms", "us", "ns")
            for zone in (None, "UTC", "Asia/Tokyo")
        ),
        ("event_timestamp", pa.array(["2026-01-02T05:04:05+02:00"])),
        ("event_timestamp", pa.array([int(AT.timestamp() * 1000)])),
    ],
    ids=lambda value: str(value.type) if isinstance(value, pa.Array) else value,
)
def test_parquet_types(tmp_path, name, array):
    loaded = load_bytes(tmp_path, "e.parquet", parquet(**{name: array}))
    assert landed(loaded.rows) == [LANDED], loaded.rows


@pytest.mark.parametrize(
    ("columns", "name", "value"),
    [
        ({"price": pa.array([None], pa.float64())}, "price", None),
        ({"price": pa.array([float("nan")])}, "price", None),
        ({"price": pa.array([0.1], pa.float32())}, "price", 0.1),
        ({"price": pa.array([0.1], pa.float16())}, "price", 0.1),
        ({"price": pa.array([None], pa.float32())}, "price", None),
        ({"product_id": pa.array([0.1], pa.float32())}, "product_id", "0.1"),
        ({"event_timestamp": pa.array([date(2026, 1, 2)])}, "event_timestamp", datetime(2026, 1, 2, tzinfo=UTC)),
        (
            {"event_timestamp": pa.array([np.datetime64("2026-01-02T03:04:05.123456789")])},
            "event_timestamp",
            AT.replace(microsecond=123456),
        ),
        ({"event_timestamp": pa.array([20260102])}, "event_timestamp", datetime(2026, 1, 2, tzinfo=UTC)),
        ({"event_timestamp": pa.array([20260102030405.0])}, "event_timestamp", AT),
        (
            {"event_timestamp": pa.array([Decimal("1767323045.500")])},
            "event_timestamp",
            AT.replace(microsecond=500_000),
        ),
        ({"product_id": pa.array([123])}, "product_id", "123"),
        ({"product_id": pa.array([340123450000000018])}, "product_id", "340123450000000018"),
        ({"product_id": pa.array([2.0**53])}, "product_id", "9007199254740992"),
        ({"product_id": pa.array([123.0])}, "product_id", "123"),
        ({"shelf": pa.array([{"row": 1, "tags": ["a", None]}])}, "extra", '{"shelf":{"row":1,"tags":["a",null]}}'),
        ({"cost": pa.array([Decimal("1.20")]), "none": pa.array([None], pa.string())}, "extra", '{"cost":1.20}'),
    ],
)
def test_parquet_values(tmp_path, columns, name, value):
    loaded = load_bytes(tmp_path, "e.parquet", parquet(**columns))
    assert loaded.column(name) == [value], loaded.rows


@pytest.mark.parametrize(
    ("columns", "error"),
    [
        ({"product_id": pa.array([b"\xff\x00"])}, "not_utf8: product_id: "),
        ({"product_id": pa.array([None], pa.string())}, "wrong_type: product_id"),
        ({"product_id": pa.array([float("nan")])}, "wrong_type: product_id"),
        ({"product_id": pa.array([340123450000000018.0])}, "wrong_type: product_id: the number 3.4012345e+17 has"),
        (
            {"store_location": pa.array([-(2.0**60)])},
            "wrong_type: store_location: the number -1.152921504606847e+18 has",
        ),
        ({"quantity": pa.array([None], pa.int64())}, "wrong_type: quantity"),
        ({"quantity": pa.array([float("nan")])}, "wrong_type: quantity"),
        ({"quantity": pa.array([5.5])}, "fractional_quantity: "),
        ({"price": pa.array([float("inf")])}, "out_of_range: price"),
        ({"event_timestamp": pa.array([10**14], pa.timestamp("s"))}, "wrong_type: event_timestamp"),
        ({"event_timestamp": pa.array([None], pa.timestamp("us"))}, "wrong_type: event_timestamp"),
        ({"event_timestamp": pa.array([timedelta(1)])}, "wrong_type: event_timestamp"),
    ],
)
def test_parquet_rows_that_are_no_readings_say_why(tmp_path, columns, error):
    loaded = load_bytes(tmp_path, "e.parquet", parquet(**columns))
    assert not loaded.good
    assert loaded.bad[0]["error"].startswith(error)
    assert loaded.bad[0]["raw"].startswith(b'{"product_id":')


@pytest.mark.parametrize("price", [pa.array([-0.0]), pa.array([-0.0], pa.float32()), pa.array(["-0"])])
def test_minus_zero_is_zero(tmp_path, price):
    assert list(map(str, load_bytes(tmp_path, "e.parquet", parquet(price=price)).column("price"))) == ["0.0"]


def workbook(*sheets: tuple[str, list[list]]) -> bytes:
    """A workbook; texts stay text, however they look."""
    file = io.BytesIO()
    with xlsxwriter.Workbook(file, {"in_memory": True, "default_date_format": "yyyy-mm-dd hh:mm:ss.000"}) as book:
        for name, rows in sheets:
            sheet = book.add_worksheet(name)
            for row, cells in enumerate(rows):
                for column, cell in enumerate(cells):
                    if isinstance(cell, tuple):
                        sheet.write_formula(row, column, cell[0], None, cell[1])
                    elif isinstance(cell, str):
                        sheet.write_string(row, column, cell)
                    elif cell is not None:
                        sheet.write(row, column, cell)
    return file.getvalue()


NAIVE = AT.replace(tzinfo=None)
HEADER = list(READING)
ROW = ["P1", "Toys", "East", 5, 9.5, NAIVE]


def test_excel(tmp_path):
    rows = [
        ["Stock of January"],
        [],
        [*HEADER, "shelf"],
        ["00123", "Toys", "East", 5, 9.5, NAIVE, "top"],
        [],
        [123, "Toys", "East", ("=2+3", 5), None, date(2026, 1, 2)],
        ["P3", "Toys", "East", "1.250,5", "2,5", "02.01.2026 03:04"],
        ["P4", "Toys", "East", ("=NA()", "#N/A"), 1, NAIVE],
        ["Total", None, None, 1260.5],
    ]
    loaded = load_bytes(tmp_path, "e.xlsx", workbook(("Stock", rows), ("Notes", [["x"]])), "--quantity-scale", "2")
    assert [
        (row["entry_id"], row["product_id"], row["quantity"], row["price"], row["extra"]) for row in loaded.good
    ] == [
        (4, "00123", 10, 4.75, '{"shelf":"top"}'),
        (6, "123", 10, None, None),
        (7, "P3", 2501, 1.25, None),
    ]
    assert loaded.column("event_timestamp") == [AT, datetime(2026, 1, 2, tzinfo=UTC), AT.replace(second=0)]
    assert [(row["entry_id"], row["error"].partition(":")[0]) for row in loaded.bad] == [
        (8, "wrong_type"),
        (9, "total_line"),
    ]
    assert "sheet Stock (--sheet names another: Notes)" in loaded.output
    assert "1 empty rows" in loaded.output


def test_the_reason_names_what_a_cell_shows_whose_formula_failed(tmp_path):
    failed = ("=1/0", "#DIV/0!")
    rows = [
        [],
        [None, *HEADER, "shelf"],
        [None, *ROW[:3], ("=NA()", "#N/A"), *ROW[4:]],
        [None, ("=A0", "#REF!"), *ROW[1:]],
        [None, *ROW[:4], failed, NAIVE],
        [None, *ROW[:3], "#N/A", *ROW[4:]],
        [None, *ROW, failed],
    ]
    loaded = load_bytes(tmp_path, "e.xlsx", workbook(("A & B", rows), ("Cover", [])))
    assert [(row["entry_id"], row["error"]) for row in loaded.bad] == [
        (3, "wrong_type: quantity: the cell shows #N/A"),
        (4, "wrong_type: product_id: the cell shows #REF!"),
        (5, "wrong_type: price: the cell shows #DIV/0!"),
        (6, "wrong_type: quantity: the cell shows #N/A"),
    ]
    assert b'"price":"#DIV/0!"' in loaded.bad[2]["raw"]
    assert [(row["entry_id"], row["extra"]) for row in loaded.good] == [(7, '{"shelf":"#DIV/0!"}')]


def test_a_table_may_stand_anywhere_in_its_sheet(tmp_path):
    rows = [["Stock"], [], [], *([None, *cells] for cells in (HEADER, [*ROW, None, "counted twice"]))]
    loaded = load_bytes(tmp_path, "e.xlsx", workbook(("Stock", rows)))
    assert landed(loaded.rows) == [LANDED]
    assert [(row["entry_id"], row["extra"]) for row in loaded.rows] == [(5, '{"column 9":"counted twice"}')]
    away = workbook(("Stock", [[], [], [None, None, *HEADER], [None, None, *ROW]]))
    (tmp_path / "away").mkdir()
    assert landed(load_bytes(tmp_path / "away", "e.xlsx", away).rows) == [LANDED]


def test_columns_of_one_name_are_told_apart_by_their_places(tmp_path):
    header = [*HEADER, "note", "note"]
    sheet = workbook(("Stock", [header, [*ROW, "a", "b"], header, [*ROW, "c", None]]))
    loaded = load_bytes(tmp_path, "e.xlsx", sheet)
    assert loaded.column("extra") == ['{"note (column 7)":"a","note (column 8)":"b"}', '{"note (column 7)":"c"}']
    file = io.BytesIO()
    pq.write_table(
        pa.table([[value] for value in (*READING.values(), "a", "b")], names=[*READING, "note", "note"]), file
    )
    (tmp_path / "parquet").mkdir()
    loaded = load_bytes(tmp_path / "parquet", "e.parquet", file.getvalue())
    assert loaded.column("extra") == ['{"note (column 7)":"a","note (column 8)":"b"}']


def test_excel_sheet(tmp_path):
    content = workbook(("Cover", [["x"]]), ("Stock", [HEADER, ROW]))
    assert landed(load_bytes(tmp_path, "e.xlsx", content, "--sheet", "Stock").rows) == [LANDED]
    for options, message in ([(), "sheet Cover holds no rows"], [("--sheet", "No"), "one of Cover, Stock"]):
        loaded = load_bytes(tmp_path, "f.xlsx", content, *options)
        assert loaded.exit_code == 1
        assert message in loaded.output
    for name, file, option in (("f.parquet", parquet(), "--sheet"), ("f.xlsx", content, "--encoding")):
        loaded = load_bytes(tmp_path, name, file, option, "utf-8")
        assert loaded.exit_code == 1
        assert f"Leave out {option}" in loaded.output


@pytest.mark.parametrize("name", ["e.xlsx", "e.parquet"])
@pytest.mark.parametrize("pack", [gzipped, None])
def test_tables_in_archives(tmp_path, name, pack):
    content = workbook(("Stock", [HEADER, ROW])) if name == "e.xlsx" else parquet()
    packed = gzipped(content) if pack else zipped(name, content)
    assert landed(load_bytes(tmp_path, f"{name}.gz" if pack else "e.zip", packed).rows) == [LANDED]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("e.xlsx", b"no workbook", "not a readable Excel workbook"),
        ("e.parquet", b"PAR1", "not a readable Parquet file"),
        ("e.parquet", parquet().replace(b"Toys", b"Toy\xff")[:-20], "not a readable Parquet file"),
        ("e.csv", workbook(("Stock", [HEADER, ROW])), "is no text, but an Excel workbook. Name it .xlsx"),
        ("e.ndjson", parquet(), "is no text, but a Parquet file. Name it .parquet"),
        ("e.csv", zipped("e.csv", b"x"), "is no text, but a zip archive. Name it .zip"),
        ("e.ndjson", b"%PDF-1.7\0", "is no text, but a PDF"),
        ("e.csv", b"\x7fELF\x02\x01\x01\0\x03\0\x3e\0", "is no text. Name a file by its format"),
        ("e.csv", b'{"product_id": "P1"}\n', "is no table, but JSON. Name it .ndjson"),
        ("e.csv", b'\xef\xbb\xbf\n[\n{"product_id": "P1", "quantity": 5}]', "is no table, but JSON. Name it .ndjson"),
        ("e.csv", b"<!DOCTYPE html>\n<table><tr><td>P1,5</td></tr></table>\n", "is no table, but HTML or XML"),
        ("e.ndjson", b"product_id;quantity\nP1;5\n", "holds no JSON, but a table of text. Name it .csv"),
        ("e.json.gz", gzipped(b"product_id\tquantity\nP1\t5\n"), "holds no JSON, but a table of text. Name it .csv"),
        ("e.csv.gz", b"product_id\n1\n", "is no gz archive, but a plain file. Take .gz off its name"),
        ("e.gz", zipped("e.csv", b"x"), "is no gz archive, but a zip archive. Name it .zip"),
        ("e.zip", gzipped(b"x"), "is no zip archive, but a gzip archive. Name it .gz"),
        ("e.zip", workbook(("Stock", [HEADER, ROW])), "is no zip archive, but an Excel workbook. Name it .xlsx"),
        ("e.zip", b"product_id\n1\n", "is no zip archive, but a plain file. Take .zip off its name"),
    ],
)
def test_what_is_not_what_its_name_says(tmp_path, name, content, message):
    loaded = load_bytes(tmp_path, name, content)
    assert loaded.exit_code == 1
    assert message in loaded.output
    assert len(loaded.output.splitlines()) == 1


def test_time_zone_of_naive_times(tmp_path):
    loaded = load_bytes(
        tmp_path, "e.parquet", parquet(event_timestamp=pa.array([NAIVE])), "--time-zone", "Europe/Berlin"
    )
    assert loaded.column("event_timestamp") == [NAIVE.replace(tzinfo=timezone(timedelta(hours=1)))]
