"""What was rejected can be seen in any terminal, and goes back into a file that loads once it is corrected."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pyarrow as pa
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.events import NOTES, READINGS
from ingest.landing import withdraw
from ingest.landing.commit import TIMESTAMP, to_table
from ingest.landing.commit import land as land_rows
from ingest.landing.printable import printable
from ingest.landing.quarantine import command
from tests.unit.ingest.landing.loading import load_file, load_lines
from tests.unit.ingest.test_events import EVENT

TOPIC = "persistent://public/default/readings"
GOOD = msgspec.json.encode(EVENT)


def quarantine(data_dir: Path, *arguments: object, exit_code: int = 0) -> str:
    result = CliRunner().invoke(command, [*map(str, arguments), "--data-dir", str(data_dir)])
    assert result.exit_code == exit_code, result.output
    return result.output


def land_messages(folder: Path, *messages: bytes, contract=READINGS) -> None:
    """Messages of a topic, as the loader lands them."""
    folder.mkdir(parents=True)
    count = len(messages)
    published = pa.array([datetime(2026, 6, 1, tzinfo=UTC)] * count, TIMESTAMP)
    ids = ([7] * count, list(range(count)), [-1] * count)
    land_rows(folder, TOPIC, 0, to_table(contract, TOPIC, 0, ids, published, messages))


def test_the_list_tells_source_place_reason_and_content_and_is_safe_to_show(tmp_path):
    load_lines(tmp_path, "shop.ndjson", GOOD, b"\x1b]0;owned\x07\x1b[31mred \xff\xe2\x80\xae", b'{"product_id":"P1"}')
    land_messages(tmp_path / "quarantine", b"of a topic")
    land_messages(tmp_path / "landing_notes", b"no note", contract=NOTES)
    shown = quarantine(tmp_path, "list")
    assert "shop.ndjson, line 2: not_utf8" in shown
    assert r"\x1b]0;owned\x07\x1b[31mred \xff\u202e" in shown
    assert "shop.ndjson, line 3: missing_field: category" in shown
    assert f"{TOPIC}, message 7:0:-1: not_json" in shown
    assert "no note" in shown
    assert all(character.isprintable() or character == "\n" for character in shown)
    assert shown.splitlines()[-1] == "4 rejected messages: 2 not_json, 1 not_utf8, 1 missing_field"


def test_the_list_can_be_narrowed_and_says_what_it_leaves_out(tmp_path):
    load_lines(tmp_path, "shop.ndjson", *[b"broken %d" % number for number in range(5)], b"{}")
    load_lines(tmp_path, "till.ndjson", b"other")
    few = quarantine(tmp_path, "list", "--source", "anywhere/shop.ndjson", "--reason", "not_json", "--limit", 2)
    assert "broken 1" in few
    assert "broken 2" not in few
    assert "5 rejected messages: 5 not_json" in few
    assert "--limit" in few
    assert "other" not in few
    assert quarantine(tmp_path / "nothing", "list") == "0 rejected messages\n"


def test_exported_lines_load_when_they_are_corrected(tmp_path):
    load_lines(tmp_path, "shop.ndjson", GOOD, b'{"product_id": "P1"', b"junk")
    out = tmp_path / "rejected.ndjson"
    output = quarantine(tmp_path, "export", "--out", out)
    assert f"inventory load --source {out}" in output
    assert out.read_bytes() == b'{"product_id": "P1"\njunk\n'
    with out.with_name("rejected.ndjson.reasons.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["line"], row["source"], row["source_line"]) for row in rows] == [
        ("1", "shop.ndjson", "2"),
        ("2", "shop.ndjson", "3"),
    ]
    assert all(row["reason"].startswith("not_json: ") for row in rows)
    out.write_bytes(GOOD + b"\n" + GOOD + b"\n")
    assert "landed 2 readings, quarantined 0" in load_file(out, tmp_path / "corrected").output


def test_lines_of_a_csv_file_stand_under_their_header(tmp_path):
    header = b'"product_id",category,store_location,quantity,price,event_timestamp'
    right = b"P1,Toys,Store_A,5,2.5,2026-01-01T00:00:00Z"
    wrong = right.replace(b",5,", b",five,")
    two_lines = wrong.replace(b"Toys", b'"Toys,\nsmall"')
    load_lines(tmp_path, "shop.csv", header, right, wrong, two_lines, wrong)
    assert "Name it" in quarantine(tmp_path, "export", "--out", tmp_path / "x.ndjson", exit_code=1)
    out = tmp_path / "rejected.csv"
    quarantine(tmp_path, "export", "--out", out)
    assert out.read_bytes() == b"\n".join([header, wrong, two_lines, wrong]) + b"\n"
    with out.with_name("rejected.csv.reasons.csv").open(newline="") as file:
        assert [(row["line"], row["source_line"]) for row in csv.DictReader(file)] == [
            ("2", "3"),
            ("3", "4"),
            ("5", "6"),
        ]
    out.write_bytes(out.read_bytes().replace(b"five", b"5"))
    assert "landed 3 readings, quarantined 0" in load_file(out, tmp_path).output


def test_lines_in_another_encoding_are_shown_and_exported_as_text(tmp_path):
    """The file says which encoding it is in; a few of its lines by themselves may not."""
    header = "product_id,category,store_location,quantity,price,event_timestamp"
    wrong = "P1,Spielzeug,München,fünf,2.5,2026-01-01T00:00:00Z"
    for encoding in ("utf-16", "windows-1252"):
        data_dir = tmp_path / encoding
        data_dir.mkdir()
        (data_dir / "shop.csv").write_text(f"{header}\r\n{wrong}\r\n", encoding=encoding, newline="")
        load_file(data_dir / "shop.csv", data_dir)
        assert f"    {wrong}\n" in quarantine(data_dir, "list")
        out = data_dir / "rejected.csv"
        quarantine(data_dir, "export", "--out", out)
        assert out.read_text(encoding="utf-8") == f"{header}\n{wrong}\n"


def test_lines_of_different_forms_are_not_put_into_one_file(tmp_path):
    header = b"product_id,category,store_location,quantity,price,event_timestamp"
    load_lines(tmp_path, "shop.csv", header, b"P1,Toys")
    load_lines(tmp_path, "shop.ndjson", b"junk")
    output = quarantine(tmp_path, "export", "--out", tmp_path / "x.csv", exit_code=1)
    assert "--source" in output
    assert ".csv: shop.csv" in output
    assert ".ndjson: shop.ndjson" in output
    quarantine(tmp_path, "export", "--source", "shop.csv", "--out", tmp_path / "x.csv")
    before = (tmp_path / "x.csv").read_bytes()
    assert "corrections" in quarantine(tmp_path, "export", "--out", tmp_path / "x.csv", exit_code=1)
    assert (tmp_path / "x.csv").read_bytes() == before
    assert "no rejected message fits" in quarantine(
        tmp_path, "export", "--reason", "none", "--out", tmp_path / "y.csv", exit_code=1
    )


def test_a_message_over_several_lines_becomes_one_line_with_the_same_json(tmp_path):
    message = msgspec.json.format(msgspec.json.encode({**EVENT, "quantity": "five"}), indent=2)
    land_messages(tmp_path / "landing", message)
    quarantine(tmp_path, "export", "--source", "readings", "--out", tmp_path / "x.ndjson")
    (line,) = (tmp_path / "x.ndjson").read_bytes().splitlines()
    assert msgspec.json.decode(line) == msgspec.json.decode(message)


def test_notes_are_exported_by_themselves_and_loaded_as_notes(tmp_path):
    land_messages(tmp_path / "landing_notes", b"no note", contract=NOTES)
    output = quarantine(tmp_path, "export", "--out", tmp_path / "notes.ndjson")
    assert output.endswith("notes.ndjson --notes\n")
    land_messages(tmp_path / "landing", b"no reading")
    assert "several forms" in quarantine(tmp_path, "export", "--out", tmp_path / "all.ndjson", exit_code=1)


def test_what_is_withdrawn_is_not_listed(tmp_path):
    load_lines(tmp_path, "shop.ndjson", GOOD, b"junk")
    arguments = ["--source", "shop.ndjson", "--data-dir", str(tmp_path)]
    assert CliRunner().invoke(withdraw.command, arguments).exit_code == 0
    assert quarantine(tmp_path, "list") == "0 rejected messages\n"


@given(st.one_of(st.binary(), st.text()))
def test_whatever_the_content_only_harmless_characters_are_shown(content):
    assert printable(content).isprintable()
    assert len(printable(content)) < 1000


LINES = st.lists(st.binary(min_size=1).filter(lambda line: b"\n" not in line and line.strip()), min_size=1)


@settings(max_examples=15)
@given(lines=LINES)
def test_lines_that_are_exported_and_loaded_uncorrected_are_rejected_for_the_same_reasons(lines):
    with CliRunner().isolated_filesystem():
        load_lines(Path(), "shop.ndjson", *[b'{"not json ' + line for line in lines])
        quarantine(Path(), "export", "--out", "again.ndjson")
        load_file(Path("again.ndjson"), Path("again"))
        rows = [quarantine(folder, "list", "--limit", 10**6) for folder in (Path(), Path("again"))]
        first, second = ([row.split(": ", 1)[-1] for row in text.splitlines()] for text in rows)
        assert first == second
