"""Files whose columns are mapped: their rows as rows of events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec

from ingest.landing.files.conventions import TIME_COLUMN
from ingest.landing.files.encodings import as_bytes
from ingest.landing.files.mapping import AS_THEY_ARE, LEVEL, STORE, missing_column, recognised, spelled_in
from ingest.landing.files.numbers import read_number
from ingest.landing.files.opening import open_file
from ingest.landing.files.rows import TOTAL_LINE, Addends, EventFile, FileOptions, Row, SourceError, as_name, is_total
from ingest.names import tidy
from ingest.times import TimeError, TimeFormat, read_time

NOT_KEPT = "levels of products that are not kept there passed over"
NO_STORE = "levels in places that are no stores passed over"
REPEATED = "rows for a product and store that the file has before; of one time only the last level counts"
ADDED = "rows added to the level of the same product and store"
NULLABLE = "price"
PRODUCT = "product_id"
BETWEEN_PARTS = " / "


def open_events(path: Path, fields: Sequence[str], options: FileOptions) -> EventFile:
    """Open a file and map its columns to the fields of an event, where the options say how or their names differ in
    spelling only. Raises SourceError."""
    file = open_file(path, options)
    if options.mapping is None and options.as_of is None and not _is_spelled_otherwise(file.columns or fields, fields):
        return file
    return MappedFile(file, fields, options)


def _is_spelled_otherwise(columns: Sequence[str], fields: Sequence[str]) -> bool:
    return not set(fields) <= set(columns) and all(spelled_in(columns, field) for field in fields)


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
        self._check_values(options)
        known = file.columns
        self._stores = mapping.store_columns(known or ())
        if mapping.stores and not self._stores:
            raise SourceError(f"{file.path}: no column fits {mapping.stores!r} (found: {', '.join(known or ())}).")
        self._is_snapshot = options.as_of is not None
        self._not_kept = {text.lower() for text in mapping.not_kept}
        self._no_price = {text.lower() for text in mapping.no_price}
        self._sources = self._field_sources(known)
        for field in options.set_fields if known is not None else ():
            columns = chain(*self._sources.get(field, []), self._stores if field == LEVEL else ())
            if column := next(columns, None):
                raise SourceError(f"{file.path}: {field} is in column {column}. Leave out --set {field}=….")
        prices = [mapping.price_column(store) for store in self._stores.values()]
        self._used = {*chain(*(columns[0] for columns in self._sources.values() if columns)), *self._stores, *prices}
        self.columns = known and [*fields, *(self._kept_name(name) for name in known if name not in self._used)]
        places = {field: list(chain(*columns)) for field, columns in self._sources.items()}
        if self._stores:
            places |= {LEVEL: list(self._stores), NULLABLE: [*places.get(NULLABLE, []), *prices]}
        self.text_columns: Collection[str] = {
            field
            for field, columns in places.items()
            if not set(columns).isdisjoint(file.text_columns) or isinstance(self._values.get(field), str)
        }

    def _check_values(self, options: FileOptions) -> None:
        """Raises SourceError where a value that is set for all rows could not be read in any."""
        for field in (LEVEL, NULLABLE):
            value = self._values.get(field)
            if isinstance(value, str) and value.strip() and read_number(value, options.decimal or "point") is None:
                raise SourceError(f"{self.path}: {field} is set to {value!r}, which is no number.")
        time = self._values.get(TIME_COLUMN)
        try:
            if isinstance(time, str):
                read_time(time, TimeFormat(options.day_first, options.time_zone))
        except TimeError as error:
            raise SourceError(f"{self.path}: {TIME_COLUMN} is set to {time!r}: {error}.") from error

    def rows(self, skipped: Counter[str]) -> Iterator[Row]:
        """See EventFile. A row with a column for each store yields a row for each of them, as its parts. Rows that are
        added up are known at the end of the file only: of a damaged one none is yielded."""
        rows = self._readings(skipped)
        return self._added_up(rows, skipped) if self._mapping.adds_up else self._counted(rows, skipped)

    def _readings(self, skipped: Counter[str]) -> Iterator[Row]:
        for row in self._file.rows(skipped):
            values = row.values
            if isinstance(values, bytes):
                values = _decoded(values)
            if not isinstance(values, dict):
                yield row
                continue
            event = {field: _first(field, values, columns) for field, columns in self._sources.items()}
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
                if not self._mapping.is_store(mapped.get(STORE)):
                    skipped[NO_STORE] += 1
                    continue
                if str(mapped.get(NULLABLE)).strip().lower() in self._no_price:
                    mapped[NULLABLE] = None
                yield row._replace(values=mapped | extra, part=part, continues=continues)
                continues = True

    def _counted(self, rows: Iterator[Row], skipped: Counter[str]) -> Iterator[Row]:
        """The rows of a snapshot. Rows whose product and store it has before are counted."""
        seen: set[tuple[str, ...]] = set()
        for row in rows:
            if self._is_snapshot and isinstance(row.values, dict):
                key = _key(row.values)
                skipped[REPEATED] += key in seen
                seen.add(key)
            yield row

    def _added_up(self, rows: Iterator[Row], skipped: Counter[str]) -> Iterator[Row]:
        """One row for all rows of a product, store and time, at the place of the first."""
        levels: dict[tuple[object, ...], list[Row]] = {}
        for row in rows:
            key = _key(row.values) if isinstance(row.values, dict) else ("", "")
            # what has no name is rejected by itself
            levels.setdefault(key if all(key[:2]) else row.place, []).append(row)
        for addends in levels.values():
            skipped[ADDED] += len(addends) - 1
            yield addends[0] if len(addends) == 1 else self._sum(addends)

    def _sum(self, addends: list[Row]) -> Row:
        """The row of a level that several make up: the columns in which they agree, and the first price.

        Its bytes are those of all, so that the digest of the file changes with any of them.
        """
        rows = [row.values for row in addends if isinstance(row.values, dict)]
        values = {
            name: value
            for name, value in rows[0].items()
            if name in self._fields or all(row.get(name) == value for row in rows)
        }
        values[LEVEL] = Addends(row.get(LEVEL) for row in rows)
        values[NULLABLE] = next((row[NULLABLE] for row in rows if row.get(NULLABLE) not in (None, "")), None)
        raws = [row.raw for row in addends]
        if self.header is None and self.encoding == "utf-8":  # a message of JSON that goes over several lines
            raws = [raw.replace(b"\n", b" ") for raw in raws]
        return Row(
            addends[0].number,
            values,
            as_bytes("\n", self.encoding).join(raws),
            addends[0].part,
            all(row.continues for row in addends),
        )

    def _field_sources(self, known: Sequence[str] | None) -> dict[str, list[tuple[str, ...]]]:
        """The columns of each field that are there. Raises SourceError where one is missing."""
        mapping, sources = self._mapping, {}
        by_store = {LEVEL, STORE} if self._stores else set()
        missing = [
            missing_column(f"the levels of {store}", [column], known)
            for column, store in self._stores.items()
            if known is not None and column not in known
        ]
        for field in self._fields:
            wanted = mapping.alternatives(field)
            there = wanted if known is None else _there(wanted, known)
            if field in by_store and (field not in mapping.columns or not there):
                continue
            sources[field] = there
            must_be_there = field in mapping.columns and field not in mapping.optional
            if there or (not must_be_there and (field in self._values or field == NULLABLE)):
                continue
            if field == TIME_COLUMN and not must_be_there:
                missing.append("no time of the count: add --as-of 2026-01-31T18:00, or --columns event_timestamp=…")
            else:
                instead = "" if must_be_there else f", nor a value for it (--set {field}=…)"
                missing.append(missing_column(field, list(chain(*wanted)), known or ()) + instead)
        if missing:
            found = ", ".join(known or ())
            other = recognised(known or ()) if not mapping.software else ""
            raise SourceError(f"{self.path}: has {'; '.join(missing)}. Found: {found}.{other}")
        if known is not None and self._is_snapshot and sources.get(TIME_COLUMN):
            times = ", ".join(chain(*sources[TIME_COLUMN]))
            raise SourceError(f"{self.path}: has times of its own, in {times}. Leave out --as-of.")
        return sources

    def _levels(self, values: dict[str, Any]) -> Iterator[tuple[int, dict[str, Any]]]:
        for part, (column, store) in enumerate(self._stores.items()):
            if column in values:
                price = values.get(self._mapping.price_column(store))
                own_price = {} if price in (None, "") else {NULLABLE: price}
                yield part, {STORE: store, LEVEL: values[column], **own_price}

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


def _key(values: dict[str, Any]) -> tuple[str, ...]:
    """The key of a row's level: product and store, empty where they cannot be named, and time."""
    named = [as_name(values.get(name)) for name in (PRODUCT, STORE)]
    texts = [tidy(name) if isinstance(name, str) else "" for name in named]
    return (*texts, str(values.get(TIME_COLUMN)).strip())


