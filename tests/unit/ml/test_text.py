"""Texts that do not belong where they stand are found by what was written before, and the others are left alone."""

from __future__ import annotations

import json
import random
import time

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.frames import TEXT_DETECTION_COLUMNS
from ml.text import detect_text
from ml.text.command import command
from ml.text.rules import contact_details, markup, mojibake

COLOURS = ("RED", "BLUE", "GREEN", "WHITE", "PINK", "IVORY")
THINGS = ("HEART T-LIGHT HOLDER", "METAL SIGN", "CAKE STAND", "LUNCH BAG", "DOORMAT", "TEA TOWEL", "BIRD ORNAMENT")
REMARKS = ("damaged", "wrong code", "check", "?", "lost", "thrown away", "amazon adjust", "", "DAMAGED", "Damaged?")


def names(count: int = 600, seed: int = 1) -> pd.DataFrame:
    """Product names of a shop, each product by its own name, in time order."""
    chance = random.Random(seed)
    catalogue = [f"{colour} {thing}" for colour in COLOURS for thing in THINGS]
    products = [chance.randrange(len(catalogue)) for _ in range(count)]
    return pd.DataFrame(
        {
            "note_id": [f"N{place:04}" for place in range(count)],
            "product_id": [f"{product:05}" for product in products],
            "category": [THINGS[product % len(THINGS)].split()[-1] for product in products],
            "note": [catalogue[product] for product in products],
        }
    )


def with_notes(texts: dict[int, str]) -> pd.DataFrame:
    frame = names()
    for place, text in texts.items():
        frame.loc[place, "note"] = text
    return detect_text(frame, seed=1)


def test_staff_notes_among_product_names_alert_and_names_do_not():
    places = dict(zip(range(150, 600, 45), REMARKS, strict=True))
    found = with_notes(places)
    assert list(found.columns) == TEXT_DETECTION_COLUMNS
    assert set(found.index[found["alert"]]) == set(places)
    assert found["score"].between(0, 1).all()
    assert ((found["reason"] != "") == found["alert"]).all()
    assert "mentions damage (damaged)" in found.loc[150, "reason"]


def test_a_name_that_changes_a_little_is_no_anomaly():
    frame = names()
    place = 500
    frame.loc[place, "note"] = frame.loc[place, "note"].replace("HOLDER", "HOLDERS").replace("METAL", "METAL ")
    assert not detect_text(frame, seed=1).loc[place, "alert"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("xkqjw zzvqpd", "random keys or another language"),
        ("Lieferung beschädigt, bitte prüfen", "random keys or another language"),
        ("WHITE DOORMAT 500 KG", "a size"),
        ("LUNCH BAG cafÃ©", "wrong encoding"),
        ("BLUE DOORMAT call 020 7946 0991", "a phone number"),
        ("=cmd|' /C calc'!A0", "a spreadsheet formula"),
        ("-2+3+cmd|' /C calc'!A0", "a spreadsheet formula"),
        ("<img src=x onerror=alert(1)>", "markup"),
    ],
)
def test_each_kind_is_named(text, reason):
    row = with_notes({550: text}).loc[550]
    assert row["alert"]
    assert reason in row["reason"]


def test_another_products_name_alerts():
    frame = names()
    own = set(frame.loc[550, "note"].split())
    frame.loc[550, "note"] = next(note for note in frame["note"] if not own & set(note.split()))
    assert detect_text(frame, seed=1).loc[550, "alert"]


def test_a_number_that_the_shelf_does_not_have_alerts():
    frame = names().assign(quantity=[place % 40 for place in range(600)], units_in=0)
    frame["note"] = [f"counted {note.lower()}: {level}" for note, level in frame[["note", "quantity"]].values]
    frame.loc[550, "note"] = frame.loc[550, "note"].split(":")[0] + ": 480"
    found = detect_text(frame, seed=1)
    assert "says 480 where 30 were on hand" in found.loc[550, "reason"]
    assert found.loc[100:, "alert"].sum() == 1


@pytest.mark.parametrize("units", [np.inf, -np.inf, 1e300, "many"])
def test_a_level_that_is_no_number_is_unknown(units):
    frame = names(60).assign(quantity=5.0)
    frame["note"] += ", 12 left"
    unknown, odd = (
        detect_text(frame.assign(**dict.fromkeys(("quantity", "units_in"), level)), seed=1) for level in (np.nan, units)
    )
    pd.testing.assert_frame_equal(odd, unknown)


