"""Names: one spelling for what a reader takes for one name."""

import unicodedata

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.events import READINGS, Reading
from ingest.names import LONGEST_NAME, is_tidy, problem, tidy
from tests.unit.ingest.test_events import NOW, event


@pytest.mark.parametrize(
    "sent",
    [" East", "East ", "East\u00a0", "\tEast\n", "Ea\u200bst", "\ufeffEast", "\u202aEast\u202c", "E\u00adast"],
)
def test_what_differs_only_so_is_one_name_and_the_spelling_is_kept(sent):
    reading = READINGS.decode(event(store_location=sent, shelf=1), NOW)
    assert isinstance(reading, Reading)
    assert reading.store_location == "East"
    assert msgspec.json.decode(reading.extra) == {"shelf": 1, "store_location_as_sent": sent}


def test_tidy_keeps_what_tells_names_apart():
    assert [tidy(name) for name in ("east", "Ko\u0308ln", "a \n\t b", "₂", "Ⅳ")] == ["east", "Köln", "a b", "₂", "Ⅳ"]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("", "blank_name"),
        (" \u200b\n", "blank_name"),
        ("P\x00", "control_character"),
        ("P\x1b[31m", "control_character"),
        ("x" * 257, "name_too_long"),
        ("x" * 256, None),
        (" " * 300 + "x", None),
        ("N/A", None),
        ("*", None),
        ("a'b\"c", None),
    ],
)
def test_names_that_cannot_stand(name, kind):
    assert (problem(name) or (None,))[0] == kind
    outcome = READINGS.decode(event(product_id=name), NOW)
    assert getattr(outcome, "kind", None) == kind
    if kind:
        assert outcome.detail.startswith("product_id: ")


names = st.text(max_size=12) | st.text(" \t\n\u00a0\u200b\u202eae\u0301\u0308\x00", max_size=12)


@given(names)
def test_a_tidy_name_stays_as_it_is(name):
    if problem(name) is None:
        assert is_tidy(tidy(name)) or not tidy(name).isprintable()
        assert tidy(tidy(name)) == tidy(name)
        assert unicodedata.is_normalized("NFC", tidy(name))
        assert 0 < len(tidy(name)) <= LONGEST_NAME
