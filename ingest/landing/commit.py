"""The commit point of landing: messages become Parquet files, each message exactly once.

A batch of one partition becomes one file per publish date, which holds events and rejected messages together. The
rename of the finished file is the commit point. Its name carries the first and the last message id, so the landed files
are themselves the record of what has been read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast
from urllib.parse import quote, unquote

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ingest.durable_files import atomic_write, sync_folder
from ingest.events import Contract, Rejection

# kept with the rows of a file, so that they can be exported unchanged and loaded again
HEADER, ENCODING, LOAD_OPTIONS = "header", "encoding", "load_options"
SOURCE_PATH = "source_path"  # the path of the file, as bytes of the file system
FLUSH_ROWS = 50_000
FLUSH_BYTES = 64_000_000
TIMESTAMP = pa.timestamp("us", tz="UTC")
MESSAGE_ID = ["ledger_id", "entry_id", "batch_index"]
# a cluster that was set up again reuses its ids; the publish time distinguishes its messages from those landed before
IDENTITY = [*MESSAGE_ID, "publish_time"]


class MessageId(NamedTuple):
    """The place of a message in its partition. Ids of one partition are ordered as tuples."""

    ledger_id: int
    entry_id: int
    batch_index: int

    @classmethod
    def parse(cls, text: str) -> MessageId:
        """The id that `str` wrote, as in the names of landed files and the offsets of Spark."""
        ledger_id, entry_id, batch_index = map(int, text.split("."))
        return cls(ledger_id, entry_id, batch_index)

    def __str__(self) -> str:
        return ".".join(map(str, self))


class LandedFile(NamedTuple):
    """A landed file and what its name says."""

    path: Path
    topic: str
    partition: int
    first: MessageId
    last: MessageId


def landed_files(landing: Path, topic: str) -> list[LandedFile]:
    """The files landed from a topic, compacted ones too, in the order of their message ids."""
    files = [landed_file(path) for path in landing.glob(f"publish_date=*/{_slug(topic)}~*.parquet")]
    return sorted(files, key=lambda file: (file.partition, file.first))


def landed_topics(landing: Path) -> list[str]:
    """The topics and the names of files that were landed."""
    return sorted({landed_file(path).topic for path in landing.glob("publish_date=*/*.parquet")})


def to_table(
    contract: Contract[Any],
    topic: str,
    partition: int,
    ids: tuple[Sequence[int] | np.ndarray, ...],
    published: pa.Array,
    messages: Sequence[bytes | Rejection],
    raws: Sequence[bytes] | None = None,
) -> pa.Table:
    """Messages of one partition as the rows of a landing file, decoded by the contract.

    `ids` are their ledger ids, entry ids and batch indexes, `published` their publish times (any timestamp type, UTC).
    `raws` are the bytes to keep of a rejected message; without them they are the message itself.
    """
    published = published.cast(TIMESTAMP)
    columns = contract.decode_columns(messages, published)
    count = len(messages)
    extras: list[str | None] = [None] * count
    errors: list[str | None] = [None] * count
    rejected: list[bytes | None] = [None] * count
    for row, extra in columns.extras.items():
        extras[row] = extra
    for row, rejection in columns.rejections.items():
        errors[row], rejected[row] = str(rejection), cast(Sequence[bytes], raws or messages)[row]
    ledger_ids, entry_ids, batch_indexes = ids
    return pa.table(
        {
            "topic": pa.repeat(topic, count),
            "partition": pa.repeat(pa.scalar(partition, pa.int32()), count),
            "ledger_id": pa.array(ledger_ids, pa.int64()),
            "entry_id": pa.array(entry_ids, pa.int64()),
            "batch_index": pa.array(batch_indexes, pa.int32()),
            "publish_time": published,
            **columns.fields,
            "extra": pa.array(extras, pa.string()),
            "error": pa.array(errors, pa.string()),
            "raw": pa.array(rejected, pa.binary()),
        }
    )


def land(
    landing: Path, topic: str, partition: int, table: pa.Table, metadata: Mapping[str, str | bytes] | None = None
) -> list[Path]:
    """Write rows of one partition and commit them; return the landed files.

    The rows are in id order and not empty. Each goes to the folder of its own publish date, so a message that is
    delivered again belongs to the same folder, however batches are cut. Each date makes a file. `metadata` is kept with
    each file. Raises OSError (a full disk, say) and leaves nothing half written; earlier dates may be landed then.
    """
    dates = table["publish_time"].cast(pa.date32())
    return [
        _land_file(landing, f"{date.as_py():%Y-%m-%d}", topic, partition, table.filter(pc.equal(dates, date)), metadata)
        for date in dates.unique()
    ]


def _land_file(
    landing: Path, date: str, topic: str, partition: int, table: pa.Table, metadata: Mapping[str, str | bytes] | None
) -> Path:
    folder = landing / f"publish_date={date}"
    if not folder.is_dir():
        folder.mkdir()
        sync_folder(landing)
    path = folder / landed_name(topic, partition, message_id(table, 0), message_id(table, -1))
    while path.exists():  # a cluster that was set up again reuses its ids
        path = path.with_name(path.name.replace(".parquet", "~.parquet"))
    with atomic_write(path) as temporary:  # the commit point is its rename
        pq.write_table(table.replace_schema_metadata(metadata and dict(metadata)), temporary, compression="zstd")
    return path


def not_landed(landing: Path, topic: str, partition: int, table: pa.Table) -> pa.Table:
    """The rows of a partition whose messages are not landed yet, each once, in id order."""
    rows = table.select(IDENTITY).append_column("row", pa.array(range(table.num_rows)))
    rows = rows.group_by(IDENTITY).aggregate([("row", "min")])
    ordered = rows.sort_by([(name, "ascending") for name in MESSAGE_ID])
    first, last = message_id(ordered, 0), message_id(ordered, -1)
    for file in landed_files(landing, topic):
        if file.partition == partition and file.first <= last and file.last >= first:
            within = [("ledger_id", ">=", first.ledger_id), ("ledger_id", "<=", last.ledger_id)]
            known = pq.read_table(file.path, columns=IDENTITY, filters=within, partitioning=None)
            rows = rows.join(known, IDENTITY, join_type="left anti")
    return table.take(rows["row_min"]).sort_by([(name, "ascending") for name in MESSAGE_ID])


def message_id(table: pa.Table, row: int) -> MessageId:
    """The message id of a row; negative rows count from the end."""
    ledger_id, entry_id, batch_index = (table[name][row].as_py() for name in MESSAGE_ID)
    return MessageId(ledger_id, entry_id, batch_index)


def _slug(topic: str) -> str:
    return quote(topic, safe=".").replace("~", "%7E")


def landed_name(topic: str, partition: int, first: MessageId, last: MessageId) -> str:
    """The name of the file that holds a partition's messages from the first id to the last."""
    return "~".join([_slug(topic), str(partition), str(first), str(last)]) + ".parquet"


def landed_file(path: Path) -> LandedFile:
    """Read a landed file's name."""
    topic, partition, first, last, *_ = path.name.removesuffix(".parquet").split("~")
    return LandedFile(path, unquote(topic), int(partition), MessageId.parse(first), MessageId.parse(last))
