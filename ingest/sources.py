"""Event files as streams of messages: NDJSON, CSV and Parquet.

Every source yields `Line`s in file order, numbered from 1, in bounded memory. What a line means is not decided here but
by the event contract; only a file that cannot be read as a whole (missing, empty, without the columns) is an error.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import msgspec

from ingest.events import FIELDS

UTF8_BOM = b"\xef\xbb\xbf"


class SourceError(ValueError):
    """An events file that cannot be read; the message names the file and the next step."""


class Line(NamedTuple):
    """One message: its 1-based number in the file, the JSON to decode, and the bytes as they stood in the file."""

    number: int
    message: bytes
    raw: bytes


def read_file(path: Path, fields: Sequence[str] = FIELDS) -> Iterator[Line]:
    """Yield the messages of an events file; the ending (.ndjson, .jsonl, .csv, .parquet) says how it is read.

    `fields` are the columns that a CSV or Parquet file must have.

    Blank lines hold no message and are passed over, but they count as lines. Raises SourceError.
    """
    readers = {".ndjson": _ndjson, ".jsonl": _ndjson, ".csv": _csv, ".parquet": _parquet}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise SourceError(f"{path}: unknown ending '{path.suffix}'. Name it by its format: {', '.join(readers)}.")
    if not path.exists():
        raise SourceError(f"{path}: no such file. Check the path in INVENTORY_EVENTS or --source.")
    if not path.is_file():
        raise SourceError(f"{path}: is not a file. Name one events file.")
    if path.stat().st_size == 0:
        raise SourceError(f"{path}: the file is empty. Check what writes it.")
    return reader(path, fields)


def _ndjson(path: Path, _: Sequence[str]) -> Iterator[Line]:
    with path.open("rb") as file:
        for number, line in enumerate(_without_bom(file), start=1):
            raw = line.rstrip(b"\r\n")
            if raw.strip():
                yield Line(number, raw, raw)


def _without_bom(file: BinaryIO) -> Iterator[bytes]:
    for index, line in enumerate(file):
        yield line.removeprefix(UTF8_BOM) if index == 0 else line


def _csv(path: Path, fields: Sequence[str]) -> Iterator[Line]:
    with path.open("rb") as file:
        recent: list[str] = []
        rows = csv.reader(_remembered(_without_bom(file), recent), strict=True)
        header = [name.strip() for name in next(rows, [])]
        _require_columns(path, header, fields)
        while True:
            recent.clear()
            number = rows.line_num + 1
            try:
                values = next(rows)
            except StopIteration:
                return
            except csv.Error as error:
                raw = "".join(recent).encode("utf-8", "surrogateescape")
                yield Line(number, f"not CSV: {error}".encode(), raw)
                continue
            raw = "".join(recent).rstrip("\r\n").encode("utf-8", "surrogateescape")
            if raw.strip():
                yield Line(number, _csv_message(header, values, raw, fields), raw)


def _remembered(lines: Iterable[bytes], recent: list[str]) -> Iterator[str]:
    """Decode lines for the csv module, which joins quoted ones, and remember those that made the current row."""
    for line in lines:
        text = line.decode("utf-8", "surrogateescape")
        recent.append(text)
        yield text


def _csv_message(header: list[str], values: list[str], raw: bytes, fields: Sequence[str]) -> bytes:
    """The JSON of a CSV row. CSV has no types, so quantity and price are read from their text; what does not parse
    stays text, and the contract then names the field."""
    if len(values) != len(header):
        return f"expected {len(header)} values, got {len(values)}".encode()
    event: dict[str, Any] = dict(zip(header, values, strict=True))
    if "quantity" in fields:
        event["quantity"] = _number(event["quantity"], whole=True)
    if "price" in fields:
        event["price"] = None if event["price"].strip() == "" else _number(event["price"], whole=False)
    for name in set(header) - set(fields):
        if event[name] == "":
            del event[name]
    try:
        return msgspec.json.encode(event)
    except UnicodeEncodeError:
        return raw


def _number(text: str, *, whole: bool) -> int | float | str:
    try:
        number = float(text)
        if not whole:
            return number
        return int(text) if text.strip().lstrip("+-").isdigit() else int(number) if number.is_integer() else text
    except (ValueError, OverflowError):
        return text


def _parquet(path: Path, fields: Sequence[str]) -> Iterator[Line]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
    except pa.ArrowException as error:
        raise SourceError(f"{path}: is not a readable Parquet file ({error}). Write it again.") from error
    _require_columns(path, file.schema_arrow.names, fields)
    if file.metadata.num_rows == 0:
        raise SourceError(f"{path}: the file holds no rows. Check what writes it.")
    number = 0
    for batch in file.iter_batches(batch_size=20_000):
        for row in batch.to_pylist():
            number += 1
            message = msgspec.json.encode(_parquet_event(row, fields), enc_hook=str)
            yield Line(number, message, message)


def _parquet_event(row: dict[str, Any], fields: Sequence[str]) -> dict[str, Any]:
    """A Parquet row as an event: a NULL of a needed text column is a wrong type there, of `price` an unknown price."""
    event = {name: value for name, value in row.items() if name in fields or value is not None}
    moment, quantity = event["event_timestamp"], event.get("quantity")
    if isinstance(moment, datetime):
        event["event_timestamp"] = moment.isoformat()
    if isinstance(quantity, float) and quantity.is_integer():
        event["quantity"] = int(quantity)
    return event


def _require_columns(path: Path, columns: list[str], fields: Sequence[str]) -> None:
    missing = [name for name in fields if name not in columns]
    if missing:
        found = ", ".join(columns) or "nothing"
        raise SourceError(
            f"{path}: the header lacks {', '.join(missing)} (found: {found}). "
            f"Name the columns {', '.join(fields)}; others are kept as extra."
        )
