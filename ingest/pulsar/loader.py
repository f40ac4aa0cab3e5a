"""Pulsar to landing: receive, decode, write, commit, acknowledge, in this order, each message landed exactly once.

A Failover subscription starts at the earliest message. Messages are decoded into columns as they are received, and
collected. A second thread writes a batch that is full or old enough while the next one is received: one file per
partition, then one cumulative acknowledgement per partition.

Only what is committed is acknowledged, so the broker delivers everything else again. A message that arrives again is
found in the landed files; it is dropped and acknowledged. Nothing else remembers what was read, so the process may be
killed at any time. What cannot be landed is never acknowledged negatively: the broker would move it to the end of the
queue.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np
import pyarrow as pa

from ingest.events import Contract
from ingest.landing.commit import (
    FLUSH_BYTES,
    FLUSH_ROWS,
    MESSAGE_ID,
    MessageId,
    land,
    landed_files,
    message_id,
    not_landed,
    to_table,
)
from ingest.landing.sources import full_topic
from ingest.pulsar.connection import SUBSCRIPTION, PulsarError, Settings, connected, partition_number
from ingest.stopping import stop_signals, take_over

if TYPE_CHECKING:
    import pulsar

FLUSH_SECONDS = 1.0
RECEIVE_ROWS = 5_000
RECEIVE_BYTES = 16_000_000
RECEIVE_MILLISECONDS = 20
QUEUE_ROWS = 20_000  # the client's own queue; a batch larger than it would never fill
PROGRESS_SECONDS = 5.0
DISCOVERY_SECONDS = 5.0
QUIET_SECONDS = 1.0
SECONDS_BETWEEN_QUESTIONS = 0.5
GIVE_UP_SECONDS = 90.0


@dataclass
class Partition:
    """One partition: its consumer, the last landed id (the high-water mark), the last id that this run has committed,
    and what was received since the last flush."""

    number: int
    consumer: pulsar.Consumer
    landed: MessageId | None
    done: MessageId | None = None
    received: pulsar.MessageId | None = None
    tables: list[pa.Table] = field(default_factory=list)

    def has_received(self, last: MessageId | None) -> bool:
        """Whether this run has received this message or a later one; None is the last message of an empty partition."""
        return last is None or (self.received is not None and message_id_of(self.received) >= last)

    def has_landed(self, last: MessageId | None) -> bool:
        """Whether a message is landed. The high-water mark alone does not say: a cluster that was set up again gives
        out lower ids than those landed before."""
        if last is None or (self.done is not None and self.done >= last):
            return True
        return self.landed is not None and self.landed[:2] == last[:2] and self.landed >= last


def load_topic(
    landing: Path, settings: Settings, topic: str, contract: Contract[Any], *, until_caught_up: bool
) -> Counter[str]:
    """Land the messages of a topic until it is caught up, or until SIGTERM or SIGINT.

    Before it ends it lands what it has received. A second loader of the same landing folder waits for the first to end,
    and then goes on. Returns how many events were landed (`good`), how many were rejected of each kind, and how many
    arrived `again` after they were landed. Raises PulsarError, and OSError when the folder cannot be written. Only
    landed messages are acknowledged, also after an error.
    """
    with stop_signals() as stop, ExitStack() as stack:
        if not take_over(landing, "landing", stack, stop):
            return Counter()
        client = stack.enter_context(connected(settings))
        loader = Loader(client, landing, full_topic(topic), contract)
        with ThreadPoolExecutor(1, "landing") as writer:
            loader.run(writer, stop, until_caught_up=until_caught_up)
        return loader.counts


class Loader:
    """The state of a run: the partitions that are read, the batch that is collected and the one that is written."""

    def __init__(self, client: pulsar.Client, landing: Path, topic: str, contract: Contract[Any]) -> None:
        self.counts: Counter[str] = Counter()
        self._client = client
        self._landing = landing
        self._topic = topic
        self._contract = contract
        self._partitions: dict[str, Partition] = {}
        self._writing: Future[None] | None = None
        self._rows = self._bytes = 0
        self._started = self._first_row_at = self._reported_at = self._discovered_at = self._active_at = (
            time.monotonic()
        )

    def run(self, writer: ThreadPoolExecutor, stop: threading.Event, *, until_caught_up: bool) -> None:
        """Receive and flush until it is caught up or stopped; then flush what is left."""
        target: dict[str, MessageId | None] = {}
        self._discover()
        while not stop.is_set():
            received = self._receive()
            now = time.monotonic()
            if received:
                self._active_at = now
            waited = bool(self._rows) and now - self._first_row_at >= FLUSH_SECONDS
            if waited or self._rows >= FLUSH_ROWS or self._bytes >= FLUSH_BYTES:
                self._flush(writer)
            if now - self._discovered_at >= DISCOVERY_SECONDS:
                self._discover()
            if now - self._reported_at >= PROGRESS_SECONDS:
                self._report(now)
            if until_caught_up:
                if (waited or target) and target.keys() != self._partitions.keys():
                    # a slow stream may never pause, so what is published by now is enough
                    target = self._newest()
                if (target or not received) and self._caught_up(writer, target or self._newest(), now):
                    return
        self._flush(writer)
        self._written()

    def _discover(self) -> None:
        """Subscribe to every partition, including those added meanwhile."""
        import pulsar

        self._discovered_at = time.monotonic()
        try:
            for name in sorted(set(self._client.get_topic_partitions(self._topic)) - set(self._partitions)):
                number = partition_number(name)
                marks = [file.last for file in landed_files(self._landing, self._topic) if file.partition == number]
                self._partitions[name] = Partition(number, self._subscribe(name), max(marks, default=None))
        except pulsar.PulsarException:
            if not self._partitions:
                raise
            # the broker is away: the client reconnects by itself, and the next discovery finds what is new

    def _subscribe(self, name: str) -> pulsar.Consumer:
        import pulsar

        return self._client.subscribe(
            name,
            SUBSCRIPTION,
            consumer_type=pulsar.ConsumerType.Failover,
            initial_position=pulsar.InitialPosition.Earliest,
            receiver_queue_size=QUEUE_ROWS,
            batch_receive_policy=pulsar.ConsumerBatchReceivePolicy(RECEIVE_ROWS, RECEIVE_BYTES, RECEIVE_MILLISECONDS),
        )

    def _receive(self) -> int:
        """Take what has arrived on each partition and decode it; return the number of messages."""
        count = 0
        for partition in self._partitions.values():
            # the client's wrapper around each message costs as much as decoding it
            messages = partition.consumer._consumer.batch_receive()
            if not messages:
                continue
            if not self._rows:
                self._first_row_at = time.monotonic()
            table, size = decoded(messages, self._contract, self._topic, partition.number)
            partition.tables.append(table)
            partition.received = messages[-1].message_id()
            self._rows += len(messages)
            self._bytes += size
            count += len(messages)
        return count

    def _flush(self, writer: ThreadPoolExecutor) -> None:
        """Hand the collected batch to the writer, once the one before is written."""
        self._written()
        for partition in self._partitions.values():
            if partition.tables:
                batch, partition.tables = pa.concat_tables(partition.tables), []
                self._writing = writer.submit(self._commit, self._writing, partition, batch, partition.received)
        self._rows = self._bytes = 0

    def _written(self) -> None:
        """Wait for the writer. Raises what it raised."""
        if self._writing is not None:
            self._writing.result()
            self._writing = None

    def _commit(
        self, before: Future[None] | None, partition: Partition, batch: pa.Table, received: pulsar.MessageId
    ) -> None:
        """Land a batch of one partition, then acknowledge it. Raises what the partition before it raised."""
        if before is not None:
            before.result()
        fresh = batch if _in_order_after(partition.landed, batch) else self._not_landed(partition, batch)
        if fresh.num_rows:
            land(self._landing, self._topic, partition.number, fresh)
            last = message_id(fresh, -1)
            partition.landed = max(partition.landed or last, last)
        partition.done = message_id(batch, -1)
        acknowledge(partition.consumer, received)
        errors = fresh["error"].drop_null().to_pylist()
        self.counts.update(error.partition(":")[0] for error in errors)
        self.counts["good"] += fresh.num_rows - len(errors)
        self.counts["again"] += batch.num_rows - fresh.num_rows

    def _not_landed(self, partition: Partition, batch: pa.Table) -> pa.Table:
        return not_landed(self._landing, self._topic, partition.number, batch)

    def _newest(self) -> dict[str, MessageId | None]:
        """The id of the last message published on each partition; nothing while the broker is away."""
        import pulsar

        try:
            return {name: last_published(partition.consumer) for name, partition in self._partitions.items()}
        except pulsar.PulsarException:
            time.sleep(SECONDS_BETWEEN_QUESTIONS)
            return {}

    def _caught_up(self, writer: ThreadPoolExecutor, last: dict[str, MessageId | None], now: float) -> bool:
        """Whether everything up to the last messages is landed. Raises PulsarError when the rest does not arrive."""
        quiet = now - self._active_at
        if quiet < QUIET_SECONDS and not all(self._partitions[name].has_received(id_) for name, id_ in last.items()):
            return False
        self._flush(writer)
        self._written()
        behind = [name for name, partition in self._partitions.items() if not partition.has_landed(last.get(name))]
        if last and not behind:
            self._discover()
            return set(self._partitions) == set(last)
        if quiet > GIVE_UP_SECONDS:
            raise PulsarError(
                f"the broker delivers nothing more, and these are not landed in {self._landing} to their end: "
                f"{', '.join(behind)}. Either another loader with another data folder is reading (subscription "
                f"{SUBSCRIPTION}): stop it. Or they were read before into another data folder, or have expired: to "
                "read the topic again, reset the subscription's cursor (pulsar-admin topics reset-cursor). Or the "
                "broker is away: see its log."
            )
        return False

    def _report(self, now: float) -> None:
        """Report the progress."""
        landed = self.counts.total() - self.counts["again"]
        rejected = landed - self.counts["good"]
        rate = landed / (now - self._started)
        self._reported_at = now
        click.echo(
            f"  {self._topic}: {landed:,} landed ({rejected:,} of them quarantined), {rate:,.0f}/s, {self._backlog()}",
            err=True,
        )

    def _backlog(self) -> str:
        """How much is published but not received, in the broker's entries (each a producer's batch of messages).

        Where a partition has gone on to another ledger, it is at least that much.
        """
        newest = self._newest()
        if not newest:
            return "the broker does not answer"
        entries = 0
        for name, last in newest.items():
            seen = self._partitions[name].received
            if last is not None:
                same = seen is not None and seen.ledger_id() == last.ledger_id
                entries += last.entry_id - (seen.entry_id() if seen and same else -1)
        return f"{entries:,} entries waiting" if entries else "nothing waiting"


def acknowledge(consumer: pulsar.Consumer, last: pulsar.MessageId) -> None:
    """Acknowledge everything up to this message."""
    consumer.acknowledge_cumulative(last)


def decoded(messages: list[Any], contract: Contract[Any], topic: str, partition: int) -> tuple[pa.Table, int]:
    """Received messages as rows, and the size of their contents in bytes."""
    contents = [message.data() for message in messages]
    ids, published = _identities(messages)
    return to_table(contract, topic, partition, ids, published, contents), sum(map(len, contents))


def _identities(messages: list[Any]) -> tuple[tuple[np.ndarray, np.ndarray, np.ndarray], pa.Array]:
    """Ledger ids, entry ids and batch indexes, and the publish times.

    The messages of an entry follow each other and share everything but the index. Asking the client is the slowest part
    of receiving. So it is asked for what they share only at both ends of each run of consecutive indexes.
    """
    places = [message.message_id() for message in messages]
    indexes = np.array([place.batch_index() for place in places], np.int32)
    starts = np.flatnonzero((indexes <= 0) | (np.diff(indexes, prepend=-2) != 1))
    lengths = np.diff(starts, append=len(places))

    def entries(rows: np.ndarray) -> np.ndarray:
        return np.array([(places[row].ledger_id(), places[row].entry_id()) for row in rows], np.int64)

    shared = entries(starts)
    if not np.array_equal(shared, entries(starts + lengths - 1)):
        starts, lengths = np.arange(len(places)), np.ones(len(places), np.int64)
        shared = entries(starts)
    ledger_ids, entry_ids = np.repeat(shared, lengths, axis=0).T
    published = np.repeat(np.array([messages[row].publish_timestamp() for row in starts], np.int64), lengths)
    return (ledger_ids, entry_ids, indexes), pa.array(published).cast(pa.timestamp("ms", tz="UTC"))


def _in_order_after(landed: MessageId | None, batch: pa.Table) -> bool:
    """Whether each message is newer than what is landed and than the one before it, so none was delivered again."""
    if landed is not None and message_id(batch, 0) <= landed:
        return False
    ledger, entry, index = (batch[name].to_numpy() for name in MESSAGE_ID)
    newer = index[1:] > index[:-1]
    for column in (entry, ledger):
        newer = (column[1:] > column[:-1]) | ((column[1:] == column[:-1]) & newer)
    return bool(newer.all())


def last_published(consumer: pulsar.Consumer) -> MessageId | None:
    """The id of the newest message of a partition, None where it has none."""
    last = message_id_of(consumer.get_last_message_id())
    return None if last.entry_id < 0 else last


def message_id_of(place: pulsar.MessageId) -> MessageId:
    """The client's message id as ours, which is ordered and has no partition."""
    return MessageId(place.ledger_id(), place.entry_id(), place.batch_index())