def test_a_score_depends_on_nothing_later():
    places = dict(zip(range(100, 600, 45), REMARKS, strict=False))
    whole = with_notes(places)
    frame = names()
    for place, text in places.items():
        frame.loc[place, "note"] = text
    for length in (1, 40, 41, 333):
        pd.testing.assert_frame_equal(detect_text(frame.head(length), seed=1), whole.head(length))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("mail jane.doe+x@shop.example.com today", "mail [e-mail address] today"),
        ("ring 555 0123 or +44 20 7946 0018", "ring [phone number] or [phone number]"),
        ("paid with 4111 1111 1111 1111", "paid with [card number]"),
        ("card ending 4417", "[card number]"),
        ("to DE89 3704 0044 0532 0130 00", "to [bank account]"),
        ("deliver to 14 Mill Lane", "deliver to [address]"),
        # as others type them
        ("\uff14\uff11\uff11\uff11 1111 1111 1111", "[card number]"),
        ("4111\u20131111\u20131111\u20131111", "[card number]"),
        ("4111\u200b1111\n1111\u20091111", "[card number]"),
        ("paid,4111.1111.1111.1111.", "paid,[card number]."),
        ("jane\uff20shop.com, joe [at] shop.com", "[e-mail address], [e-mail address]"),
        ("tel: 2079460991", "tel:[phone number]"),
        ("0044 20 7946 0991", "[phone number]"),
        ("020\u00a07946\u00a00991", "[phone number]"),
        # a barcode, an order, a size, a number without the check digit of a card
        ("ean 4006381333931", "ean 4006381333931"),
        ("po 98231, 45x30cm", "po 98231, 45x30cm"),
        ("4111 1111 1111 1112", "4111 1111 1111 1112"),
        ("lot 0012 34 56 78", "lot 0012 34 56 78"),
    ],
)  # fmt: skip
def test_contact_details_are_masked_and_nothing_else_is(text, shown):
    assert contact_details.masked(text) == shown
    assert (contact_details.find(text) is None) == (text == shown)


def test_no_output_shows_contact_details():
    secrets = ("jane.doe@mail.example.com", "020 7946 0991", "4111 1111 1111 1111")
    found = with_notes(
        {place: f"damaged, ask {secret}" for place, secret in zip((200, 300, 400), secrets, strict=True)}
    )
    assert found.loc[[200, 300, 400], "alert"].all()
    assert not [secret for secret in secrets if found["reason"].str.contains(secret, regex=False).any()]


def test_rules_leave_ordinary_texts_alone():
    for text in (
        "SET/4 T-LIGHTS, 3 < 4 & more",
        "- moved to the back",
        "50% off @ till",
        "Crème brûlée £4",
        "“ok” - fine",
    ):
        assert [rule.find(text) for rule in (contact_details, markup, mojibake)] == [None] * 3


@settings(max_examples=15, deadline=None)
@given(st.lists(st.one_of(st.none(), st.text(max_size=60)), min_size=1, max_size=60))
def test_any_texts_give_a_row_each(texts):
    frame = pd.DataFrame({"note_id": range(len(texts)), "product_id": "P", "category": "C", "note": texts})
    found = detect_text(frame, seed=1)
    assert found["note_id"].tolist() == frame["note_id"].tolist()
    assert found["score"].between(0, 1).all()


def test_huge_texts_take_bounded_time():
    huge = [
        "x" * 10**6,
        "a b " * 250_000,
        "<" * 10**5,
        "1-" * 10**5,
        "a@" * 10**5,
        "0" * 10**6,
        "🎉" * 5000,
        "\x00" * 10**6,
    ]
    start = time.process_time()
    found = with_notes(dict(zip(range(200, 600, 50), huge, strict=True)))
    assert time.process_time() - start < 30
    assert found["reason"].str.len().max() < 400


