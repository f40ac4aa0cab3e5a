"""How much of a topic is published but not landed."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from ingest.landing import landed_files
from ingest.pulsar_connection import Settings, connected, full_topic, partition_number

SECONDS_TO_ANSWER = 4
SECONDS_TO_COUNT = 3


class Backlog(NamedTuple):
    """Messages that are not landed: how many, whether they were all counted, and when the oldest was published."""

    messages: int
    complete: bool
    oldest: datetime | None


def backlog(landing: Path, settings: Settings, topic: str) -> Backlog:
    """Count what comes after the last landed message of each partition, for some seconds at most.

    It is read, not asked for: that needs no administrator's address and right. Raises PulsarError.
    """
    import pulsar

    topic = full_topic(topic)
    messages, complete, published = 0, True, []
    with connected(settings, SECONDS_TO_ANSWER) as client:
        until = time.monotonic() + SECONDS_TO_COUNT
        for name in client.get_topic_partitions(topic):
            number = partition_number(name)
            landed = [file.last for file in landed_files(landing, topic) if file.partition == number]
            start = pulsar.MessageId(-1, *max(landed)) if landed else pulsar.MessageId.earliest
            reader = client.create_reader(name, start)
            first = True
            while reader.has_message_available():
                if time.monotonic() > until:
                    complete = False
                    break
                message = reader.read_next(SECONDS_TO_ANSWER * 1000)
                messages += 1
                if first:
                    published.append(datetime.fromtimestamp(message.publish_timestamp() / 1000, UTC))
                    first = False
            reader.close()
    return Backlog(messages, complete, min(published, default=None))
