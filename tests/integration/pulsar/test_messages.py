"""What arrives over a real topic, whatever producers do: contents, order, repeats, clocks, compression, kinds."""

from __future__ import annotations

import re
from collections import defaultdict

import msgspec
import pulsar
import pytest

from dev import pulsar_broker as brokers
from ingest.landing.commit import MESSAGE_ID

from .loading import EXACT, account, events, finish, landed, new_topic, run, send


def test_columns_and_ids_are_the_brokers(broker, tmp_path):
    topic = new_topic("columns")
    messages = events(100)
    send(broker, topic, messages)
    finish(broker, topic, tmp_path)
    assert account(tmp_path, messages) == EXACT
    rows = landed(tmp_path)
    assert {(row["topic"], row["partition"]) for row in rows} == {(topic, 0)}
    assert [row["batch_index"] for row in rows] == [number % 40 for number in range(100)]
    assert rows[9]["raw"] == b"broken 9"
    assert rows[9]["error"].startswith("not_json: ")
    assert rows[9]["product_id"] is None
    assert rows[0]["raw"] is None
    (file,) = tmp_path.glob("landing/*/*.parquet")
    assert file.parent.name == f"publish_date={rows[0]['publish_time']:%Y-%m-%d}"


def test_a_products_events_stay_in_order_over_partitions(broker, tmp_path):
    topic = new_topic("order")
    brokers.create_topic(broker, topic, 3)
    messages = [message for message in events(2000) if b"broken" not in message[1]]
    send(broker, topic, messages)
    finish(broker, topic, tmp_path)
    levels, partitions = defaultdict(list), defaultdict(set)
    for row in landed(tmp_path):
        levels[row["product_id"]].append(row["quantity"])
        partitions[row["product_id"]].add(row["partition"])
    assert all(quantities == sorted(quantities) for quantities in levels.values())
    assert all(len(places) == 1 for places in partitions.values())
    assert len(set.union(*partitions.values())) == 3


def test_an_event_published_twice_is_two_messages(broker, tmp_path):
    topic = new_topic("twice")
    messages = events(200)
    for _ in range(2):
        send(broker, topic, messages)
    finish(broker, topic, tmp_path)
    assert account(tmp_path, messages * 2) == EXACT


def test_compressed_batches_and_single_messages(broker, tmp_path):
    topic = new_topic("compressed")
    messages = events(600)
    kinds = pulsar.CompressionType
    for index, kind in enumerate([kinds.LZ4, kinds.ZSTD, kinds.SNAPPY, kinds.ZLib, kinds.NONE]):
        send(broker, topic, messages[index * 100 : index * 100 + 100], compression_type=kind)
    send(broker, topic, messages[500:], batching_enabled=False)
    finish(broker, topic, tmp_path)
    assert account(tmp_path, messages) == EXACT
    finish(broker, topic, tmp_path)
    assert account(tmp_path, messages) == EXACT


def test_clocks_at_1970_and_2999_and_further_keys(broker, tmp_path):
    topic = new_topic("clocks")
    event = msgspec.json.decode(events(1)[0][1])
    changes = [{"event_timestamp": f"{year}-01-01T00:00:00Z"} for year in (1970, 2999)] + [{"shelf": 7}]
    send(broker, topic, [("P1", msgspec.json.encode(event | change)) for change in changes] + [("P1", b"")])
    finish(broker, topic, tmp_path)
    past, future, further, empty = landed(tmp_path)
    assert past["error"].startswith("implausible_timestamp: ")
    assert b"1970" in past["raw"]
    assert future["error"].startswith("future_timestamp: ")
    assert b"2999" in future["raw"]
    assert further["extra"] == '{"shelf":7}'
    assert (empty["error"].partition(":")[0], empty["raw"]) == ("not_json", b"")


NOTE = {"note_id": "N1", "product_id": "P1", "category": "Toys", "store_location": "Store_A", "note": "box torn"}
ACTION = {"action_id": "A1", "episode_id": "e1", "action": "assign", "person": "Anna"}
NO_SNOOZE = {"snoozed_until": None, "assignee": "Ben", "comment": None}


@pytest.mark.parametrize(
    ("kind", "event", "optional", "folder"),
    [("notes", NOTE, {}, "landing_notes"), ("actions", ACTION, NO_SNOOZE, "landing_actions_loaded")],
)
def test_other_kinds_land_beside_the_readings(broker, tmp_path, kind, event, optional, folder):
    topic = new_topic(kind)
    event = event | {"event_timestamp": "2026-06-30T10:00:00Z"} | optional
    send(broker, topic, [("P1", msgspec.json.encode(event)), events(1)[0]])
    variable = {f"PULSAR_{kind.upper()}_TOPIC": topic}
    result = run(broker, "load", f"--{kind}", "--until-caught-up", data_dir=tmp_path, **variable)
    assert result.returncode == 0, result.stderr
    assert f"landed 1 {kind}, quarantined 1 (1 missing_field)" in result.stdout
    good, bad = landed(tmp_path, folder)
    assert list(good) == ["topic", "partition", *MESSAGE_ID, "publish_time", *event, "extra", "error", "raw"]
    assert {name: good[name] for name in event if name != "event_timestamp"} == {
        name: value for name, value in event.items() if name != "event_timestamp"
    }
    assert bad["error"] == f"missing_field: {next(iter(event))}"


def test_generated_data_reach_the_topic_and_land(broker, tmp_path):
    topic = new_topic("generated")
    published = run(
        broker, "generate-data", "--profile", "tiny", "--end", "2026-06-30", "--to-pulsar", "--topic", topic,
        data_dir=tmp_path,
    )  # fmt: skip
    assert published.returncode == 0, published.stderr
    loaded = run(broker, "load", "--topic", topic, "--until-caught-up", data_dir=tmp_path)
    assert loaded.returncode == 0, loaded.stderr
    rows = landed(tmp_path)
    assert f"{len(rows):,} messages published" in published.stdout
    assert len({tuple(row[name] for name in MESSAGE_ID) for row in rows}) == len(rows)
    assert sum(row["error"] is not None for row in rows) == 13


def test_rate_holds_events_back(broker, tmp_path):
    """A busy machine can only be slower, so the least time is certain."""
    topic = new_topic("rate")
    send(broker, topic, events(800), rate=400)
    finish(broker, topic, tmp_path)
    times = [row["publish_time"] for row in landed(tmp_path)]
    assert (times[-1] - times[0]).total_seconds() >= 0.9 * 800 / 400


def test_status_tells_what_is_not_landed(broker, tmp_path):
    topic = new_topic("status")
    brokers.create_topic(broker, topic, 2)
    send(broker, topic, events(100))
    before = run(broker, "status", data_dir=tmp_path, PULSAR_TOPIC=topic)
    finish(broker, topic, tmp_path)
    after = run(broker, "status", data_dir=tmp_path, PULSAR_TOPIC=topic)
    send(broker, topic, events(30))
    later = run(broker, "status", data_dir=tmp_path, PULSAR_TOPIC=topic)
    assert re.search(r"waiting in Pulsar +100 messages, the oldest published \d+ (seconds|minutes) ago", before.stdout)
    assert re.search(r"waiting in Pulsar +nothing", after.stdout)
    assert re.search(r"waiting in Pulsar +30 messages", later.stdout)
