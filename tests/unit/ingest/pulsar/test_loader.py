"""What a loader makes of the ids that it is given, in whatever order and cut."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from typing import NamedTuple

import msgspec
import pulsar
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.events import READINGS
from ingest.landing.commit import MESSAGE_ID, MessageId, land, landed_files, message_id, not_landed, to_table
from ingest.pulsar.loader import _identities, _in_order_after
from tests.unit.ingest.test_events import EVENT

TOPIC = "persistent://public/default/readings"
ids = st.builds(MessageId, st.integers(0, 2), st.integers(0, 3), st.integers(-1, 3))
PUBLISHED = datetime(2026, 11, 24, 23, 59, 59, tzinfo=UTC)


class Received(NamedTuple):
    """A message as the client hands it over."""

    id: MessageId
    published: int

    def message_id(self) -> pulsar.MessageId:
        return pulsar.MessageId(0, *self.id)._msg_id

    def publish_timestamp(self) -> int:
        return self.published


def rows(*messages: MessageId, published: list[datetime] | None = None) -> pa.Table:
    timestamps = pa.array(published or [PUBLISHED] * len(messages), pa.timestamp("ms", "UTC"))
    columns = tuple([getattr(id_, name) for id_ in messages] for name in MESSAGE_ID)
    return to_table(READINGS, TOPIC, 0, columns, timestamps, [msgspec.json.encode(EVENT)] * len(messages))


def ids_of(table: pa.Table) -> list[MessageId]:
    return [message_id(table, row) for row in range(table.num_rows)]


runs = st.tuples(st.integers(0, 2), st.integers(0, 3), st.integers(-1, 3), st.integers(1, 4))


@given(st.lists(runs, min_size=1, max_size=6))
def test_identities_are_those_of_each_message(runs):
    """Also where an entry goes on at the index at which the one before it was cut short. (An entry that comes back
    after another one starts at its first message again: a broker delivers entries in order.)"""
    runs = [
        (*run[:2], 0 if run[:2] in [earlier[:2] for earlier in runs[:number]] else run[2], run[3])
        for number, run in enumerate(runs)
    ]
    places = [MessageId(ledger, entry, index + step) for ledger, entry, index, length in runs for step in range(length)]
    entries: dict[tuple[int, int], int] = {}
    messages = [Received(id_, entries.setdefault(id_[:2], 1000 + len(entries))) for id_ in places]
    (ledgers, entry_ids, indexes), published = _identities(messages)
    assert [MessageId(*id_) for id_ in zip(ledgers, entry_ids, indexes, strict=True)] == places
    assert published.cast(pa.int64()).to_pylist() == [message.published for message in messages]


@given(ids | st.none(), st.lists(ids, min_size=1, max_size=6))
def test_in_order_means_newer_than_the_mark_and_than_each_before(mark, places):
    seen = [mark, *places] if mark else places
    expected = all(one < other for one, other in pairwise(seen))
    assert _in_order_after(mark, rows(*places)) == expected


def test_what_is_landed_or_doubled_is_dropped_and_the_rest_is_in_order(tmp_path):
    first = [MessageId(1, 0, index) for index in range(4)]
    land(tmp_path, TOPIC, 0, rows(*first))
    again = [MessageId(1, 1, 1), *first[2:], MessageId(1, 1, 0), MessageId(1, 1, 1), MessageId(0, 9, 0)]
    fresh = not_landed(tmp_path, TOPIC, 0, rows(*again))
    assert ids_of(fresh) == [MessageId(0, 9, 0), MessageId(1, 1, 0), MessageId(1, 1, 1)]
    assert not_landed(tmp_path, TOPIC, 1, rows(*first)).num_rows == 4  # another partition's


def test_a_cluster_made_anew_gives_ids_again_and_both_messages_land(tmp_path):
    """Ids alone would take the new messages for those landed before: lost; and files of one name would replace."""
    old = [MessageId(3, 0, index) for index in range(3)]
    land(tmp_path, TOPIC, 0, rows(*old))
    later = rows(*old, published=[PUBLISHED.replace(microsecond=5000)] * 3)
    fresh = not_landed(tmp_path, TOPIC, 0, later)
    assert fresh.num_rows == 3
    land(tmp_path, TOPIC, 0, fresh)
    files = landed_files(tmp_path, TOPIC)
    assert [(file.first, file.last) for file in files] == [(old[0], old[-1])] * 2
    assert not_landed(tmp_path, TOPIC, 0, later).num_rows == 0


def test_each_message_lands_under_its_own_publish_date(tmp_path):
    """However batches are cut, a message that arrives again belongs to the same folder."""
    midnight = datetime(2026, 11, 25, tzinfo=UTC)
    messages = [MessageId(1, 0, index) for index in range(4)]
    table = rows(*messages, published=[PUBLISHED, midnight, PUBLISHED, midnight])
    one, other = sorted(land(tmp_path, TOPIC, 0, table))
    assert (one.parent.name, other.parent.name) == ("publish_date=2026-11-24", "publish_date=2026-11-25")
    other.unlink()  # a kill between the two: the mark is behind a message that is not landed
    assert ids_of(not_landed(tmp_path, TOPIC, 0, table)) == [messages[1], messages[3]]


def test_a_failed_write_leaves_nothing(tmp_path, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ingest.durable_files.os.fsync", full)
    (tmp_path / "publish_date=2026-11-24").mkdir()
    with pytest.raises(OSError, match="No space left"):
        land(tmp_path, TOPIC, 0, rows(MessageId(1, 0, 0)))
    assert not list(tmp_path.glob("*/*"))
