"""Withdrawals: which landed messages stay out of the tables.

Landing keeps the bytes. Each `inventory withdraw` appends one event, a file in data/withdrawals. All events in order
say what is withdrawn now. Raw holds a record of the withdrawals that it was refined with, so that everything built from
raw leaves out the same messages.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import msgspec

from ingest.durable_files import atomic_write
from ingest.sql import quoted

FOLDER = "withdrawals"
RECORD = "withdrawn-*.parquet"


class MessageRange(msgspec.Struct, frozen=True, order=True):
    """Messages of one ledger. It also ends at a publish time, since a cluster that was set up again reuses its ids."""

    topic: str
    partition: int
    ledger_id: int
    first_entry_id: int
    last_entry_id: int
    published_until: datetime

    def contains(self, other: MessageRange) -> bool:
        """Whether each message of the other range is in this one."""
        return (
            (self.topic, self.partition, self.ledger_id) == (other.topic, other.partition, other.ledger_id)
            and self.first_entry_id <= other.first_entry_id
            and self.last_entry_id >= other.last_entry_id
            and self.published_until >= other.published_until
        )


class WithdrawalEvent(msgspec.Struct, frozen=True):
    """What one `inventory withdraw` did."""

    action: Literal["withdraw", "restore"]
    at: datetime
    ranges: list[MessageRange]


class Withdrawals(msgspec.Struct, frozen=True):
    """What is withdrawn after so many events."""

    event_count: int
    ranges: list[MessageRange]


def withdrawals(data_dir: Path) -> Withdrawals:
    """What is withdrawn now."""
    paths = _event_paths(data_dir)
    active: set[MessageRange] = set()
    for path in paths:
        event = msgspec.json.decode(path.read_bytes(), type=WithdrawalEvent)
        if event.action == "withdraw":
            active |= set(event.ranges)
        else:
            active = {range_ for range_ in active if not any(restored.contains(range_) for restored in event.ranges)}
    return Withdrawals(len(paths), sorted(active))


def append_event(data_dir: Path, action: Literal["withdraw", "restore"], ranges: Sequence[MessageRange]) -> None:
    """Add an event to the log. The caller holds the folder (`file_lock`)."""
    folder = data_dir / FOLDER
    path = folder / f"{len(_event_paths(data_dir)) + 1:06d}.json"
    event = WithdrawalEvent(action, datetime.now(UTC), list(ranges))
    with atomic_write(path) as temporary:
        temporary.write_bytes(msgspec.json.format(msgspec.json.encode(event)))


def _event_paths(data_dir: Path) -> list[Path]:
    return sorted((data_dir / FOLDER).glob("[0-9]*.json"))


def in_ranges(ranges: Iterable[MessageRange]) -> str:
    """The SQL condition on a landing file's columns that holds for the messages in any of the ranges."""
    conditions = [
        f"(topic = '{quoted(range_.topic)}' and partition = {range_.partition} "
        f"and ledger_id = {range_.ledger_id} "
        f"and entry_id between {range_.first_entry_id} and {range_.last_entry_id} "
        f"and publish_time <= timestamptz '{range_.published_until.isoformat()}')"
        for range_ in ranges
    ]
    return " or ".join(conditions) or "false"


def record(raw: Path, applied: Withdrawals) -> None:
    """Record in a new raw the withdrawals that it is refined with. The file's name says after how many events."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema(
        {
            "topic": pa.string(),
            "partition": pa.int32(),
            "ledger_id": pa.int64(),
            "first_entry_id": pa.int64(),
            "last_entry_id": pa.int64(),
            "published_until": pa.timestamp("us", tz="UTC"),
        }
    )
    rows = [msgspec.structs.asdict(range_) for range_ in applied.ranges]
    path = raw / RECORD.replace("*", f"{applied.event_count:06d}")
    pq.write_table(pa.Table.from_pylist(rows, schema), path)


def recorded(raw: Path) -> Withdrawals:
    """The withdrawals that raw was refined with."""
    import pyarrow.parquet as pq

    for path in raw.glob(RECORD):
        rows = pq.read_table(path, partitioning=None).to_pylist()
        return Withdrawals(int(path.stem.rpartition("-")[2]), [MessageRange(**row) for row in rows])
    return Withdrawals(0, [])
