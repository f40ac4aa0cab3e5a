"""A Pulsar topic as a Spark streaming source, by Spark's Python Data Source API.

An offset is the last message id of each partition. The driver asks the broker for the newest ids. It keeps a durable
subscription, which holds the backlog until Spark has committed it. The executors read each partition's messages between
two ids, decode them by the event contract, and write them to files in the columns of a landing file. Spark gets the
names of those files, because handing over the rows would cost more than writing them.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from pyspark.sql.datasource import DataSource, DataSourceStreamReader, InputPartition
from pyspark.sql.streaming.datasource import ReadLimit, SupportsTriggerAvailableNow
from pyspark.sql.types import StructType

from ingest.events import READINGS
from ingest.landing.commit import MessageId
from ingest.landing.sources import full_topic
from ingest.pulsar.connection import PulsarError, connected, partition_number, settings
from ingest.pulsar.loader import decoded, last_published

if TYPE_CHECKING:
    import pulsar
    import pyarrow as pa

ROWS_PER_FILE = 20_000
MESSAGES_READ_AHEAD = 20_000
SECONDS_TO_ARRIVE = 60
SECONDS_TO_TAKE_OVER = 30

Offset = dict[str, str]
"""The last message id of each partition that has any, as `ledger.entry.batch_index`."""


class PulsarSource(DataSource):
    """Names of files that hold a topic's messages in the columns of a landing file.

    Options are `url`, `topic`, `subscription`, and `folder`, which all executors and the driver see at the same path.
    """

    @classmethod
    def name(cls) -> str:
        return "inventory-pulsar"

    def schema(self) -> str:
        return "path string"

    def streamReader(self, schema: StructType) -> PulsarStreamReader:
        return PulsarStreamReader(self.options)


def acknowledge(options: Mapping[str, str], end: str) -> None:
    """Acknowledge everything up to an offset (JSON, as Spark keeps it)."""
    reader = PulsarStreamReader(options)
    reader.commit(json.loads(end))
    reader.stop()


@dataclass
class Span(InputPartition):
    """Messages of one partition, after `after` (None: from the first) up to and including `last`."""

    partition_topic: str
    after: MessageId | None
    last: MessageId


class PulsarStreamReader(DataSourceStreamReader, SupportsTriggerAvailableNow):
    """Plans micro-batches in the driver and reads them in the executors."""

    def __init__(self, options: Mapping[str, str]) -> None:
        self._url, self._topic = options["url"], full_topic(options["topic"])
        self._subscription, self._folder = options["subscription"], options["folder"]
        self._target: Offset | None = None
        self._client: pulsar.Client | None = None
        self._consumers: dict[str, pulsar.Consumer] = {}
        self._stack = ExitStack()

    # ------------------------------------------------------------ in the driver

    def initialOffset(self) -> Offset:
        return {}

    def prepareForTriggerAvailableNow(self) -> None:
        self._target = self._newest()

    def latestOffset(self, start: Offset, limit: ReadLimit) -> Offset:
        newest = self._newest() if self._target is None else self._target
        ahead = {
            partition: last
            for partition, last in newest.items()
            if partition not in start or MessageId.parse(start[partition]) < MessageId.parse(last)
        }
        return dict(sorted({**start, **ahead}.items()))

    def partitions(self, start: Offset, end: Offset) -> Sequence[Span]:
        return [
            Span(partition, MessageId.parse(start[partition]) if partition in start else None, MessageId.parse(last))
            for partition, last in end.items()
            if start.get(partition) != last
        ]

    def commit(self, end: Offset) -> None:
        """Acknowledge what is committed. Where the broker cannot be reached now, the next commit does it."""
        import pulsar

        for partition, last in end.items():
            # an offset is the last message of its entry, so the entry as a whole is acknowledged
            ledger_id, entry_id, _ = MessageId.parse(last)
            with suppress(pulsar.PulsarException):
                self._consumer(partition).acknowledge_cumulative(
                    pulsar.MessageId(partition_number(partition), ledger_id, entry_id, -1)
                )

    def stop(self) -> None:
        self._stack.close()

    def _newest(self) -> Offset:
        found = {}
        for partition in self._connected().get_topic_partitions(self._topic):
            last = last_published(self._consumer(partition))
            if last is not None:
                found[partition] = str(last)
        return found

    def _connected(self) -> pulsar.Client:
        if self._client is None:
            self._client = self._stack.enter_context(connected(settings(self._url)))
        return self._client

    def _consumer(self, partition: str) -> pulsar.Consumer:
        """The durable subscription of a partition; waits while a killed run still seems connected."""
        import pulsar

        given_up = time.monotonic() + SECONDS_TO_TAKE_OVER
        while partition not in self._consumers:
            try:
                self._consumers[partition] = self._connected().subscribe(
                    partition,
                    self._subscription,
                    consumer_type=pulsar.ConsumerType.Exclusive,
                    initial_position=pulsar.InitialPosition.Earliest,
                    receiver_queue_size=1,
                )
            except pulsar.ConsumerBusy as error:
                if time.monotonic() > given_up:
                    raise PulsarError(
                        f"{partition}: subscription {self._subscription} is in use. Stop the other "
                        "`inventory land`, or give this data folder another --subscription."
                    ) from error
                time.sleep(0.5)
        return self._consumers[partition]

    # ------------------------------------------------------------ in the executors

    def read(self, partition: InputPartition) -> Iterator[pa.RecordBatch]:
        """Write the messages of a span, decoded, to new files, and yield their names.

        Raises PulsarError where the broker does not deliver them all: a part would be a loss.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        assert isinstance(partition, Span)
        number = partition_number(partition.partition_topic)
        with connected(settings(self._url)) as client:
            messages = _read(client, partition)
            while some := list(islice(messages, ROWS_PER_FILE)):
                table, _ = decoded(some, READINGS, self._topic, number)
                file = Path(self._folder, f"{uuid4().hex}.parquet")
                pq.write_table(table, file, compression="zstd")
                yield pa.RecordBatch.from_pydict({"path": [str(file)]})


def _read(client: pulsar.Client, span: Span) -> Iterator[Any]:
    """The messages of a span, without the client's Python wrapper, which costs as much as decoding them."""
    import pulsar

    number = partition_number(span.partition_topic)
    reader = client.create_reader(
        span.partition_topic,
        pulsar.MessageId.earliest if span.after is None else pulsar.MessageId(number, *span.after),
        receiver_queue_size=MESSAGES_READ_AHEAD,
    )._reader
    while True:
        try:
            message = reader.read_next(SECONDS_TO_ARRIVE * 1000)
        except pulsar.Timeout as error:
            raise PulsarError(
                f"{span.partition_topic}: the messages up to {span.last} did not arrive within "
                f"{SECONDS_TO_ARRIVE} s. Check that the broker runs and that nobody deleted them; then run it again."
            ) from error
        place = message.message_id()
        id_ = (place.ledger_id(), place.entry_id(), place.batch_index())
        if id_ <= span.last and (span.after is None or id_ > span.after):
            yield message
        if id_ >= span.last:
            return
