"""Known readings, written as files of every kind in any dialect, land as what they were."""

import csv
import io
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
import xlsxwriter
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from ingest.events import FIELDS
from ingest.landing.file_loader import land_file
from ingest.landing.files.rows import FileOptions, SourceError
from tests.unit.ingest.landing.loading import gzipped, load_file, load_until_killed, zipped

NAMES = st.sampled_from(["P1", "00123", "Köln", "Toys, small", 'a "b"', "a;b|c", "it's", "Total", "N/A", "x=1", "[1]{"])
READINGS = st.lists(
    st.fixed_dictionaries(
        {
            "product_id": NAMES,
            "category": NAMES,
            "store_location": NAMES,
            "quantity": st.integers(-50, 5_000_000),
            "price": st.none() | st.integers(0, 10**8).map(lambda cents: cents / 100),
            "event_timestamp": st.datetimes(datetime(2020, 1, 1), datetime(2026, 1, 1)).map(
                lambda time: time.replace(second=0, microsecond=0, tzinfo=UTC)
            ),
        }
    ).map(lambda reading: {name: reading[name] for name in FIELDS}),
    min_size=1,
    max_size=8,
)
TIMES: dict[str, Callable[[datetime], str]] = {
    "iso": lambda time: time.isoformat(),
    "z": lambda time: time.strftime("%Y-%m-%dT%H:%M:%SZ"),
    "minutes": lambda time: time.strftime("%Y-%m-%d %H:%M"),
    "utc": lambda time: time.strftime("%Y-%m-%d %H:%M:%S UTC"),
    "dots": lambda time: time.strftime("%d.%m.%Y %H:%M"),
    "day first": lambda time: time.strftime("%d/%m/%Y %H:%M"),
    "month first": lambda time: time.strftime("%m/%d/%Y %I:%M %p"),
    "seconds": lambda time: str(int(time.timestamp())),
    "milliseconds": lambda time: str(int(time.timestamp()) * 1000),
}


@dataclass(frozen=True)
class Dialect:
    """How somebody writes a file."""

    kind: str
    packed: str
    delimiter: str
    decimal: str
    thousands: str
    quoting: int
    encoding: str
    end: str
    time: str


dialects = st.builds(
    Dialect,
    kind=st.sampled_from(["csv", "ndjson", "json", "indented", "xlsx", "text xlsx", "parquet", "text parquet"]),
    packed=st.sampled_from(["", "gz", "zip"]),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    decimal=st.sampled_from([".", ","]),
    thousands=st.sampled_from(["", "", " ", "'", "other"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "windows-1252"]),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    time=st.sampled_from(list(TIMES)),
)


def texts(reading: dict, dialect: Dialect) -> list[str]:
    """The cells of a reading as this dialect writes them."""
    thousands = {"other": ".,"[dialect.decimal == "."]}.get(dialect.thousands, dialect.thousands)

    def number(value: float | None, form: str) -> str:
        marks = {",": thousands, ".": dialect.decimal}
        return "" if value is None else "".join(marks.get(mark, mark) for mark in format(value, form))

    return [
        *(reading[name] for name in FIELDS[:3]),
        number(reading["quantity"], ",d"),
        number(reading["price"], ",.2f"),
        TIMES[dialect.time](reading["event_timestamp"]),
    ]


def delimited(readings: list[dict], dialect: Dialect) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=dialect.delimiter, quoting=dialect.quoting, lineterminator=dialect.end)
    writer.writerows([FIELDS, *(texts(reading, dialect) for reading in readings)])
    return text.getvalue().encode(dialect.encoding)


def workbook(rows: list[list]) -> bytes:
    file = io.BytesIO()
    with xlsxwriter.Workbook(file, {"in_memory": True, "default_date_format": "yyyy-mm-dd hh:mm:ss"}) as book:
        sheet = book.add_worksheet()
        for row, cells in enumerate([list(FIELDS), *rows]):
            for column, cell in enumerate(cells):
                (sheet.write_string if isinstance(cell, str) else sheet.write)(row, column, cell)
    return file.getvalue()


