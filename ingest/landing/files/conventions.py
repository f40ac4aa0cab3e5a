"""How a file writes numbers and dates, decided from all of its rows before the first one is landed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from ingest.landing.files.numbers import decimal_mark, split_currency
from ingest.landing.files.rows import Addends, DecimalMark, EventFile, FileOptions, Row, SourceError
from ingest.times import TimeFormat, day_order

NUMBER_COLUMNS = ("quantity", "price")
TIME_COLUMN = "event_timestamp"
ASK_DECIMAL = "Say --decimal comma or --decimal point."
ASK_ORDER = "Say --day-first or --month-first."


class Conventions(NamedTuple):
    """How the text of a file is read. Where `decimal` is None, no number of it depends on that."""

    decimal: DecimalMark | None = None
    time_format: TimeFormat = TimeFormat()
    quantity_scale: int = 1


class _Evidence:
    """What the values of a file prove, and the first place of each proof."""

    def __init__(self, judge: Callable[[str], str | None]) -> None:
        self._judge = judge
        self.found: dict[str, str] = {}

    def add(self, value: object, number: int) -> None:
        if isinstance(value, str):
            proof = self._judge(value)
            if proof is not None and proof not in self.found:
                self.found[proof] = f"{value.strip()} in row {number:,}"

    def verdict(self, path: Path, one: str, other: str, ask: str) -> str | None:
        """The one that is proved; None where nothing depends on it. Raises SourceError where nothing decides."""
        if one in self.found and other in self.found:
            raise SourceError(f"{path}: writes {self.found[one]}, but {self.found[other]}. {ask}")
        proved = next((proof for proof in (one, other) if proof in self.found), None)
        if proved is None and "either" in self.found:
            raise SourceError(
                f"{path}: {self.found['either']} can be read in two ways, and no other value decides. {ask}"
            )
        return proved


def conventions_of(file: EventFile, rows: Iterable[Row], options: FileOptions) -> Conventions:
    """Decide what the options leave open, and say so in the file's remarks.

    `rows` are all rows of the file, under the columns of events. Raises SourceError where a number or date could be
    read in two ways and nothing decides.
    """
    marks, orders = _Evidence(decimal_mark), _Evidence(day_order)
    with suppress(SourceError):  # of a file that ends in the middle, what there is decides
        for row in rows:
            if isinstance(row.values, dict):
                for name in NUMBER_COLUMNS:
                    value = row.values.get(name)
                    if name == "price" and isinstance(value, str):
                        value, _ = split_currency(value)
                    for number in value if isinstance(value, Addends) else [value]:
                        marks.add(number, row.number)
                orders.add(row.values.get(TIME_COLUMN), row.number)
    decimal, day_first = options.decimal, options.day_first
    if decimal is None:
        proved = marks.verdict(file.path, "point", "comma", ASK_DECIMAL)
        decimal = {"point": "point", "comma": "comma"}.get(proved or "")  # type: ignore[assignment]
        if decimal == "comma" or "either" in marks.found:
            file.remarks.append(f"its decimal mark is the {decimal} ({marks.found[proved or '']})")
    if day_first is None:
        order = orders.verdict(file.path, "day", "month", ASK_ORDER)
        day_first = None if order is None else order == "day"
        if order is not None:
            file.remarks.append(f"its dates begin with the {order} ({orders.found[order]})")
    return Conventions(decimal, TimeFormat(day_first, options.time_zone), options.quantity_scale)