def test_the_command_reads_each_kind_of_file_alike(tmp_path):
    frame = names(120)
    frame.loc[100, "note"] = "damaged"
    frame.to_csv(tmp_path / "notes.csv", index=False)
    frame.to_parquet(tmp_path / "notes.parquet")
    (tmp_path / "notes.ndjson").write_text("".join(json.dumps(row) + "\n" for row in frame.to_dict("records")))
    frame.to_parquet(tmp_path / "notes.PARQUET")
    written = []
    for ending in ("csv", "parquet", "ndjson", "PARQUET"):
        options = ["--notes", str(tmp_path / f"notes.{ending}"), "--out", str(tmp_path / "out.csv")]
        result = CliRunner().invoke(command, options)
        assert result.exit_code == 0, result.output
        assert "1 alerts in 120 notes" in result.output
        written.append((tmp_path / "out.csv").read_bytes())
    assert len(set(written)) == 1


def test_the_command_says_what_is_missing(tmp_path):
    (tmp_path / "notes.csv").write_text("note_id,note\n1,a\n")
    result = CliRunner().invoke(command, ["--notes", str(tmp_path / "notes.csv"), "--out", str(tmp_path / "out.csv")])
    assert result.exit_code == 1
    assert "lack the column product_id, category" in result.output
    assert not (tmp_path / "out.csv").exists()


def test_texts_of_numbers_only_are_judged():
    assert len(detect_text(names(120).assign(note=[str(place) for place in range(120)]), seed=1)) == 120


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_the_command_takes_ids_of_any_kind(tmp_path, ending):
    frame = names(60)
    rows = frame.to_dict("records")
    rows[3] |= {"note_id": 7, "product_id": "\ud800", "category": None}
    rows[4] |= {"note_id": "\ud800", "product_id": 5}
    (tmp_path / "notes.ndjson").write_text("".join(json.dumps(row) + "\n" for row in rows))
    out = tmp_path / f"out.{ending}"
    result = CliRunner().invoke(command, ["--notes", str(tmp_path / "notes.ndjson"), "--out", str(out)])
    assert result.exit_code == 0, result.output
    found = pd.read_csv(out) if ending == "csv" else pd.read_parquet(out)
    assert found["note_id"].tolist() == [*frame["note_id"][:3], "7", "?", *frame["note_id"][5:]]


def test_parquet_types_are_texts():
    frame = names(60)
    typed = frame.assign(note=[note.encode() for note in frame["note"]], category=frame["category"].astype("category"))
    pd.testing.assert_frame_equal(detect_text(typed, seed=1), detect_text(frame, seed=1))


@pytest.mark.parametrize(
    ("content", "reported"),
    [
        ('{"note_id": 1}\n{bad', "line 2: "),
        ("[1, 2]", "line 1 is no JSON object"),
        ('{"note_id": [1], "product_id": "P", "category": "C", "note": "a"}', "note_id is no text in row 1: '[1]'"),
        ('{"note_id": "", "product_id": "P", "category": "C", "note": "a"}', "note_id is empty in row 1"),
    ],
)
def test_the_command_names_a_bad_line(tmp_path, content, reported):
    (tmp_path / "notes.ndjson").write_text(content)
    result = CliRunner().invoke(command, ["--notes", str(tmp_path / "notes.ndjson"), "--out", str(tmp_path / "o.csv")])
    assert result.exit_code == 1
    assert reported in result.output
    assert len(result.output.strip().splitlines()) == 1


def test_a_comma_without_quotes_moves_no_column(tmp_path):
    """pandas takes the first field of such rows for a name of the row, and the product for the note's id."""
    (tmp_path / "notes.csv").write_text("note_id,product_id,category,note\nn1,P1,Toys,Blue train, wooden\n")
    result = CliRunner().invoke(command, ["--notes", str(tmp_path / "notes.csv"), "--out", str(tmp_path / "o.csv")])
    assert result.exit_code == 1
    assert "more fields than its header" in result.output


def test_a_nul_in_a_csv_file_is_part_of_its_text(tmp_path):
    frame = names(60)
    frame.loc[50, "note"] += "\0 and more"
    found = []
    for ending in ("csv", "parquet"):
        path, out = tmp_path / f"notes.{ending}", tmp_path / "out.parquet"
        frame.to_csv(path, index=False) if ending == "csv" else frame.to_parquet(path)
        assert CliRunner().invoke(command, ["--notes", str(path), "--out", str(out)]).exit_code == 0
        found.append(pd.read_parquet(out))
    assert found[0]["reason"][50] == "holds control characters"
    pd.testing.assert_frame_equal(*found)
