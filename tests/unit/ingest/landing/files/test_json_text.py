"""JSON in the forms that interfaces and exports give it."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.landing.files.json_text import json_values
from tests.unit.ingest.landing.loading import gzipped, load_bytes, load_file, load_text, zipped
from tests.unit.ingest.test_events import EVENT

EVENTS = [{**EVENT, "quantity": quantity, "category": 'To"ys\\ [1]{'} for quantity in range(3)]
ONE_PER_LINE = "\n".join(map(json.dumps, EVENTS))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("e.ndjson", ONE_PER_LINE),
        ("e.json", ONE_PER_LINE),
        ("e.json", json.dumps(EVENTS)),
        ("e.ndjson", json.dumps(EVENTS)),
        ("e.json", "\ufeff" + json.dumps(EVENTS, indent=2)),
        ("e.json", "\n".join(json.dumps(event, indent=2) for event in EVENTS)),
        ("e.json", json.dumps({"count": 3, "next": None, "errors": [], "events": EVENTS})),
        ("e.json", json.dumps({"data": EVENTS, "page": {"number": 1}}, indent=1)),
    ],
    ids=[
        "lines",
        "lines in .json",
        "list",
        "list in .ndjson",
        "indented list",
        "indented",
        "wrapped",
        "indented wrapped",
    ],
)
def test_forms(tmp_path, name, text):
    loaded = load_text(tmp_path, name, text)
    assert [(row["entry_id"], row["quantity"]) for row in loaded.rows] == [(1, 0), (2, 1), (3, 2)], loaded.output
    assert loaded.exit_code == 0


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "utf-32-be", "utf-8-sig"])
@pytest.mark.parametrize("text", [ONE_PER_LINE, json.dumps(EVENTS)], ids=["lines", "list"])
def test_encodings(tmp_path, encoding, text):
    loaded = load_bytes(tmp_path, "e.json", text.replace("Store_A", "Köln").encode(encoding))
    assert loaded.column("store_location") == ["Köln"] * 3


def test_two_lists_in_one_object_are_no_wrapper(tmp_path):
    loaded = load_text(tmp_path, "e.json", json.dumps({"old": EVENTS, "new": EVENTS}))
    assert [row["error"] for row in loaded.rows] == ["missing_field: product_id"]


@pytest.mark.parametrize("name", ["e.json", "e.ndjson"])
@pytest.mark.parametrize(
    "text",
    [
        '{"events": []}',
        '{"events": [ ]}\n',
        '{"events": null}',
        '\ufeff{"count": 0, "next": null, "errors": [], "events": []}',
        "null",
        "[]",
    ],
)
def test_what_holds_no_events_says_so(tmp_path, name, text):
    loaded = load_text(tmp_path, name, text)
    assert loaded.exit_code == 1
    assert "holds no rows" in loaded.output
    assert not loaded.rows


@pytest.mark.parametrize("name", ["e.json", "e.ndjson"])
def test_a_key_that_is_not_utf8_costs_its_message_only(tmp_path, name):
    loaded = load_bytes(tmp_path, name, b'{"eve\xffnts": []}\n' + json.dumps(EVENTS[1]).encode())
    assert loaded.column("quantity") == [1]
    assert [row["raw"] for row in loaded.bad] == [b'{"eve\xffnts": []}']
    assert load_bytes(tmp_path, f"other.{name}", b'{"eve\xffnts": []}').exit_code == 1


def test_an_empty_page_after_others_holds_nothing_and_what_names_something_is_kept(tmp_path):
    pages = [{"events": EVENTS}, {"events": []}, {"sku": "A1", "lots": []}]
    loaded = load_text(tmp_path, "e.json", "\n".join(json.dumps(page) for page in pages))
    assert loaded.column("quantity") == [0, 1, 2]
    assert [row["raw"] for row in loaded.bad] == [b'{"sku": "A1", "lots": []}']


def test_an_event_with_a_list_of_its_own_is_no_wrapper(tmp_path):
    loaded = load_text(tmp_path, "e.json", json.dumps({**EVENTS[2], "lots": [{"lot": 1}]}))
    assert loaded.column("quantity") == [2]
    assert loaded.column("extra") == ['{"lots":[{"lot": 1}]}']


def test_a_fractional_quantity_says_how_to_count_it(tmp_path):
    line = json.dumps({**EVENTS[0], "quantity": 2.5})
    loaded = load_text(tmp_path, "e.ndjson", line)
    assert [row["error"] for row in loaded.bad] == [
        "fractional_quantity: quantity: 2.5 is not whole; --quantity-scale counts in parts of a unit"
    ]
    assert load_text(tmp_path, "e.ndjson", line, "--quantity-scale", "2").column("quantity") == [5]


def test_what_is_no_event_in_a_list_is_quarantined_as_it_stood(tmp_path):
    text = f'[{json.dumps(EVENTS[0])}, 7, "x", {{"a": [1]}}, [2], {json.dumps(EVENTS[1])}]'
    loaded = load_text(tmp_path, "e.json", text)
    assert [(row["entry_id"], row["quantity"]) for row in loaded.good] == [(1, 0), (5, 1)]
    assert [row["raw"] for row in loaded.bad] == [b'7, "x"', b'{"a": [1]}', b"[2]"]


def test_a_list_that_grew_lands_what_is_new(tmp_path):
    load_text(tmp_path, "e.json", json.dumps(EVENTS[:2], indent=1))
    loaded = load_text(tmp_path, "e.json", json.dumps(EVENTS, indent=1))
    assert [(row["ledger_id"], row["entry_id"]) for row in loaded.rows] == [(1, 1), (1, 2), (1, 3)]


def test_a_list_that_is_cut_off_lands_what_is_whole_and_the_rest_later(tmp_path):
    text = json.dumps(EVENTS)
    cut = load_text(tmp_path, "e.json", text[:-40])
    assert cut.exit_code == 1
    assert "the list is never closed" in cut.output
    assert cut.column("quantity") == [0, 1]
    whole = load_text(tmp_path, "e.json", text)
    assert whole.exit_code == 0
    assert [(row["ledger_id"], row["entry_id"]) for row in whole.rows] == [(1, 1), (1, 2), (1, 3)]


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@given(
    st.lists(st.dictionaries(st.text(max_size=3), values, max_size=3)),
    st.integers(1, 40),
    st.booleans(),
    st.none() | st.just(1),
)
def test_values_are_found_however_they_are_cut_into_pieces(expected, size, is_list, indent):
    text = (
        json.dumps(expected, indent=indent)
        if is_list
        else "\n".join(json.dumps(one, indent=indent) for one in expected)
    )
    content = text.encode()
    pieces = (content[start : start + size] for start in range(0, len(content), size))
    found = list(json_values(pieces, "e.json", is_list))
    assert [json.loads(value) for value in found] == expected


@pytest.mark.parametrize("pack", [gzipped, lambda content: zipped("any/e.ndjson", content)], ids=["gzip", "zip"])
def test_packed(tmp_path, pack):
    name = "e.ndjson.gz" if pack is gzipped else "e.zip"
    loaded = load_bytes(tmp_path, name, pack(ONE_PER_LINE.encode()))
    assert loaded.column("quantity") == [0, 1, 2]
    assert load_file(tmp_path / name, tmp_path / "data").output.endswith("all of it was landed before\n")


def test_gzip_that_is_cut_off_is_an_error_and_what_is_whole_lands_once(tmp_path):
    content = b"".join(
        msgspec.json.encode({**EVENT, "quantity": n, "category": f"{n * 7919 % 10007}"}) + b"\n" for n in range(20_000)
    )
    packed = gzipped(content)
    cut = load_bytes(tmp_path, "e.ndjson.gz", packed[: len(packed) // 2])
    assert cut.exit_code == 1
    assert "cut off or damaged" in cut.output
    assert 5_000 < len(cut.good) < 15_000
    assert load_file(tmp_path / "e.ndjson.gz", tmp_path / "data").rows == cut.rows
    whole = load_bytes(tmp_path, "e.ndjson.gz", packed)
    assert whole.exit_code == 0
    assert [(row["ledger_id"], row["entry_id"], row["quantity"]) for row in whole.rows] == [
        (1, n + 1, n) for n in range(20_000)
    ]


@pytest.mark.parametrize("broken", [b"\0", b"\0" * 4096, b'{"product_id":"\0"}', b"junk\0" * 3])
def test_a_nul_costs_its_line_only(tmp_path, broken):
    good = json.dumps(EVENTS[0]).encode()
    loaded = load_bytes(tmp_path, "e.ndjson", b"\n".join([broken, good, broken]))
    assert [row["entry_id"] for row in loaded.good] == [2], loaded.output
    assert [row["raw"] for row in loaded.bad] == [broken, broken]


def test_an_archive_holds_one_file(tmp_path):
    import zipfile

    with zipfile.ZipFile(tmp_path / "e.zip", "w") as archive:
        archive.writestr("a.csv", "x")
        archive.writestr("b.csv", "x")
        archive.writestr("__MACOSX/._a.csv", "x")
    loaded = load_file(tmp_path / "e.zip", tmp_path / "data")
    assert loaded.exit_code == 1
    assert "holds a.csv, b.csv" in loaded.output
    assert "cut off or damaged" in load_bytes(tmp_path, "e.zip", zipped("e.csv", b"x" * 999)[:-30]).output
    deflate64 = zipped("e.csv", b"x" * 999).replace(b"\x14\0\0\0\x08\0", b"\x14\0\0\0\x09\0")
    assert "Unpack it and load what is in it" in load_bytes(tmp_path, "e.zip", deflate64).output
