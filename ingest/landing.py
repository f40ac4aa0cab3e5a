"""Landing: messages to Parquet files with one commit point, so that each is landed exactly once.

A batch of one partition becomes one file that holds its readings and its rejected messages together. The file is
written under a temporary name, synced and renamed; the rename is the commit point. The name carries the first and the
last message id, so the landed files are themselves the record of what has been read.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, unquote

import pyarrow as pa
import pyarrow.parquet as pq

from ingest.events import Reading, Rejection

TEMPORARY = ".tmp-"


class MessageId(NamedTuple):
    """Where a message stands in its partition; ids of one partition are ordered as the tuple is."""

    ledger_id: int
    entry_id: int
    batch_index: int


class Message(NamedTuple):
    """One message of a partition: its id, when it was published (aware, UTC), its bytes, and what they decode to."""

    id: MessageId
    publish_time: datetime
    raw: bytes
    content: Reading | Rejection


class LandedFile(NamedTuple):
    """A landed file, as its name tells it."""

    path: Path
    topic: str
    partition: int
    first: MessageId
    last: MessageId


class LandingBusyError(RuntimeError):
    """Another process is landing into the same folder."""


@contextmanager
def held(folder: Path, doing: str) -> Iterator[None]:
    """Hold a folder for one writer.

    Raises LandingBusyError, naming the holder's process id and what it is `doing` with the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise LandingBusyError(
                f"{folder}: process {lock.read().strip()} is {doing} here. Wait for it or stop it."
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


@contextmanager
def exclusive(landing: Path) -> Iterator[None]:
    """Hold the landing folder for one writer, and clear what a killed one left half written.

    Raises LandingBusyError, naming the holder's process id.
    """
    with held(landing, "landing"):
        for leftover in landing.glob(f"publish_date=*/{TEMPORARY}*"):
            leftover.unlink()
        for left_folder in landing.glob(f"{TEMPORARY}*"):
            shutil.rmtree(left_folder)
        yield


def landed_files(landing: Path, topic: str) -> list[LandedFile]:
    """The files landed from a topic, compacted ones too, in the order of their message ids."""
    files = [landed_file(path) for path in landing.glob(f"publish_date=*/{_slug(topic)}~*.parquet")]
    return sorted(files, key=lambda file: (file.partition, file.first))


def land(
    landing: Path, topic: str, partition: int, messages: Sequence[Message], metadata: dict[str, str] | None = None
) -> Path:
    """Write one batch of one partition and commit it; return the landed file.

    `messages` are in id order and not empty. `metadata` is kept with the file. Raises OSError (a full disk, say)
    with nothing landed.
    """
    first, last = messages[0].id, messages[-1].id
    folder = landing / f"publish_date={messages[0].publish_time:%Y-%m-%d}"
    folder.mkdir(parents=True, exist_ok=True)
    name = landed_name(topic, partition, first, last)
    temporary = folder / f"{TEMPORARY}{name}"
    table = to_table(topic, partition, messages)
    with temporary.open("wb") as file:
        pq.write_table(table.replace_schema_metadata(metadata), file, compression="zstd")
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(folder / name)  # the commit point
    sync_folder(folder)
    return folder / name


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def to_table(topic: str, partition: int, messages: Sequence[Message]) -> pa.Table:
    """Messages of one partition as the rows of a landing file."""
    moment = pa.timestamp("us", tz="UTC")
    readings = [message.content if isinstance(message.content, Reading) else None for message in messages]
    rejected = [message.content if isinstance(message.content, Rejection) else None for message in messages]

    def field(name: str) -> list[object]:
        return [None if reading is None else getattr(reading, name) for reading in readings]

    return pa.table(
        {
            "topic": pa.array([topic] * len(messages), pa.string()),
            "partition": pa.array([partition] * len(messages), pa.int32()),
            "ledger_id": pa.array([message.id.ledger_id for message in messages], pa.int64()),
            "entry_id": pa.array([message.id.entry_id for message in messages], pa.int64()),
            "batch_index": pa.array([message.id.batch_index for message in messages], pa.int32()),
            "publish_time": pa.array([message.publish_time for message in messages], moment),
            "product_id": pa.array(field("product_id"), pa.string()),
            "category": pa.array(field("category"), pa.string()),
            "store_location": pa.array(field("store_location"), pa.string()),
            "quantity": pa.array(field("quantity"), pa.int64()),
            "price": pa.array(field("price"), pa.float64()),
            "event_timestamp": pa.array(field("event_timestamp"), moment),
            "extra": pa.array(field("extra"), pa.string()),
            "error": pa.array([None if reason is None else str(reason) for reason in rejected], pa.string()),
            "raw": pa.array(
                [None if reason is None else message.raw for message, reason in zip(messages, rejected, strict=True)],
                pa.binary(),
            ),
        }
    )


def _slug(topic: str) -> str:
    return quote(topic, safe=".").replace("~", "%7E")


def landed_name(topic: str, partition: int, first: MessageId, last: MessageId) -> str:
    """The name of the file that holds a partition's messages from the first id to the last."""
    return "~".join([_slug(topic), str(partition), ".".join(map(str, first)), ".".join(map(str, last))]) + ".parquet"


def landed_file(path: Path) -> LandedFile:
    """What a landed file's name tells."""
    topic, partition, first, last = path.name.removesuffix(".parquet").split("~")
    return LandedFile(path, unquote(topic), int(partition), _message_id(first), _message_id(last))


def _message_id(text: str) -> MessageId:
    ledger_id, entry_id, batch_index = map(int, text.split("."))
    return MessageId(ledger_id, entry_id, batch_index)
