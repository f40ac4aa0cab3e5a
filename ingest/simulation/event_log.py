"""A file of events in memory, as lines and as series, so that single readings can be changed and all others stay."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from ingest.events import Reading, decode
from ingest.landing.files.messages import read_file
from ingest.landing.files.rows import SourceError

SeriesKey = tuple[str, str]  # store, product


class Point(NamedTuple):
    """The reading of a product at a timestamp, the last one where there are several.

    `lines` are the positions of their messages.
    """

    store: str
    product: str
    category: str
    timestamp: datetime
    quantity: int
    price: float | None
    lines: tuple[int, ...]


class Change(NamedTuple):
    """A change of a point: new values for `fields`, or its removal where they are None.

    With `added` the point stays, and a message with the changed fields follows it.
    """

    point: Point
    fields: dict[str, Any] | None
    added: bool = False


class EventLog:
    """The messages of a file, and the series of good readings in them."""

    def __init__(self, path: Path) -> None:
        """Read the file. Raises SourceError where it is no events file or holds no good reading."""
        self.path = path
        self.messages: list[bytes] = []
        found: defaultdict[SeriesKey, dict[datetime, Point]] = defaultdict(dict)
        for position, line in enumerate(read_file(path)):
            self.messages.append(line.content)
            reading = decode(line.content, None)
            if isinstance(reading, Reading):
                points = found[reading.store_location, reading.product_id]
                known = points.get(reading.event_timestamp)
                points[reading.event_timestamp] = Point(
                    reading.store_location,
                    reading.product_id,
                    reading.category,
                    reading.event_timestamp,
                    reading.quantity,
                    reading.price,
                    (*known.lines, position) if known else (position,),
                )
        if not found:
            raise SourceError(f"{path}: no line is a stock reading. Compare it with the event contract in the README.")
        self.series: dict[SeriesKey, list[Point]] = {
            key: sorted(points.values(), key=lambda point: point.timestamp) for key, points in sorted(found.items())
        }
        self._changed: dict[int, bytes | None] = {}
        self._added: defaultdict[int, list[bytes]] = defaultdict(list)

    @property
    def newest(self) -> datetime:
        return max(points[-1].timestamp for points in self.series.values())

    def apply(self, change: Change) -> None:
        """Change the messages of a point, its repeats as well."""
        if change.added:
            last = change.point.lines[-1]
            self._added[last].append(self._message(last, change.fields or {}))
            return
        for line in change.point.lines:
            self._changed[line] = None if change.fields is None else self._message(line, change.fields)

    def insert(self, position: int, message: bytes) -> None:
        """Put a message after the one at `position`."""
        self._added[position].append(message)

    def _message(self, line: int, fields: dict[str, Any]) -> bytes:
        return msgspec.json.encode(msgspec.json.decode(self.messages[line]) | fields)

    def lines(self) -> Iterator[bytes]:
        """The messages as they now are, each with its line ending."""
        for position, message in enumerate(self.messages):
            current = self._changed.get(position, message)
            if current is not None:
                yield current + b"\n"
            for added in self._added.get(position, ()):
                yield added + b"\n"


def within(points: list[Point], start: int, days: float) -> list[Point]:
    """The points from position `start` on that lie within `days` of it."""
    until = points[start].timestamp + timedelta(days=days)
    stop = start
    while stop < len(points) and points[stop].timestamp < until:
        stop += 1
    return points[start:stop]


def iso(timestamp: datetime) -> str:
    """A timestamp as events spell it."""
    return timestamp.isoformat().replace("+00:00", "Z")
