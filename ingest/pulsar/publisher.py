"""Publishing events to a Pulsar topic, for simulation and tests."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from ingest.landing.files.messages import read_file
from ingest.landing.sources import full_topic
from ingest.pulsar.connection import READINGS_TOPIC, SUBSCRIPTION, PulsarError, connected, settings

if TYPE_CHECKING:
    import pulsar

SECONDS_TO_ACKNOWLEDGE = 60
PROGRESS_SECONDS = 5


class _Product(msgspec.Struct):
    product_id: str


_product_decoder = msgspec.json.Decoder(_Product)


def pulsar_options(
    topic: str = READINGS_TOPIC, variable: str = "PULSAR_TOPIC"
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The options of a command that can publish what it wrote: --to-pulsar, --url, --topic, --rate.

    `topic` is the default of --topic, and `variable` the environment variable that may name another.
    """

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in (
            click.option(
                "--rate", type=click.FloatRange(min=0, min_open=True), help="Events a second (default: all at once)"
            ),
            click.option("--topic", envvar=variable, default=topic, show_default=True),
            click.option("--url", envvar="PULSAR_URL", help="Service URL of the broker (default: PULSAR_URL)"),
            click.option("--to-pulsar", is_flag=True, help="Publish what was written to a Pulsar topic as well"),
        ):
            command = option(command)
        return command

    return decorate


def publish_file(path: Path, *, to_pulsar: bool, url: str | None, topic: str, rate: float | None) -> None:
    """Publish the messages of a file, if that is what the options of `pulsar_options` ask for."""
    if to_pulsar:
        count = publish_events(url, topic, (line.content for line in read_file(path)), rate)
        click.echo(f"{topic}: {count:,} messages published")


def publish_events(url: str | None, topic: str, events: Iterable[bytes], rate: float | None = None) -> int:
    """Publish events under their products' keys; return how many the broker acknowledged.

    Raises click.ClickException where the broker cannot be reached or did not take them all.
    """
    try:
        with connected(settings(url)) as client:
            return publish(client, topic, ((_product(event), event) for event in events), rate)
    except PulsarError as error:
        raise click.ClickException(str(error)) from error


def publish(
    client: pulsar.Client,
    topic: str,
    messages: Iterable[tuple[str, bytes]],
    rate: float | None = None,
    **producer_settings: Any,
) -> int:
    """Publish (key, message) pairs and return how many the broker acknowledged.

    Messages of one key go to one partition in the order given; an empty key leaves the choice to the client. They are
    sent in batches, `rate` a second (None: as fast as the broker takes them). The loader's subscription is made first,
    so that the broker keeps the messages even if no loader has run yet. `producer_settings` override the settings of
    the client that are chosen here. Raises PulsarError where not all messages were acknowledged.
    """
    import pulsar

    topic = full_topic(topic)
    _subscribe_first(client, topic)
    acknowledged = 0
    problem: str | None = None
    lock = threading.Lock()

    def done(result: pulsar.Result, _: pulsar.MessageId) -> None:
        nonlocal acknowledged, problem
        with lock:
            if result == pulsar.Result.Ok:
                acknowledged += 1
            else:
                problem = problem or str(result)

    usual = {
        "block_if_queue_full": True,
        "batching_enabled": True,
        "batching_max_publish_delay_ms": 10,
        "send_timeout_millis": SECONDS_TO_ACKNOWLEDGE * 1000,
    }
    producer = client.create_producer(topic, **(usual | producer_settings))
    sent = 0
    # the client takes 0 for no sequence id
    for sent, (key, message) in enumerate(_paced(messages, rate), start=1):
        producer.send_async(message, done, partition_key=key or None, sequence_id=sent)
        if problem:
            break
    try:
        producer.flush()
    except pulsar.PulsarException as error:
        problem = problem or str(error)
    producer.close()
    if problem or acknowledged < sent:
        raise PulsarError(f"{topic}: the broker acknowledged {acknowledged:,} of {sent:,} messages ({problem}).")
    return acknowledged


def _subscribe_first(client: pulsar.Client, topic: str) -> None:
    import pulsar

    try:
        client.subscribe(
            topic,
            SUBSCRIPTION,
            consumer_type=pulsar.ConsumerType.Exclusive,
            initial_position=pulsar.InitialPosition.Earliest,
            receiver_queue_size=1,
        ).close()
    except pulsar.ConsumerBusy:  # a loader is connected, so the subscription is there
        return


def _paced(messages: Iterable[tuple[str, bytes]], rate: float | None) -> Iterator[tuple[str, bytes]]:
    """Hold messages back until they are due, and report the progress every few seconds."""
    start = reported = time.monotonic()
    for count, message in enumerate(messages):
        now = time.monotonic()
        if rate and start + count / rate > now:
            time.sleep(start + count / rate - now)
        if now - reported > PROGRESS_SECONDS:
            reported = now
            click.echo(f"  {count:,} messages published, {count / (now - start):,.0f}/s", err=True)
        yield message


def _product(event: bytes) -> str:
    try:
        return _product_decoder.decode(event).product_id
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ""
