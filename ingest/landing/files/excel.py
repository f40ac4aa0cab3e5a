"""Excel workbooks: the rows of one sheet, with the values that Excel last showed."""

from __future__ import annotations

import re
import zipfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Any
from xml.etree import ElementTree

from ingest.landing.files.compressed import Content
from ingest.landing.files.rows import ErrorValue, FileOptions, Row, SourceError, as_json, column_names

if TYPE_CHECKING:
    from python_calamine import CalamineSheet

HALF_MILLISECOND = timedelta(microseconds=500)
_ERROR_CELL = re.compile(rb'<c\b(?=[^>]* t="e")[^>]* r="([A-Z]+)(\d+)"[^>/]*>(?:(?!</c>).)*?<v>([^<]*)</v>', re.DOTALL)


class Excel:
    """A sheet of a workbook. Its header is the first row with more than one cell, so that it may have a title."""

    encoding, header = "utf-8", None

    def __init__(self, content: Content, options: FileOptions) -> None:
        self.path: Path = content.path
        self.remarks: list[str] = []
        self._sheet, self._errors = _sheet(content, options.sheet, self.remarks)
        self._header_row, cells = next(
            ((number, row) for number, row in enumerate(self._cells(), start=1) if sum(map(bool, row)) > 1), (0, [])
        )
        if not cells:
            raise SourceError(f"{self.path}: sheet {self._sheet.name} holds no rows. Name another with --sheet.")
        self._header_cells = cells
        self.columns = self.text_columns = column_names([str(cell) for cell in cells])

    def rows(self, skipped: Counter[str]) -> Iterator[Row]:
        """See EventFile. Empty rows, and the header once more, are passed over."""
        width = len(self.columns)
        for number, cells in enumerate(self._cells(), start=1):
            if number <= self._header_row:
                continue
            if all(cell == "" for cell in cells):
                skipped["empty rows passed over"] += 1
            elif cells[:width] == self._header_cells:
                skipped["repeated headers passed over"] += 1
            else:
                values = {name: _value(cell) for name, cell in zip(self.columns, cells, strict=False)}
                yield Row(number, values, as_json(values))

    def _cells(self) -> Iterator[list[Any]]:
        _, first_column = self._sheet.start or (0, 0)
        for number, cells in enumerate(self._sheet.iter_rows(), start=1):
            for column, error in self._errors.get(number, {}).items():
                cells[column - 1 - first_column] = error
            yield cells


def _sheet(content: Content, wanted: str | None, remarks: list[str]) -> tuple[CalamineSheet, dict[int, dict[int, str]]]:
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        with content.seekable() as file:
            workbook = CalamineWorkbook.from_filelike(file)
            names = workbook.sheet_names
            if wanted is not None and wanted not in names:
                raise SourceError(f"{content.path}: has no sheet {wanted}. Say --sheet with one of {', '.join(names)}.")
            if wanted is None and len(names) > 1:
                remarks.append(f"read from sheet {names[0]} (--sheet names another: {', '.join(names[1:])})")
            name = wanted or names[0]
            return workbook.get_sheet_by_name(name), _error_values(file, name)
    except CalamineError as error:
        raise SourceError(
            f"{content.path}: is not a readable Excel workbook ({error}). Save it again as .xlsx, without a password."
        ) from error


def _error_values(file: IO[bytes], sheet: str) -> dict[int, dict[int, str]]:
    """The cells of a sheet whose formula failed, by row and column from 1. Calamine gives them as empty cells."""
    found: dict[int, dict[int, str]] = defaultdict(dict)
    content = b""
    # a workbook that is built otherwise, such as an old one, is read without them
    with suppress(KeyError, zipfile.BadZipFile, ElementTree.ParseError), zipfile.ZipFile(file) as archive:
        relations = ElementTree.fromstring(archive.read("xl/_rels/workbook.xml.rels"))
        targets = {relation.get("Id"): relation.get("Target", "") for relation in relations}
        sheets = ElementTree.fromstring(archive.read("xl/workbook.xml")).iterfind("{*}sheets/{*}sheet")
        ids = {one.get("name"): value for one in sheets for key, value in one.items() if key.endswith("}id")}
        path = PurePosixPath("/xl", targets[ids[sheet]])
        content = archive.read(str(path)[1:])
    for letters, row, shown in _ERROR_CELL.findall(content):
        column = 0
        for letter in letters:
            column = column * 26 + letter - ord("A") + 1
        found[int(row)][column] = ErrorValue(shown.decode())
    return found


def _value(cell: Any) -> Any:
    """A cell: dates to the millisecond, since Excel counts days in floating point; None where it is empty."""
    if isinstance(cell, datetime):
        rounded = cell + HALF_MILLISECOND
        return rounded.replace(microsecond=rounded.microsecond // 1000 * 1000)
    return None if cell == "" else cell
