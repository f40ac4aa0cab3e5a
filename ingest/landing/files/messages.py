"""From the rows of a file to messages of the event contract."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from ingest.currency import VARIABLE, currency
from ingest.events import FIELDS, NAMES, Contract, FractionalQuantityError, Rejection
from ingest.landing.commit import TIMESTAMP, to_table
from ingest.landing.files.conventions import NUMBER_COLUMNS, TIME_COLUMN, Conventions, conventions_of
from ingest.landing.files.mapped import open_events
from ingest.landing.files.mapping import recognised
from ingest.landing.files.numbers import LONGEST_NUMBER, is_currency, read_number, split_currency
from ingest.landing.files.opening import read_rows
from ingest.landing.files.rows import (
    AS_IT_COMES,
    TOTAL_LINE,
    Addends,
    EventFile,
    FileOptions,
    Row,
    SourceError,
    as_name,
    is_total,
    shows_error,
)
from ingest.times import PLAIN, TimeError, read_time

if TYPE_CHECKING:
    import pyarrow as pa

WHOLE_IN_FLOAT = 2**53  # not every whole number beyond it has a floating-point number of its own
_encoder = msgspec.json.Encoder(enc_hook=str, decimal_format="number")


class Line(NamedTuple):
    """One message: its number in the file, the JSON to decode or why there is none, and its bytes in the file."""

    number: int
    message: bytes | Rejection
    raw: bytes

    @property
    def content(self) -> bytes:
        """The message to publish, or the row's own bytes where there is none."""
        return self.raw if isinstance(self.message, Rejection) else self.message


def read_file(path: Path, fields: Sequence[str] = FIELDS, options: FileOptions = AS_IT_COMES) -> Iterator[Line]:
    """Open a file and yield its messages. Raises SourceError."""
    file = open_events(path, fields, options)
    interpreter = interpreter_of(file, fields, options)
    for row in read_rows(file):
        yield Line(row.number, interpreter.message(row), row.raw)


def interpreter_of(file: EventFile, fields: Sequence[str], options: FileOptions) -> Interpreter:
    """What turns the rows of a file that has the columns of events into messages. Raises SourceError.

    Files of text are read once for it, to decide how they write numbers and dates.
    """
    if file.columns is not None:
        missing = [name for name in fields if name not in file.columns]
        if missing:
            found = ", ".join(file.columns) or "nothing"
            column = next((f'"{one}"' for one in file.columns if one.startswith(f"{missing[0]} (column ")), "…")
            raise SourceError(
                f"{file.path}: the header lacks {', '.join(missing)} (found: {found}). "
                f"Name the columns {', '.join(fields)}; others are kept as extra. Or say which column holds what: "
                f"--columns '{missing[0]}={column}'{recognised(file.columns)}"
            )
    undecided = {*NUMBER_COLUMNS, TIME_COLUMN}.intersection(fields, file.text_columns)
    return Interpreter(fields, conventions_of(file, read_rows(file) if undecided else (), options))


def landing_table(
    rows: Sequence[Row], interpreter: Interpreter, contract: Contract[Any], topic: str, ledger_id: int
) -> pa.Table:
    """Rows of a file as the rows of a landing file, published now: the entry id is a row's number and the batch index
    its part."""
    import pyarrow as pa

    ids = ([ledger_id] * len(rows), [row.number for row in rows], [row.part for row in rows])
    published = pa.repeat(pa.scalar(datetime.now(UTC), TIMESTAMP), len(rows))
    messages = [interpreter.message(row) for row in rows]
    return to_table(contract, topic, 0, ids, published, messages, [row.raw for row in rows])


