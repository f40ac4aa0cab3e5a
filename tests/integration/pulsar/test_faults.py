"""Exact accounts under faults: published = landed + quarantined, each message once, whatever is killed."""

from __future__ import annotations

import json
import random
import subprocess
import threading
import time
from urllib.request import urlopen

import pytest

from dev import pulsar_broker as brokers
from ingest.pulsar.connection import SUBSCRIPTION, connected, settings
from ingest.pulsar.publisher import publish
from tests.waiting import wait_until

from .loading import (
    EXACT,
    STEPS,
    Account,
    Plan,
    account,
    events,
    finish,
    killed,
    landed,
    new_topic,
    run,
    send,
    start,
    stop,
)


def delivered(broker, topic: str) -> int:
    """How many messages the broker has sent to loaders."""
    with urlopen(f"{broker.admin_url}/admin/v2/{topic.replace('://', '/')}/stats") as answer:
        subscriptions = json.load(answer)["subscriptions"]
    return subscriptions[SUBSCRIPTION]["msgOutCounter"]


def killed_then_finished(broker, data_dir, partitions: int, plan: Plan) -> Account:
    """Publish, run a loader into its kill, publish more, and let a loader of the same kind finish."""
    topic = new_topic("killed")
    brokers.create_topic(broker, topic, partitions if partitions > 1 else 0)
    messages = events(1500)
    send(broker, topic, messages[:1200])
    killed(broker, topic, data_dir, plan)
    send(broker, topic, messages[1200:])
    process = start(broker, topic, data_dir, plan._replace(kill_at=None))
    process.join(120)
    return account(data_dir, messages)


@pytest.mark.parametrize("partitions", [1, 3])
@pytest.mark.parametrize("step", STEPS)
def test_killed_at_a_step(broker, tmp_path, step, partitions):
    plan = Plan(kill_at=step, nth=2, flush_rows=300)
    assert killed_then_finished(broker, tmp_path, partitions, plan) == EXACT


def test_a_loader_that_acknowledges_first_is_caught(broker, tmp_path):
    plan = Plan(kill_at="write", nth=2, flush_rows=300, mutant="acknowledge first", seconds_to_give_up=3)
    assert killed_then_finished(broker, tmp_path, 1, plan).lost > 0


def test_a_loader_without_the_high_water_mark_is_caught(broker, tmp_path):
    plan = Plan(kill_at="acknowledge", nth=2, flush_rows=300, mutant="no high-water mark")
    assert killed_then_finished(broker, tmp_path, 1, plan).doubled > 0


def test_fifty_kills_at_random(broker, tmp_path):
    topic = new_topic("random")
    brokers.create_topic(broker, topic, 3)
    messages = events(30_000)
    publishing = threading.Thread(target=send, args=(broker, topic, messages, 1500))
    publishing.start()
    dice = random.Random(7)
    kills = 0
    while kills < 50:
        loader = start(broker, topic, tmp_path, Plan(flush_rows=150, until_caught_up=False))
        loader.join(dice.uniform(0.1, 0.7))
        assert loader.exitcode is None
        loader.kill()
        loader.join()
        kills += 1
    publishing.join()
    finish(broker, topic, tmp_path)
    assert account(tmp_path, messages) == EXACT


def test_broker_killed_in_the_middle(broker, tmp_path):
    """The loader lives on. It drops what the broker delivers again because it lost the acknowledgement."""
    topic = new_topic("broker")
    brokers.create_topic(broker, topic, 2)
    messages = events(6000)
    send(broker, topic, messages[:4000])
    # a loader that ends when it is caught up may be, before the broker is back and the rest is published
    loader = start(broker, topic, tmp_path, Plan(flush_rows=300, seconds_per_batch=0.1, until_caught_up=False))
    wait_until(lambda: len(landed(tmp_path)) > 1000)
    brokers.kill(broker.folder)
    brokers.start(broker.folder, broker.port, broker.web_port)
    send(broker, topic, messages[4000:])
    wait_until(lambda: len(landed(tmp_path)) >= len(messages), 180)
    stop(loader)
    assert account(tmp_path, messages) == EXACT


