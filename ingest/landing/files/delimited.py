"""Delimited text (CSV, TSV and their kin), row by row, so that one broken row costs no other."""

from __future__ import annotations

import csv
import re
from collections import Counter, deque
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

from ingest.events import Rejection
from ingest.landing.files.compressed import Content
from ingest.landing.files.encodings import as_bytes, encoding_of, text_lines
from ingest.landing.files.rows import FileOptions, Row, SourceError, column_names

DELIMITERS = ",;\t|"
LONGEST_TITLE = 20  # lines above the header
LONGEST_ROW = 100  # lines; a quoted value that goes on for longer was never closed
QUOTE_FAULT = "a quote is not closed, or is inside a quoted value"

# how a file begins that is text, but no table
_OTHER_TEXT = re.compile(
    r"""\s*(?:\{\s*(?:"|$)|\[\s*(?:\{|$)|(?P<page><(?:!doctype|!--|\?xml|html|head|meta|table)))""", re.IGNORECASE
)
# how spreadsheets are kept from reading 00123 as a number, or =1 as a formula: ="00123" or '00123
_GUARD = re.compile(r"""="(.*)"|'([\d=+@-]\S*)""", re.DOTALL)


class Delimited:
    """A file of delimited text. Raises SourceError where its header cannot be used."""

    def __init__(self, content: Content, options: FileOptions) -> None:
        self.path: Path = content.path
        self.remarks: list[str] = []
        self._content = content
        self.encoding = encoding_of(content, options.encoding, self.remarks)
        self._delimiter, cells, self._lines_before = self._header()
        above = "".join(islice(text_lines(content, self.encoding), self._lines_before))
        self.header = above.rstrip("\r\n").encode(errors="surrogateescape")
        # "a", "b": a space after each delimiter belongs to no value
        self._spaced = len(cells) > 1 and all(cell.startswith(" ") for cell in cells[1:])
        self.columns = self.text_columns = column_names(cells)
        self._header_cells = [cell.strip() for cell in cells]
        self._named = max((number for number, cell in enumerate(cells, start=1) if cell.strip()), default=0)
        if self._delimiter not in ",\t":
            self.remarks.append(f"its values are divided by {self._delimiter}")

    def rows(self, skipped: Counter[str]) -> Iterator[Row]:
        """See EventFile. Rows of nothing but delimiters, and the header once more, are passed over."""
        columns, width = self.columns, len(self.columns)
        for number, cells, text in self._records():
            raw = as_bytes(text.rstrip("\r\n"), self.encoding)
            if isinstance(cells, str):
                yield Row(number, Rejection("not_csv", cells), raw)
                continue
            if len(cells) > width and not "".join(cells[width:]).strip():
                del cells[width:]
            elif self._named <= len(cells) < width:
                cells.extend([""] * (width - len(cells)))
            if not "".join(cells).strip():
                skipped["empty rows passed over"] += bool(cells)
            elif len(cells) != width:
                yield Row(number, Rejection("not_csv", f"expected {width} values, got {len(cells)}"), raw)
            elif cells[0].strip() == self._header_cells[0] and [cell.strip() for cell in cells] == self._header_cells:
                skipped["repeated headers passed over"] += 1
            else:
                values = [_without_guard(cell) for cell in cells] if '="' in text or "'" in text else cells
                yield Row(number, dict(zip(columns, values, strict=True)), raw)

    def _header(self) -> tuple[str, list[str], int]:
        """The delimiter, the cells of the header, and how many lines there are up to its end.

        The delimiter is what a first line `sep=;` says, else what makes the most of the header. A line above it that
        fills one cell is a title; where none fills more, the first is the header.
        """
        lines = text_lines(self._content, self.encoding)
        declared, number, header = None, 0, None
        for line in lines:
            number += 1
            if number > LONGEST_TITLE and header:
                break
            if line.lower().startswith("sep=") and len(line.rstrip("\r\n")) == len("sep=;"):
                declared = line[4]
            elif line.strip():
                if header is None and (other := _OTHER_TEXT.match(line)):
                    what = (
                        "HTML or XML. Export the table as .csv" if other["page"] else "JSON. Name it .ndjson or .json"
                    )
                    raise SourceError(f"{self.path}: is no table, but {what}.")
                found = self._named_in(line, lines, number, declared)
                if sum(bool(cell.strip()) for cell in found[1]) > 1:
                    if header:
                        self.remarks.append(f"its columns are named in row {number}; what stands above is passed over")
                    return found
                number = found[2]
                header = header or found
        if header is None:
            raise SourceError(f"{self.path}: the file holds no rows. Check what writes it.")
        return header

    def _named_in(
        self, line: str, next_lines: Iterator[str], number: int, delimiter: str | None
    ) -> tuple[str, list[str], int]:
        """The delimiter of a line, its cells, and the number of the line that they end in. Raises SourceError."""
        try:
            delimiter = delimiter or max(DELIMITERS, key=lambda one: len(next(csv.reader([line], delimiter=one))))
            reader = csv.reader(chain([line], islice(next_lines, LONGEST_ROW)), delimiter=delimiter)
            cells = next(reader)
            if reader.line_num > LONGEST_ROW:
                raise csv.Error(f"{LONGEST_ROW} lines on")
        except csv.Error as error:
            raise SourceError(f"{self.path}: row {number} names no columns: {_fault(error)}. Mend it.") from error
        return delimiter, cells, number + reader.line_num - 1

    def _records(self) -> Iterator[_Record]:
        """The rows, a quoted value over several lines joined, each with the number of its first line."""
        lines = islice(text_lines(self._content, self.encoding), self._lines_before, None)
        read_again: deque[str] = deque()
        current: list[str] = []

        def lines_of_a_row() -> Iterator[str]:
            while line := read_again.popleft() if read_again else next(lines, ""):
                if len(current) >= LONGEST_ROW:
                    read_again.appendleft(line)
                    raise csv.Error(f"{LONGEST_ROW} lines on")
                current.append(line)
                yield line

        number, rows = self._lines_before + 1, self._reader(lines_of_a_row())
        while True:
            cells: list[str] | str
            try:
                cells = next(rows)
            except StopIteration:
                return
            except csv.Error as error:
                cells = _fault(error)
                rows = self._reader(lines_of_a_row())
            if len(current) > 1 and (isinstance(cells, str) or len(cells) != len(self.columns)):
                # a stray quote joined these lines: only the line that opens it is lost
                cells = QUOTE_FAULT
                read_again.extendleft(reversed(current[1:]))
                del current[1:]
            yield _Record(number, cells, current[0] if len(current) == 1 else "".join(current))
            number += len(current)
            current.clear()

    def _reader(self, lines: Iterator[str]) -> Iterator[list[str]]:
        return csv.reader(lines, delimiter=self._delimiter, skipinitialspace=self._spaced, strict=True)


class _Record(NamedTuple):
    """An unparsed row: the number of its first line, its cells or why it has none, its text."""

    number: int
    cells: list[str] | str
    text: str


def _fault(error: csv.Error) -> str:
    """What is wrong with a row that the csv module cannot read."""
    if "field limit" in str(error):
        return f"a value is longer than {csv.field_size_limit():,} characters, or a quote before it is not closed"
    return f"{QUOTE_FAULT} ({error})"


def _without_guard(cell: str) -> str:
    guarded = _GUARD.fullmatch(cell)
    return cell if guarded is None else guarded[1] or guarded[2] or ""
