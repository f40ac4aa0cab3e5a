"""How much of a topic is published but not landed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ingest.landing.commit import MessageId, landed_files
from ingest.landing.sources import full_topic
from ingest.pulsar.connection import Settings, connected, partition_number
from ingest.pulsar.loader import message_id_of

if TYPE_CHECKING:
    import pulsar

SECONDS_TO_ANSWER = 4
SECONDS_TO_ARRIVE = 1
SECONDS_TO_COUNT = 3


class Backlog(NamedTuple):
    """Messages that are not landed: how many, whether they were all counted, and when the oldest was published."""

    messages: int
    complete: bool
    oldest: datetime | None


def backlog(landing: Path, settings: Settings, topic: str) -> Backlog:
    """Count what comes after the last landed message of each partition, for some seconds at most.

    It reads the messages. Asking the broker for their number would need an administrator's address and rights. Raises
    PulsarError.
    """
    import pulsar

    topic = full_topic(topic)
    count, complete, oldest = 0, True, []
    marks: dict[int, MessageId] = {}
    for file in landed_files(landing, topic):
        marks[file.partition] = max(marks.get(file.partition, file.last), file.last)
    with connected(settings, SECONDS_TO_ANSWER) as client:
        until = time.monotonic() + SECONDS_TO_COUNT
        for name in client.get_topic_partitions(topic):
            landed = marks.get(partition_number(name))
            # inclusive, since a reader that has read nothing always reports one more message after its start
            start = pulsar.MessageId(-1, *landed) if landed else pulsar.MessageId.earliest
            reader = client.create_reader(name, start, start_message_id_inclusive=True)
            first = True
            for id_, published in _messages(reader):
                if landed is not None and id_ <= landed:
                    continue
                if first:
                    oldest.append(published)
                    first = False
                count += 1
                if time.monotonic() > until:
                    complete = False
                    break
            reader.close()
    return Backlog(count, complete, min(oldest, default=None))


def _messages(reader: pulsar.Reader) -> Iterator[tuple[MessageId, datetime]]:
    """The ids and publish times of what a reader finds. A message that it expects may have been deleted."""
    import pulsar

    with suppress(pulsar.Timeout):
        while reader.has_message_available():
            message = reader.read_next(SECONDS_TO_ARRIVE * 1000)
            yield message_id_of(message.message_id()), datetime.fromtimestamp(message.publish_timestamp() / 1000, UTC)
