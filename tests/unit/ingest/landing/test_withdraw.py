"""Which messages a withdrawal names, and that a second one takes it back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import msgspec
import pyarrow as pa
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from ingest.durable_files import file_lock
from ingest.events import READINGS
from ingest.landing.commit import TIMESTAMP, land, to_table
from ingest.landing.withdraw import command
from ingest.landing.withdrawals import MessageRange, Withdrawals, in_ranges, record, recorded, withdrawals
from tests.unit.ingest.landing.loading import load_file, load_lines
from tests.unit.ingest.test_events import EVENT

TOPIC = "persistent://public/default/readings"
GOOD = msgspec.json.encode(EVENT)


def withdraw(data_dir: Path, *arguments: str, exit_code: int = 0) -> str:
    result = CliRunner().invoke(command, [*arguments, "--data-dir", str(data_dir)])
    assert result.exit_code == exit_code, result.output
    return result.output


def land_topic(data_dir: Path, *ledger_ids: int, published: datetime) -> None:
    landing = data_dir / "landing"
    count = len(ledger_ids)
    with file_lock(landing, "landing"):
        ids = (ledger_ids, list(range(count)), [-1] * count)
        clock = pa.array([published] * count, TIMESTAMP)
        land(landing, TOPIC, 0, to_table(READINGS, TOPIC, 0, ids, clock, [GOOD] * count))


def withdrawn_ids(data_dir: Path) -> list[tuple[int, int]]:
    condition = in_ranges(withdrawals(data_dir).ranges)
    return duckdb.sql(
        f"select ledger_id, entry_id from read_parquet('{data_dir}/landing/*/*.parquet') where {condition} order by all"
    ).fetchall()


def test_a_file_is_withdrawn_and_restored_by_the_same_command(tmp_path):
    load_lines(tmp_path, "it's.ndjson", GOOD, b"junk")
    load_lines(tmp_path, "other.ndjson", GOOD)
    assert "withdrew 1 readings and 1 rejected messages" in withdraw(tmp_path, "--source", "folder/it's.ndjson")
    assert withdrawn_ids(tmp_path) == [(1, 1), (1, 2)]
    assert "restored 1 readings and 1 rejected messages" in withdraw(tmp_path, "--source", "it's.ndjson")
    assert withdrawn_ids(tmp_path) == []
    assert [path.name for path in sorted((tmp_path / "withdrawals").glob("*.json"))] == ["000001.json", "000002.json"]


def test_lines_that_a_withdrawn_file_grew_by_are_not_withdrawn(tmp_path):
    load_lines(tmp_path, "shop.ndjson", GOOD)
    withdraw(tmp_path, "--source", "shop.ndjson")
    load_lines(tmp_path, "shop.ndjson", GOOD, GOOD)
    assert withdrawn_ids(tmp_path) == [(1, 1)]
    withdraw(tmp_path, "--source", "shop.ndjson")
    assert withdrawn_ids(tmp_path) == [(1, 1), (1, 2)]
    withdraw(tmp_path, "--source", "shop.ndjson")
    assert withdrawn_ids(tmp_path) == []


def test_of_several_files_of_one_name_the_ledger_names_one(tmp_path):
    load_lines(tmp_path, "shop.ndjson", GOOD)
    load_lines(tmp_path, "shop.ndjson", b"junk", GOOD)
    output = withdraw(tmp_path, "--source", "shop.ndjson", exit_code=1)
    assert "--ids 1   1 readings and 0 rejected" in output
    assert "--ids 2   1 readings and 1 rejected" in output
    withdraw(tmp_path, "--source", "shop.ndjson", "--ids", "2")
    assert withdrawn_ids(tmp_path) == [(2, 1), (2, 2)]
    assert "ids 2:1-2" in withdraw(tmp_path, "--source", "shop.ndjson", exit_code=1).split("withdrawn")[0]


def test_of_several_files_of_one_name_the_path_names_one(tmp_path):
    for shop, count in (("north", 1), ("south", 2)):
        source = tmp_path / shop / "stock.ndjson"
        source.parent.mkdir()
        source.write_bytes((GOOD + b"\n") * count + shop.encode())
        load_file(source, tmp_path)
    south = str(tmp_path / "south" / "stock.ndjson")
    assert "withdrew 2 readings" in withdraw(tmp_path, "--source", south)
    assert withdrawn_ids(tmp_path) == [(2, 1), (2, 2), (2, 3)]
    assert "restored 2 readings" in withdraw(tmp_path, "--source", south)
    for unknown in ("stock.ndjson", str(tmp_path / "stock.ndjson")):
        output = withdraw(tmp_path, "--source", unknown, exit_code=1)
        first, second = output.splitlines()[-2:]
        assert f"from {tmp_path}/north/stock.ndjson" in first
        assert f"from {south}" in second
        assert "UTC" in second
    assert withdrawn_ids(tmp_path) == []


def test_another_file_of_the_name_is_not_taken_for_the_one_that_was_landed(tmp_path):
    load_lines(tmp_path, "stock.ndjson", GOOD)
    other = tmp_path / "other" / "stock.ndjson"
    assert "withdrew" in withdraw(tmp_path, "--source", str(other))  # it was moved since
    withdraw(tmp_path, "--source", str(other))
    other.parent.mkdir()
    other.write_bytes(b"another")
    output = withdraw(tmp_path, "--source", str(other), exit_code=1)
    assert "--ids 1   1 readings and 0 rejected messages (ids 1:1-1, landed until" in output
    assert withdrawn_ids(tmp_path) == []


def test_messages_of_a_topic_are_named_by_ledger_and_entry(tmp_path):
    land_topic(tmp_path, 5, 5, 5, 6, published=datetime(2026, 6, 1, tzinfo=UTC))
    withdraw(tmp_path, "--source", "readings", "--ids", "5:1-7", "--ids", "6")
    assert withdrawn_ids(tmp_path) == [(5, 1), (5, 2), (6, 3)]
    assert "together with others" in withdraw(tmp_path, "--source", TOPIC, "--ids", "5:2", exit_code=1)
    withdraw(tmp_path, "--source", TOPIC)  # not all of it is withdrawn yet
    assert withdrawn_ids(tmp_path) == [(5, 0), (5, 1), (5, 2), (6, 3)]
    assert "restored" in withdraw(tmp_path, "--source", TOPIC)
    assert withdrawn_ids(tmp_path) == []


def test_a_cluster_that_gives_the_same_ids_again_lands_messages_that_are_not_withdrawn(tmp_path):
    before = datetime(2026, 6, 1, tzinfo=UTC)
    land_topic(tmp_path, 5, published=before)
    withdraw(tmp_path, "--source", TOPIC)
    land_topic(tmp_path, 5, published=before + timedelta(days=1))
    assert withdrawn_ids(tmp_path) == [(5, 0)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--source", "elsewhere.ndjson"], "holds no messages of elsewhere.ndjson (found: shop.ndjson)"),
        (["--source", "shop.ndjson", "--ids", "3"], "no landed message has the id 3. It landed:\n  --ids 1 "),
    ],
)
def test_what_is_not_landed_is_named_with_what_is(tmp_path, arguments, message):
    load_lines(tmp_path, "shop.ndjson", GOOD)
    assert message in withdraw(tmp_path, *arguments, exit_code=1)
    assert not list(tmp_path.glob("withdrawals/*.json"))


def test_ids_in_another_form_are_refused(tmp_path):
    load_lines(tmp_path, "shop.ndjson", GOOD)
    assert "LEDGER:FIRST-LAST" in withdraw(tmp_path, "--source", "shop.ndjson", "--ids", "1-2", exit_code=2)


def test_two_withdrawals_do_not_run_at_once(tmp_path):
    load_lines(tmp_path, "shop.ndjson", GOOD)
    with file_lock(tmp_path / "withdrawals", "withdrawing"):
        assert "is withdrawing here" in withdraw(tmp_path, "--source", "shop.ndjson", exit_code=1)


RANGES = st.builds(
    MessageRange,
    topic=st.text(min_size=1).filter(lambda text: text.isprintable()),
    partition=st.integers(0, 9),
    ledger_id=st.integers(0, 2**40),
    first_entry_id=st.integers(0, 2**40),
    last_entry_id=st.integers(0, 2**40),
    published_until=st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),
)


@given(applied=st.builds(Withdrawals, st.integers(1, 999), st.lists(RANGES, max_size=5)))
def test_raw_notes_the_ranges_as_they_are(tmp_path_factory, applied):
    raw = tmp_path_factory.mktemp("raw")
    record(raw, applied)
    assert recorded(raw) == applied