def parquet(columns: dict[str, pa.Array]) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file)
    return file.getvalue()


def written(readings: list[dict], dialect: Dialect) -> tuple[str, bytes]:
    """A name and the bytes of a file of these readings."""
    events = [{**reading, "event_timestamp": TIMES["z"](reading["event_timestamp"])} for reading in readings]
    cells = [texts(reading, dialect) for reading in readings]
    native = [[*list(reading.values())[:5], reading["event_timestamp"].replace(tzinfo=None)] for reading in readings]
    ending, content = {
        "csv": lambda: ("csv", delimited(readings, dialect)),
        "ndjson": lambda: ("ndjson", dialect.end.replace("\r", "\n").join(map(json.dumps, events)).encode()),
        "json": lambda: ("json", json.dumps(events, ensure_ascii=False).encode()),
        "indented": lambda: ("json", dialect.end.join(json.dumps(event, indent=2) for event in events).encode()),
        "xlsx": lambda: ("xlsx", workbook(native)),
        "text xlsx": lambda: ("xlsx", workbook(cells)),
        "parquet": lambda: (
            "parquet",
            parquet(
                {
                    name: pa.array([row[name] for row in readings], pa.float64() if name == "price" else None)
                    for name in FIELDS
                }
            ),
        ),
        "text parquet": lambda: (
            "parquet",
            parquet({name: pa.array(column) for name, column in zip(FIELDS, zip(*cells, strict=True), strict=True)}),
        ),
    }[dialect.kind]()
    if dialect.packed == "gz":
        return f"e.{ending}.gz", gzipped(content)
    return ("e.zip", zipped(f"e.{ending}", content)) if dialect.packed == "zip" else (f"e.{ending}", content)


@settings(max_examples=100, phases=[Phase.generate])
@given(READINGS, dialects)
def test_what_lands_is_what_was_written(readings, dialect):
    name, content = written(readings, dialect)
    with tempfile.TemporaryDirectory() as folder:
        source, landing = Path(folder, name), Path(folder, "landing")
        source.write_bytes(content)
        landing.mkdir()
        options = FileOptions()
        try:
            land_file(landing, source)
        except SourceError as error:  # it may only ask what nobody can know
            if "can be read in two ways" not in str(error):
                raise
            assert not list(landing.iterdir())
            options = replace(
                options,
                decimal="comma" if dialect.decimal == "," else "point",
                day_first={"day first": True, "month first": False}.get(dialect.time),
            )
            land_file(landing, source, options=options)
        rows = ds.dataset([str(path) for path in landing.rglob("*.parquet")]).to_table().to_pylist()
        assert [row["error"] for row in rows] == [None] * len(readings)
        assert [{name: row[name] for name in FIELDS} for row in rows] == readings
        assert not land_file(landing, source, options=options).total()


# before and after the commit in turn: what differs between kinds is how a file is read once more
@pytest.mark.parametrize(
    ("kind", "step"),
    list(zip(["csv", "json", "indented", "xlsx", "parquet", "zip", "gz"], cycle(["rename", "sync_folder"]))),
)
def test_killed_each_row_of_any_kind_lands_once(tmp_path, kind, step):
    readings = [
        dict(zip(FIELDS, ("P1", "Toys", "Köln", number, 1234.5, datetime(2026, 1, 1, tzinfo=UTC)), strict=True))
        for number in range(25)
    ]
    packed = kind if kind in ("zip", "gz") else ""
    dialect = Dialect("csv" if packed else kind, packed, ";", ",", ".", csv.QUOTE_ALL, "utf-16", "\r\n", "dots")
    name, content = written(readings, dialect)
    source = tmp_path / name
    source.write_bytes(content)
    load_until_killed(source, tmp_path / "data", step, 2)
    loaded = load_file(source, tmp_path / "data")
    assert loaded.exit_code == 0
    assert [{name: row[name] for name in FIELDS} for row in loaded.rows] == readings
