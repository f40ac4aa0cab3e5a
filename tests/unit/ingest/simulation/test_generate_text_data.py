"""Notes say what the readings say, but for the labelled ones."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import msgspec
import pandas as pd
import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.events import NOTES, Note
from ingest.simulation.catalogue import Profile
from ingest.simulation.event_log import EventLog
from ingest.simulation.generate_data import generate
from ingest.simulation.generate_text_data import TRUTH_COLUMNS, command
from ingest.simulation.notes import KINDS, product_name
from ingest.simulation.vocabulary import CATEGORY_WORDS

ENGLISH = re.compile(r"\b(the|of|in|on|and|is|we|from|to|got|count|shelf|one)\b", re.IGNORECASE)


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("world") / "events.ndjson"
    generate(Profile(stores=2, categories=5, products=4, days=100), seed=3, end=date(2026, 6, 30), out=out)
    return out


def run(out: Path, *options: str) -> Result:
    return CliRunner().invoke(command, ["--out", str(out), "--end", "2026-06-30", *options])


def read(out: Path) -> tuple[list[Note], pd.DataFrame]:
    """The notes of a file, each as its contract has it, and the truth."""
    now = datetime(2026, 6, 30, tzinfo=UTC)
    notes = [NOTES.decode(line, now) for line in out.read_bytes().splitlines()]
    assert all(isinstance(note, Note) for note in notes)
    assert {key for note in notes for key in json.loads(note.extra)} == {"quantity", "units_in"}
    truth = pd.read_csv(out.with_suffix(".truth") / "anomalies.csv", dtype=str, keep_default_na=False)
    assert tuple(truth.columns) == TRUTH_COLUMNS
    return [note for note in notes if isinstance(note, Note)], truth


def says(text: str, number: int) -> bool:
    return re.search(rf"(?<!\d){number}(?!\d)", text) is not None


@settings(max_examples=5)
@given(seed=st.integers(0, 2**63 - 1), share=st.sampled_from([0.0, 0.1, 0.5]))
def test_ordinary_notes_say_what_was_read_and_the_others_are_labelled(events, tmp_path_factory, seed, share):
    out = tmp_path_factory.mktemp("notes") / "notes.ndjson"
    result = run(out, "--events", str(events), "--count", "400", "--seed", str(seed), "--anomaly-share", str(share))
    assert result.exit_code == 0, result.output
    notes, truth = read(out)
    assert len(notes) == 400
    assert len(truth) == round(share * 400)
    assert [note.event_timestamp for note in notes] == sorted(note.event_timestamp for note in notes)
    text = {note.note_id: note.note for note in notes}
    assert len(text) == 400
    for row in truth.itertuples():
        assert text[row.note_id] == row.injected != row.original

    series = EventLog(events).series
    for note in notes:
        if note.note_id in set(truth["note_id"]):
            continue
        points = series[note.store_location, note.product_id]
        # the reading was at most an hour and a half before the note
        earliest = note.event_timestamp - timedelta(hours=1.5)
        near = [place for place, point in enumerate(points) if earliest <= point.timestamp < note.event_timestamp]
        levels = {points[place].quantity for place in near}
        rises = {points[place].quantity - points[place - 1].quantity for place in near if place}
        assert 0 in levels or any(says(note.note, number) for number in levels | rises if number > 0), note


def test_the_same_seed_gives_the_same_bytes(tmp_path):
    found = []
    for index, seed in enumerate(("5", "5", "6")):
        assert run(tmp_path / f"{index}.ndjson", "--seed", seed, "--count", "300").exit_code == 0
        found.append((tmp_path / f"{index}.ndjson").read_bytes())
    assert found[0] == found[1] != found[2]


def test_each_kind_is_what_its_label_says(events, tmp_path):
    out = tmp_path / "notes.ndjson"
    assert run(out, "--events", str(events), "--count", "1500", "--anomaly-share", "0.2").exit_code == 0
    notes, truth = read(out)
    by_kind: defaultdict[str, list[dict[str, str]]] = defaultdict(list)
    for row in truth.to_dict("records"):
        by_kind[row["kind"]].append(row)
    assert set(by_kind) == set(KINDS)
    assert max(map(len, by_kind.values())) - min(map(len, by_kind.values())) <= 3
    about = defaultdict(set)
    for note in notes:
        about[note.note].add(note.product_id)
    for row in by_kind["pasted_duplicate"]:
        assert about[row["injected"]] - {row["product_id"]}
    for row in by_kind["contact_details"]:
        assert re.search(r"@example\.com|555\)? 01\d\d", row["injected"], re.IGNORECASE)
    labelled = set(truth["note_id"])
    usual = {word for note in notes if note.note_id not in labelled for word in note.note.lower().split()}
    for row in by_kind["gibberish"]:
        assert set(row["injected"].lower().split()) - usual
    english = {name: sum(len(ENGLISH.findall(row[name])) for row in by_kind["wrong_language"]) for name in row}
    assert english["injected"] < english["original"] / 4
    for row in by_kind["quantity_mismatch"]:
        first, second = (re.findall(r"\d+", row[name]) for name in ("original", "injected"))
        assert sum(before != after for before, after in zip(first, second, strict=True)) == 1
    mentioned = re.compile("|".join(item for words in CATEGORY_WORDS.values() for item in words.items))
    own = {category: re.compile("|".join(words.items)) for category, words in CATEGORY_WORDS.items()}
    named = [row for row in by_kind["wrong_category"] if mentioned.search(row["injected"])]
    assert len(named) > len(by_kind["wrong_category"]) / 2
    assert not [row for row in named if own[row["category"]].search(row["injected"])]


def test_notes_read_like_many_hands_wrote_them(tmp_path):
    out = tmp_path / "notes.ndjson"
    assert run(out, "--count", "1000", "--anomaly-share", "0").exit_code == 0
    notes, _ = read(out)
    bare = {re.sub(r"\d+", "0", note.note) for note in notes}
    assert len(bare) > 950
    assert product_name("P0017", "Toys") == product_name("P0017", "Toys") != product_name("P0018", "Toys")


def test_products_of_an_unknown_category_get_plain_words(tmp_path):
    line = {
        "product_id": "X",
        "category": "deli",
        "store_location": "S",
        "quantity": 3,
        "price": 1,
        "event_timestamp": "2026-01-01T10:00:00Z",
    }
    (tmp_path / "own.ndjson").write_bytes(msgspec.json.encode(line) + b"\n")
    out = tmp_path / "notes.ndjson"
    assert run(out, "--events", str(tmp_path / "own.ndjson"), "--count", "1").exit_code == 0
    assert read(out)[0][0].category == "deli"


def test_nonsense_is_refused(events, tmp_path):
    (tmp_path / "mine.ndjson").write_text("mine")
    for out, options, message in (
        ("mine.ndjson", [], "--force"),
        ("notes.csv", [], "Name it .ndjson"),
        ("notes.ndjson", ["--count", "-5"], "-5"),
        ("notes.ndjson", ["--anomaly-share", "2"], "2"),
        ("notes.ndjson", ["--events", str(tmp_path / "none.ndjson")], "no such file"),
        ("notes.ndjson", ["--events", str(events), "--count", "1000000"], "fewer than"),
    ):
        result = run(tmp_path / out, *options)
        assert result.exit_code != 0
        assert message in result.output
    assert [path.name for path in tmp_path.iterdir()] == ["mine.ndjson"]
    assert (tmp_path / "mine.ndjson").read_text() == "mine"
