"""What every reader of files yields, and the options for reading a file."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

import msgspec

from ingest.events import Rejection
from ingest.landing.commit import ENCODING, HEADER

if TYPE_CHECKING:
    from ingest.landing.files.mapping import ColumnMapping

DecimalMark = Literal["point", "comma"]


class SourceError(ValueError):
    """A file that cannot be read; the message names the file and the next step."""


class ErrorValue(str):
    """What the cell of a spreadsheet shows where its formula failed: #N/A, say."""


# what stands there once the sheet is saved as text: in English, German, French, Spanish, Italian, Dutch and Portuguese
_ERROR_TEXT = re.compile(
    r"#(N/[ABD]|NV|SPILL!|CALC!|[¡¿]?(NULL?|NULO|DIV/0|DEEL/0|VALUE|WERT|VALEUR|VALORE?|WAARDE|REF|BEZUG|RIF|VERW|NAME|"
    r"NOME?|NOMBRE|NAAM|N[UÚ]M|ZAHL|GETAL)[!?])"
)


class Addends(tuple[Any, ...]):
    """What several rows say of one level: values to be read as numbers and added up."""


class Row(NamedTuple):
    """One row of a file.

    `number` is its line, or its row in a table, from 1 as an editor or a spreadsheet shows it; numbers rise within a
    file. `values` are its columns as they were read, or the bytes of a JSON message, or why the row cannot be read.
    `raw` are its bytes in the file or, if the file is not text, the row as JSON.
    """

    number: int
    values: dict[str, Any] | bytes | Rejection
    raw: bytes
    part: int = -1
    """Which event of a row that holds one per store; -1 where the row holds one event."""
    continues: bool = False
    """Whether an earlier part of the same row carries its bytes already."""

    @property
    def place(self) -> tuple[int, int]:
        """The place of the event in the file; places rise within it."""
        return self.number, self.part


class EventFile(Protocol):
    """An opened file of events: what is known of it before its rows are read."""

    path: Path
    columns: Sequence[str] | None
    """The names of its columns; None where each row names its own (JSON)."""
    text_columns: Collection[str]
    """The columns in which numbers and times may be text, written in any of several ways."""
    encoding: str
    """The encoding of the rows' bytes."""
    header: bytes | None
    """The lines above the rows that name their columns, in UTF-8; None where they need none."""
    remarks: list[str]
    """What was decided when it was opened, in sentences, for users who want it otherwise."""

    def rows(self, skipped: Counter[str]) -> Iterator[Row]:
        """The rows in file order, read again at each call. Lines that hold no row are skipped, and counted by kind.

        Raises SourceError where the file ends in the middle or is damaged; the rows before that were yielded.
        """


@dataclass(frozen=True)
class FileOptions:
    """What the user says about a file; None where the file itself decides."""

    encoding: str | None = None
    sheet: str | None = None
    decimal: DecimalMark | None = None
    day_first: bool | None = None
    time_zone: tzinfo = UTC
    quantity_scale: int = 1
    mapping: ColumnMapping | None = None
    as_of: datetime | None = None
    set_fields: frozenset[str] = frozenset()
    """Fields that the user gives a value for, and the mapping none: no column may hold them."""
    arguments: str = ""
    """These options as a command line has them, without those that concern the file's bytes alone."""


AS_IT_COMES = FileOptions()
TOTAL_LINE = Rejection("total_line", "it sums other rows up and is no reading")
# the words of shops, and what the pivot tables of spreadsheets call their last row
_TOTAL = re.compile(
    r"\W*(total g[eé]n[eé]ral|total geral|totale complessivo|suma końcowa|общий итог|(grand |sub)?-?"
    r"(totals?|sum|summe|gesamt(summe|ergebnis)?|(eind|sub)?totaal|totale|razem|итого|合計|合计|総計|总计))\b",
    re.IGNORECASE,
)
_encoder = msgspec.json.Encoder(enc_hook=str, decimal_format="number")


def column_names(cells: Sequence[str]) -> list[str]:
    """The names of the columns from the cells of a header; one without a name is called by its place."""
    return told_apart([" ".join(cell.split()) or f"column {place}" for place, cell in enumerate(cells, start=1)])


def told_apart(names: Sequence[str]) -> list[str]:
    """The names of columns, those that several have with their places."""
    count = Counter(names)
    return [f"{name} (column {place})" if count[name] > 1 else name for place, name in enumerate(names, start=1)]


def is_total(values: dict[str, Any], needed: Sequence[object]) -> bool:
    """Whether a row is a total: its first value says so, and it lacks something that a reading needs.

    Where nothing can be lacking, it is one only if it says nothing else.
    """
    first = next((value for value in values.values() if value not in (None, "")), None)
    match = _TOTAL.match(first) if isinstance(first, str) else None
    if match is None:
        return False
    return any(value in (None, "") for value in needed) if needed else not re.search(r"\w", match.string[match.end() :])


def shows_error(value: object) -> bool:
    """Whether a cell, or what was saved of it as text, shows that its formula failed."""
    return isinstance(value, ErrorValue) or (
        isinstance(value, str) and "#" in value and bool(_ERROR_TEXT.fullmatch(value.strip()))
    )


def as_name(value: Any) -> Any:
    """A name that was stored as a number, as text: 123 for 123.0. None for NaN, a data frame's empty cell."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return value
    if not math.isfinite(value):
        return None
    return str(int(value)) if value == int(value) else str(value)


def as_it_stood(file: EventFile) -> dict[str, str | bytes]:
    """What is kept with rows beside their bytes, so that they can be written as a file again."""
    return {ENCODING: file.encoding} | ({} if file.header is None else {HEADER: file.header})


def as_json(values: dict[str, Any]) -> bytes:
    """The values of a row that is no text, as JSON to look at."""
    return _encoder.encode(values)
