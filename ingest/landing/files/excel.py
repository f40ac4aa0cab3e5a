"""Excel workbooks: the rows of one sheet, with the values that Excel last showed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ingest.landing.files.compressed import Content
from ingest.landing.files.rows import FileOptions, Row, SourceError, as_json, column_names

if TYPE_CHECKING:
    from python_calamine import CalamineSheet

HALF_MILLISECOND = timedelta(microseconds=500)


class Excel:
    """A sheet of a workbook. Its header is the first row with more than one cell, so that it may have a title."""

    encoding, header = "utf-8", None

    def __init__(self, content: Content, options: FileOptions) -> None:
        self.path: Path = content.path
        self.remarks: list[str] = []
        self._sheet = _sheet(content, options.sheet, self.remarks)
        self._header_row, cells = next(
            ((number, row) for number, row in enumerate(self._cells(), start=1) if sum(map(bool, row)) > 1), (0, [])
        )
        if not cells:
            raise SourceError(f"{self.path}: sheet {self._sheet.name} holds no rows. Name another with --sheet.")
        self.columns = self.text_columns = column_names(self.path, [str(cell) for cell in cells])

    def rows(self, skipped: Counter[str]) -> Iterator[Row]:
        """See EventFile. Empty rows, and the header once more, are passed over."""
        width = len(self.columns)
        for number, cells in enumerate(self._cells(), start=1):
            if number <= self._header_row:
                continue
            if all(cell == "" for cell in cells):
                skipped["empty rows passed over"] += 1
            elif cells[:width] == self.columns:
                skipped["repeated headers passed over"] += 1
            else:
                values = {name: _value(cell) for name, cell in zip(self.columns, cells, strict=False)}
                yield Row(number, values, as_json(values))

    def _cells(self) -> Iterator[list[Any]]:
        return self._sheet.iter_rows()


def _sheet(content: Content, wanted: str | None, remarks: list[str]) -> CalamineSheet:
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        with content.seekable() as file:
            workbook = CalamineWorkbook.from_filelike(file)
            names = workbook.sheet_names
            if wanted is not None and wanted not in names:
                raise SourceError(f"{content.path}: has no sheet {wanted}. Say --sheet with one of {', '.join(names)}.")
            if wanted is None and len(names) > 1:
                remarks.append(f"read from sheet {names[0]} (--sheet names another: {', '.join(names[1:])})")
            return workbook.get_sheet_by_name(wanted or names[0])
    except CalamineError as error:
        raise SourceError(
            f"{content.path}: is not a readable Excel workbook ({error}). Save it again as .xlsx, without a password."
        ) from error


def _value(cell: Any) -> Any:
    """A cell: dates to the millisecond, since Excel counts days in floating point; None where it is empty."""
    if isinstance(cell, datetime):
        rounded = cell + HALF_MILLISECOND
        return rounded.replace(microsecond=rounded.microsecond // 1000 * 1000)
    return None if cell == "" else cell
