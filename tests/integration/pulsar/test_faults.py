"""Exact accounts under faults: published = landed + quarantined, each message once, whatever is killed."""

from __future__ import annotations

import random
import subprocess
import threading
import time

import pytest

from ingest import broker as brokers

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
    send,
    start,
    wait_until,
)


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
    """The loader lives on, and takes what the broker has forgotten to have been told."""
    topic = new_topic("broker")
    brokers.create_topic(broker, topic, 2)
    messages = events(6000)
    send(broker, topic, messages[:4000])
    loader = start(broker, topic, tmp_path, Plan(flush_rows=300, seconds_a_batch=0.1))
    wait_until(lambda: len(landed(tmp_path)) > 1000)
    brokers.kill(broker.folder)
    brokers.start(broker.folder, broker.port, broker.web_port)
    send(broker, topic, messages[4000:])
    loader.join(180)
    assert loader.exitcode == 0
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
    plan = Plan(flush_rows=200, until_caught_up=False, seconds_a_batch=0.05)
    first, second = start(broker, topic, tmp_path, plan), start(broker, topic, tmp_path, plan)
    wait_until(lambda: len(landed(tmp_path)) >= 600)
    holder = int((tmp_path / "landing" / ".lock").read_text())
    active, waiting = (first, second) if holder == first.pid else (second, first)
    assert holder == active.pid
    active.kill()
    active.join()
    send(broker, topic, messages[2000:])
    wait_until(lambda: account(tmp_path, messages).lost == 0)
    waiting.terminate()
    waiting.join(60)
    assert waiting.exitcode == 0
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
    wait_until(lambda: account(tmp_path, messages).lost == 0)
    loader.terminate()
    loader.join(60)
    assert loader.exitcode == 0
    assert account(tmp_path, messages) == EXACT
    assert {row["partition"] for row in landed(tmp_path)} == {0, 1, 2, 3}


def test_stopped_gracefully_it_lands_and_acknowledges_what_it_has(broker, tmp_path):
    topic = new_topic("drain")
    messages = events(1000)
    loader = start(broker, topic, tmp_path, Plan(until_caught_up=False, flush_rows=100_000))
    send(broker, topic, messages)
    time.sleep(0.5)
    loader.terminate()
    loader.join(30)
    assert loader.exitcode == 0
    finish(broker, topic, tmp_path)
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
