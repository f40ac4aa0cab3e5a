"""Opening a file of events with the reader for its ending."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

from ingest.landing.files.compressed import Content, content_of, damage_reported
from ingest.landing.files.rows import AS_IT_COMES, EventFile, FileOptions, Row, SourceError

# heavy libraries are imported with the reader that needs them
READERS = {
    ".ndjson": ("json_text", "JsonText"),
    ".jsonl": ("json_text", "JsonText"),
    ".json": ("json_text", "JsonText"),
    ".csv": ("delimited", "Delimited"),
    ".tsv": ("delimited", "Delimited"),
    ".txt": ("delimited", "Delimited"),
    ".parquet": ("parquet", "Parquet"),
    ".xlsx": ("excel", "Excel"),
    ".xlsm": ("excel", "Excel"),
}


def open_file(path: Path, options: FileOptions = AS_IT_COMES) -> EventFile:
    """Open a file, plain, gzipped or the one file of a zip archive; the ending of its name says what it is.

    Raises SourceError.
    """
    if not path.exists():
        raise SourceError(f"{path}: no such file. Check the path in INVENTORY_EVENTS or --source.")
    if not path.is_file():
        raise SourceError(f"{path}: is not a file. Name one events file.")
    if path.stat().st_size == 0:
        raise SourceError(f"{path}: the file is empty. Check what writes it.")
    content = content_of(path)
    known = READERS.get(content.ending)
    if known is None:
        raise SourceError(
            f"{path}: unknown ending '{content.ending}'. Name it by its format: {', '.join(READERS)}, or one of these "
            "in .gz or .zip."
        )
    module, name = known
    if options.sheet is not None and name != "Excel":
        raise SourceError(f"{path}: is no Excel workbook and has no sheets. Leave out --sheet.")
    if options.encoding is not None and name in ("Excel", "Parquet"):
        raise SourceError(f"{path}: is no file of text. Leave out --encoding.")
    reader: Callable[[Content, FileOptions], EventFile] = getattr(import_module(f"ingest.landing.files.{module}"), name)
    with damage_reported(path):
        return reader(content, options)


def read_rows(file: EventFile, skipped: Counter[str] | None = None) -> Iterator[Row]:
    """The rows of an opened file. Raises SourceError where it holds none, or is damaged after those it yielded."""
    with damage_reported(file.path):
        rows = file.rows(Counter() if skipped is None else skipped)
        first = next(rows, None)
        if first is None:
            raise SourceError(f"{file.path}: the file holds no rows. Check what writes it.")
        yield first
        yield from rows
