"""What the generators write is what they publish."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pulsar
import pytest
from click import Command
from click.testing import CliRunner

from dev.pulsar_broker import Broker
from ingest.landing.sources import full_topic
from ingest.pulsar.connection import connected, settings
from ingest.simulation import generate_data, generate_text_data, introduce_anomalies, introduce_anomaly


def received(broker: Broker, topic: str) -> Iterator[tuple[str, bytes]]:
    """The keys and bytes of a topic's messages."""
    with connected(settings(broker.service_url)) as client:
        reader = client.create_reader(full_topic(topic), pulsar.MessageId.earliest)
        while reader.has_message_available():
            message = reader.read_next(10_000)
            yield message.partition_key(), message.data()


@pytest.mark.parametrize(
    ("command", "options"),
    [
        (generate_data.command, ["--profile", "tiny", "--end", "2026-06-30", "--force"]),
        (introduce_anomalies.command, ["--count", "4"]),
        (introduce_anomaly.command, ["--kind", "negative"]),
        (generate_text_data.command, ["--count", "200", "--end", "2026-06-30"]),
    ],
    ids=["data", "anomalies", "anomaly", "notes"],
)
def test_what_is_written_is_published(broker: Broker, tmp_path: Path, command: Command, options: list[str]) -> None:
    written = tmp_path / "events.ndjson"
    if command in {introduce_anomalies.command, introduce_anomaly.command}:
        generate = ["--profile", "tiny", "--end", "2026-06-30", "--out", str(written)]
        assert CliRunner().invoke(generate_data.command, generate).exit_code == 0
        options = [*options, "--events", str(written)]
    else:
        options = [*options, "--out", str(written)]
    topic = tmp_path.name
    result = CliRunner().invoke(
        command, [*options, "--to-pulsar", "--url", broker.service_url, "--topic", topic, "--rate", "100000"]
    )
    assert result.exit_code == 0, result.output
    messages = list(received(broker, topic))
    assert sorted(message for _, message in messages) == sorted(written.read_bytes().splitlines())
    assert all(f'"product_id":"{key}"'.encode() in message for key, message in messages if key)
    assert sum(not key for key, _ in messages) <= 13