class Interpreter:
    """Turns rows into messages, by the conventions of their file; what it cannot turn is a rejection and says why."""

    def __init__(self, fields: Sequence[str], conventions: Conventions) -> None:
        self.remarks: Counter[str] = Counter()
        """What was decided while reading, in words, and how often."""
        self._fields = frozenset(fields)
        self._names = [name for name in NAMES if name in self._fields]
        self._numbers = [name for name in NUMBER_COLUMNS if name in self._fields]
        self._decimal = conventions.decimal
        self._time_format = conventions.time_format
        self._scale = conventions.quantity_scale
        self._currency = currency()
        self._json_as_it_is = self._time_format == PLAIN and self._scale == 1

    def message(self, row: Row) -> bytes | Rejection:
        """The JSON of a row's event, or why it is none."""
        values = row.values
        if isinstance(values, dict):
            return self._from_table(values)
        if isinstance(values, Rejection) or self._json_as_it_is:
            return values
        try:
            event = msgspec.json.decode(values)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return values
        return self._encoded(event) if isinstance(event, dict) else values

    def _from_table(self, values: dict[str, Any]) -> bytes | Rejection:
        """A table has cells where JSON has types: numbers may be text, names numbers, and nothing an empty cell."""
        if self._is_total(values):
            return TOTAL_LINE
        event = {name: value for name, value in values.items() if name in self._fields or value not in (None, "")}
        for name in self._names:
            value = event.get(name)
            if isinstance(value, float) and math.isfinite(value) and abs(value) > WHOLE_IN_FLOAT:
                return Rejection("wrong_type", f"{name}: the number {value} has lost digits; store the column as text")
            if not isinstance(value, str):
                event[name] = as_name(value)
        for name in self._fields:
            value = event.get(name)
            if isinstance(value, bytes):
                return Rejection("not_utf8", f"{name}: bytes that are no text in UTF-8")
            if shows_error(value):
                return Rejection("wrong_type", f"{name}: the cell shows {value}")
        if isinstance(event.get(TIME_COLUMN), int | float | Decimal):  # 20260131 may have been stored as a number
            event[TIME_COLUMN] = as_name(event[TIME_COLUMN])
        for name in self._numbers:
            value = event.get(name)
            if name == "price" and isinstance(value, str) and not value.strip():
                event[name] = None
            elif isinstance(value, str | Addends):
                try:
                    event[name] = self._sum(name, value) if isinstance(value, Addends) else self._read(name, value)
                except _NumberError as error:
                    return Rejection(error.kind, str(error))
        return self._encoded(event)

    def _encoded(self, event: dict[str, Any]) -> bytes | Rejection:
        try:
            for name in self._numbers:
                value = event.get(name)
                if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
                    event[name] = self._quantity(value) if name == "quantity" else self._price(value)
            if TIME_COLUMN in event:
                event[TIME_COLUMN] = self._time(event[TIME_COLUMN])
            return _encoder.encode(event)
        except TimeError as error:
            return Rejection(error.kind, f"{TIME_COLUMN}: {error}")
        except FractionalQuantityError as error:
            return Rejection("fractional_quantity", str(error))
        except _NumberError as error:
            return Rejection(error.kind, str(error))
        except UnicodeEncodeError as error:
            before = error.object[max(error.start - 10, 0) : error.start]
            return Rejection("not_utf8", f"bytes of another encoding after {before!r}")

    def _is_total(self, event: dict[str, Any]) -> bool:
        """Whether a row is a total: it says so in its first value, and lacks a name or the time."""
        return is_total(event, [event.get(name) for name in (*self._names, TIME_COLUMN)])

    def _sum(self, name: str, addends: Addends) -> Decimal:
        """The sum of values, exactly as they are written. Raises _NumberError where one is no number."""
        total = Decimal(0)
        for place, addend in enumerate(addends, start=1):
            try:
                number = self._read(name, addend) if isinstance(addend, str) else addend
                if (
                    isinstance(number, bool)
                    or not isinstance(number, int | float | Decimal)
                    or not math.isfinite(number)
                ):
                    raise _NumberError("wrong_type", f"{name}: expected a number, got {addend}")
            except _NumberError as error:
                raise _NumberError(error.kind, f"{error} (in row {place} of {len(addends)} to be added up)") from error
            total += Decimal(str(number))
        return total

    def _read(self, name: str, text: str) -> Decimal | int:
        """The number that a text writes. Raises _NumberError."""
        if name == "price":
            text, mark = split_currency(text)
            if not is_currency(mark, self._currency):
                raise _NumberError("wrong_currency", f"price: {mark} is not {self._currency}, as {VARIABLE} says")
        number = self._number(text)
        if number is None:
            doubtful = self._decimal and any(map(str.isdigit, text))
            mark = f" with a decimal {self._decimal} (--decimal says otherwise)" if doubtful else ""
            raise _NumberError("wrong_type", f"{name}: {text[:40]!r} is no number{mark}")
        return number

    def _number(self, text: str) -> Decimal | int | None:
        if len(text) <= LONGEST_NUMBER and text.isascii() and text.isdigit():
            return int(text)
        number = read_number(text, self._decimal or "point")
        return read_number(text, "comma") if number is None and self._decimal is None else number

    def _quantity(self, value: float | Decimal) -> int:
        if isinstance(value, int):
            return value * self._scale
        if not math.isfinite(value):
            raise _NumberError("wrong_type", f"quantity: expected a number, got {value}")
        scaled = Decimal(str(value)) * self._scale
        if scaled != scaled.to_integral_value():
            raise FractionalQuantityError(value, self._scale)
        return int(scaled)

    def _price(self, value: float | Decimal) -> float | None:
        price = float(value)
        if math.isnan(price):  # how data frames write a missing value
            return None
        if math.isinf(price):
            raise _NumberError("out_of_range", f"price: {value}")
        return price if self._scale == 1 else float(Decimal(str(value)) / self._scale)

    def _time(self, value: object) -> object:
        if isinstance(value, str) and self._time_format.zone is UTC and _is_plain(value):
            return value
        timestamp = read_time(value, self._time_format)
        if timestamp.happened_twice:
            self.remarks["times that the clock showed twice when it was put back; the first was taken"] += 1
        return timestamp.time


class _NumberError(ValueError):
    """A number that its field cannot hold. `kind` is one word to count by."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind


def _is_plain(text: str) -> bool:
    """Whether the contract reads this time by itself."""
    try:
        msgspec.convert(text, datetime)
    except msgspec.ValidationError:
        return False
    return True
