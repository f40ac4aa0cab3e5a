"""Files whose columns are mapped: their rows as rows of events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from ingest.landing.files.conventions import TIME_COLUMN
from ingest.landing.files.mapping import AS_THEY_ARE, missing_column, recognised
from ingest.landing.files.opening import open_file
from ingest.landing.files.rows import TOTAL_LINE, EventFile, FileOptions, Row, SourceError, is_total

NOT_KEPT = "levels of products that are not kept there passed over"
REPEATED = "rows for a product and store that stand in the file before; of one time only the last level counts"
NULLABLE = "price"
LEVEL, STORE, PRODUCT = "quantity", "store_location", "product_id"


def open_events(path: Path, fields: Sequence[str], options: FileOptions) -> EventFile:
    """Open a file and map its columns to the fields of an event, where the options say how. Raises SourceError."""
    file = open_file(path, options)
    if options.mapping is None and options.as_of is None:
        return file
    return MappedFile(file, fields, options)


class MappedFile:
    """A file of other software, as if it had the columns of events. Raises SourceError where it lacks a column."""

    def __init__(self, file: EventFile, fields: Sequence[str], options: FileOptions) -> None:
        self.path, self.encoding, self.header, self.remarks = file.path, file.encoding, file.header, file.remarks
        self._file, self._fields = file, fields
        self._mapping = mapping = options.mapping or AS_THEY_ARE
        self._values: dict[str, Any] = dict(mapping.values)
        if options.as_of is not None:
            self._values[TIME_COLUMN] = options.as_of
        unknown = {*mapping.columns, *mapping.values, *mapping.optional} - set(fields)
        if unknown:
            raise SourceError(
                f"{file.path}: {', '.join(sorted(unknown))} is no field of an event. Map to {', '.join(fields)}."
            )
        known = file.columns
        self._stores = mapping.store_columns(known or ())
        if mapping.stores and not self._stores:
            raise SourceError(f"{file.path}: no column fits {mapping.stores!r} (found: {', '.join(known or ())}).")
        self._is_snapshot = options.as_of is not None
        self._not_kept = {text.lower() for text in mapping.not_kept}
        self._sources = self._field_sources(known)
        self._used = {columns[0] for columns in self._sources.values() if columns} | set(self._stores)
        self.columns = known and [*fields, *(self._kept_name(name) for name in known if name not in self._used)]
        places = {**self._sources, **({LEVEL: list(self._stores)} if self._stores else {})}
        self.text_columns: Collection[str] = {
            field
            for field, columns in places.items()
            if not set(columns).isdisjoint(file.text_columns) or isinstance(self._values.get(field), str)
        }

    def rows(self, skipped: Counter[str]) -> Iterator[Row]:
        """See EventFile. A row with a column for each store yields a row for each of them, as its parts."""
        seen: set[tuple[object, object]] = set()
        for row in self._file.rows(skipped):
            values = row.values
            if isinstance(values, bytes):
                values = _decoded(values)
            if not isinstance(values, dict):
                yield row
                continue
            event = {field: _first(values, columns) for field, columns in self._sources.items()}
            if self._is_total(values, event):
                yield row._replace(values=TOTAL_LINE)
                continue
            for field, value in self._values.items():
                if event.get(field) in (None, ""):
                    event[field] = value
            extra = {self._kept_name(name): value for name, value in values.items() if name not in self._used}
            continues = False
            for part, level in self._levels(values) if self._stores else [(-1, {})]:
                mapped = event | level
                if self._is_not_kept(mapped.get(LEVEL), by_store=bool(level)):
                    skipped[NOT_KEPT] += 1
                    continue
                if self._is_snapshot:
                    key = (mapped.get(PRODUCT), mapped.get(STORE))
                    skipped[REPEATED] += key in seen
                    seen.add(key)
                yield row._replace(values=mapped | extra, part=part, continues=continues)
                continues = True

    def _field_sources(self, known: Sequence[str] | None) -> dict[str, list[str]]:
        """The columns of each field that are there. Raises SourceError where one is missing."""
        mapping, sources = self._mapping, {}
        by_store = {LEVEL, STORE} if self._stores else set()
        missing = [
            missing_column(f"the levels of {store}", [column], known)
            for column, store in self._stores.items()
            if known is not None and column not in known
        ]
        for field in self._fields:
            if field in by_store and field not in mapping.columns:
                continue
            wanted = mapping.alternatives(field)
            there = wanted if known is None else [column for column in wanted if column in known]
            sources[field] = there
            must_be_there = field in mapping.columns and field not in mapping.optional
            if there or (not must_be_there and (field in self._values or field == NULLABLE)):
                continue
            if field == TIME_COLUMN and not must_be_there:
                missing.append("no time of the count: add --as-of 2026-01-31T18:00, or --columns event_timestamp=…")
            else:
                instead = "" if must_be_there else f", nor a value for it (--set {field}=…)"
                missing.append(missing_column(field, wanted, known or ()) + instead)
        if missing:
            found = ", ".join(known or ())
            other = recognised(known or ()) if not mapping.software else ""
            raise SourceError(f"{self.path}: has {'; '.join(missing)}. Found: {found}.{other}")
        if known is not None and self._is_snapshot and sources.get(TIME_COLUMN):
            times = ", ".join(sources[TIME_COLUMN])
            raise SourceError(f"{self.path}: has times of its own, in {times}. Leave out --as-of.")
        return sources

    def _levels(self, values: dict[str, Any]) -> Iterator[tuple[int, dict[str, Any]]]:
        for part, (column, store) in enumerate(self._stores.items()):
            if column in values:
                yield part, {STORE: store, LEVEL: values[column]}

    def _is_not_kept(self, level: object, *, by_store: bool) -> bool:
        text = "" if level is None else str(level).strip().lower()
        return text in self._not_kept or (by_store and not text)

    def _is_total(self, values: dict[str, Any], event: dict[str, Any]) -> bool:
        """Whether a row sums others up: a total names no store, category or time of its own."""
        needed = [name for name, columns in self._sources.items() if columns and name not in (LEVEL, NULLABLE, PRODUCT)]
        return is_total(values, [event[name] for name in needed])

    def _kept_name(self, column: str) -> str:
        """The name under which a column that is no field is kept as extra."""
        return f"{column} (column)" if column in self._fields else column


def _first(values: dict[str, Any], columns: Sequence[str]) -> Any:
    """The first value that is not empty."""
    found = None
    for column in columns:
        found = values.get(column)
        if found not in (None, ""):
            break
    return found


def _decoded(message: bytes) -> dict[str, Any] | bytes:
    try:
        values = msgspec.json.decode(message)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return message
    return values if isinstance(values, dict) else message