def test_disk_full(broker, tmp_path):
    """The loader says so and ends; once there is room, the next one lands the rest."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"a small file system cannot be mounted here: {mounted.stderr.decode().strip()}")
    try:
        topic = new_topic("full")
        messages = events(20_000)
        send(broker, topic, messages)
        loader = start(broker, topic, disk / "data", Plan(flush_rows=1000))
        loader.join(120)
        assert loader.exitcode == 1
        before = account(disk / "data", messages)
        assert before.doubled == 0
        assert before.lost > 0
        subprocess.run(["mount", "-o", "remount,size=64m", disk], check=True)
        finish(broker, topic, disk / "data", Plan(flush_rows=1000))
        assert account(disk / "data", messages) == EXACT
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


def test_second_loader_of_the_folder_takes_over(broker, tmp_path):
    """It stands by as long as the first one lives: two writers would not know of each other's files."""
    topic = new_topic("over")
    messages = events(4000)
    send(broker, topic, messages[:2000])
    plan = Plan(flush_rows=200, until_caught_up=False, seconds_per_batch=0.05)
    first, second = start(broker, topic, tmp_path, plan), start(broker, topic, tmp_path, plan)
    wait_until(lambda: len(landed(tmp_path)) >= 600)
    _, holder, *_ = (tmp_path / "landing" / ".lock").read_text().split()
    active, waiting = (first, second) if int(holder) == first.pid else (second, first)
    assert int(holder) == active.pid
    active.kill()
    active.join()
    send(broker, topic, messages[2000:])
    wait_until(lambda: len(landed(tmp_path)) >= len(messages))
    stop(waiting)
    assert account(tmp_path, messages) == EXACT


def test_loader_of_another_folder_takes_over(broker, tmp_path):
    """The broker hands the partition over with all that was not acknowledged: each folder holds a message once at
    most, and together they hold all; what was landed but not acknowledged is in both, under the same ids."""
    topic = new_topic("folders")
    messages = events(3000)
    send(broker, topic, messages)
    killed(broker, topic, tmp_path / "a", Plan(kill_at="acknowledge", nth=3, flush_rows=200))
    finish(broker, topic, tmp_path / "b")
    assert account([tmp_path / "a", tmp_path / "b"], messages) == EXACT
    for folder in (tmp_path / "a", tmp_path / "b"):
        assert account(folder, messages).doubled == 0


def test_partitions_raised_while_it_runs(broker, tmp_path):
    topic = new_topic("raised")
    brokers.create_topic(broker, topic, 1)
    messages = events(3000)
    send(broker, topic, messages[:1000])
    loader = start(broker, topic, tmp_path, Plan(until_caught_up=False))
    wait_until(lambda: len(landed(tmp_path)) >= 400)
    brokers.raise_partitions(broker, topic, 4)
    send(broker, topic, messages[1000:])
    wait_until(lambda: len(landed(tmp_path)) >= len(messages))
    stop(loader)
    assert account(tmp_path, messages) == EXACT
    assert {row["partition"] for row in landed(tmp_path)} == {0, 1, 2, 3}


def test_stopped_gracefully_it_lands_and_acknowledges_what_it_has(broker, tmp_path):
    """Nothing but the signal makes it flush here."""
    topic = new_topic("drain")
    messages = events(1000)
    send(broker, topic, messages)
    loader = start(broker, topic, tmp_path, Plan(until_caught_up=False, flush_rows=100_000, flush_seconds=600))
    wait_until(lambda: delivered(broker, topic) == len(messages))
    time.sleep(1)  # from the client's queue into the batch
    stop(loader)
    assert len(landed(tmp_path)) > 0
    again = run(broker, "load", "--topic", topic, "--until-caught-up", data_dir=tmp_path)
    assert "were landed before" not in again.stdout
    assert account(tmp_path, messages) == EXACT


def test_topic_deleted_and_made_again(broker, tmp_path):
    topic = new_topic("again")
    messages = events(600)
    for part in (messages[:300], messages[300:]):
        brokers.create_topic(broker, topic)
        send(broker, topic, part)
        finish(broker, topic, tmp_path)
        brokers.delete_topic(broker, topic)
    assert account(tmp_path, messages) == EXACT


def test_a_stream_that_never_pauses_is_caught_up_with(broker, tmp_path):
    topic = new_topic("stream")
    messages = events(40_000)
    sent = []
    send(broker, topic, messages[:1])
    loader = start(broker, topic, tmp_path, Plan(flush_rows=5000))

    def stream():
        for message in messages[1:]:
            if loader.exitcode is not None:
                return
            sent.append(message)
            yield message

    with connected(settings(broker.service_url)) as client:
        publish(client, topic, stream(), 500)
    assert loader.exitcode == 0
    assert len(sent) < len(messages) - 1
    finish(broker, topic, tmp_path)
    assert account(tmp_path, [messages[0], *sent]) == EXACT