def _there(wanted: list[tuple[str, ...]], known: Sequence[str]) -> list[tuple[str, ...]]:
    """Those alternatives that a file has, by the names that its columns have there."""
    found = [tuple(filter(None, (spelled_in(known, column) for column in columns))) for columns in wanted]
    return [columns for columns in found if columns]


def _first(field: str, values: dict[str, Any], alternatives: Sequence[tuple[str, ...]]) -> Any:
    """The first value of a field that is not empty."""
    found = None
    for columns in alternatives:
        parts = [value for value in map(values.get, columns) if value not in (None, "")]
        found = parts[0] if len(parts) == 1 else _joined(field, parts) if parts else values.get(columns[0])
        if found not in (None, ""):
            break
    return found


def _joined(field: str, parts: list[Any]) -> str:
    """A value that several columns make up: a name, or a day and the time of the day."""
    if field != TIME_COLUMN:
        return BETWEEN_PARTS.join(map(str, parts))
    # a workbook has the day as its midnight
    return " ".join(str(part).removesuffix(" 00:00:00") if isinstance(part, datetime) else str(part) for part in parts)


def _decoded(message: bytes) -> dict[str, Any] | bytes:
    try:
        values = msgspec.json.decode(message)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return message
    return values if isinstance(values, dict) else message
