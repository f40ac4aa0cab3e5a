from datetime import UTC, datetime, timedelta

import msgspec
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.events import NOTES, READINGS, Reading, Rejection, decode

NOW = datetime(2026, 6, 30, 12, tzinfo=UTC)
EVENT = {
    "product_id": "P0001",
    "category": "Toys",
    "store_location": "Store_A",
    "quantity": 5,
    "price": 9.5,
    "event_timestamp": "2026-06-30T10:00:00Z",
}


def event(**changes: object) -> bytes:
    return msgspec.json.encode({**EVENT, **changes})


def test_a_good_event_is_a_reading():
    reading = decode(event(), NOW)
    assert reading == Reading("P0001", "Toys", "Store_A", 5, 9.5, datetime(2026, 6, 30, 10, tzinfo=UTC), None)


@pytest.mark.parametrize(
    ("changes", "field", "value"),
    [
        ({"quantity": -3}, "quantity", -3),
        ({"price": 0}, "price", 0.0),
        ({"price": None}, "price", None),
        ({"category": "never seen before"}, "category", "never seen before"),
        ({"event_timestamp": "2026-06-30T12:00:00+02:00"}, "event_timestamp", datetime(2026, 6, 30, 10, tzinfo=UTC)),
        ({"event_timestamp": "2026-06-30T10:00:00"}, "event_timestamp", datetime(2026, 6, 30, 10, tzinfo=UTC)),
        ({"event_timestamp": "2011-07-01T00:00:00Z"}, "event_timestamp", datetime(2011, 7, 1, tzinfo=UTC)),
        ({"event_timestamp": "2026-06-30T12:05:00Z"}, "event_timestamp", NOW + timedelta(minutes=5)),
        ({"shelf": 7, "note": "top"}, "extra", '{"shelf":7,"note":"top"}'),
        ({"quantity": 2.0}, "quantity", 2),
        ({"event_timestamp": 1782813600}, "event_timestamp", datetime(2026, 6, 30, 10, tzinfo=UTC)),
        ({"event_timestamp": 1782813600000}, "event_timestamp", datetime(2026, 6, 30, 10, tzinfo=UTC)),
        ({"event_timestamp": "1782813600.5"}, "event_timestamp", datetime(2026, 6, 30, 10, 0, 0, 500_000, UTC)),
        ({"event_timestamp": "2026-06-30 10:00 UTC"}, "event_timestamp", datetime(2026, 6, 30, 10, tzinfo=UTC)),
    ],
)
def test_odd_but_well_formed_values_are_data(changes, field, value):
    reading = decode(event(**changes), NOW)
    assert isinstance(reading, Reading)
    assert getattr(reading, field) == value


@pytest.mark.parametrize(
    ("message", "kind", "named"),
    [
        (b"", "not_json", ""),
        (b"not json", "not_json", ""),
        (event()[:-9], "not_json", ""),
        (b"[1, 2]", "wrong_type", "object"),
        (b"\xff" + event(), "not_utf8", "byte 0"),
        (event().replace(b"Toys", b"T\xfcys"), "not_utf8", "byte"),
        (event().replace(b'"price":9.5,', b""), "missing_field", "price"),
        (event(quantity="5"), "wrong_type", "quantity: expected int, got str"),
        (event(quantity=5.5), "fractional_quantity", "quantity: 5.5 is not whole; --quantity-scale"),
        (event(quantity=True), "wrong_type", "quantity"),
        (event(quantity=None), "wrong_type", "quantity"),
        (event(quantity=10**12), "out_of_range", "quantity"),
        (event(price="free"), "wrong_type", "price"),
        (event(price=1e9), "out_of_range", "price"),
        (event().replace(b"9.5", b"NaN"), "not_json", ""),
        (event().replace(b"9.5", b"1e999"), "out_of_range", "price"),
        (event(store_location=""), "blank_name", "store_location"),
        (event(event_timestamp="yesterday"), "wrong_type", "event_timestamp"),
        (event(event_timestamp=None), "wrong_type", "event_timestamp"),
        (event(event_timestamp="2999-01-01T00:00:00Z"), "future_timestamp", "2999"),
        (event(event_timestamp="2026-06-30T12:05:01Z"), "future_timestamp", "5 minutes"),
        (event(event_timestamp="0001-01-01T00:00:00Z"), "implausible_timestamp", "INVENTORY_MAX_AGE_YEARS"),
        (event(event_timestamp="1970-01-01T00:00:00Z"), "implausible_timestamp", "15 years old"),
        (event(event_timestamp="2011-06-29T00:00:00Z"), "implausible_timestamp", "15 years old"),
        (event(event_timestamp=0), "implausible_timestamp", "1970-01-01"),
        (event(event_timestamp="06/07/2026"), "ambiguous_date", "--day-first"),
        (event(event_timestamp=False), "wrong_type", "event_timestamp"),
        (event(event_timestamp="0001-01-01T00:00:00+14:00"), "out_of_range", "calendar"),
    ],
)
def test_what_is_no_reading_says_why(message, kind, named):
    rejection = decode(message, NOW)
    assert isinstance(rejection, Rejection)
    assert rejection.kind == kind
    assert named in rejection.detail


@given(st.binary(max_size=200))
def test_no_bytes_make_it_raise(message):
    assert isinstance(decode(message, NOW), Reading | Rejection)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda children: st.lists(children, max_size=2) | st.dictionaries(st.text(max_size=3), children, max_size=2),
    max_leaves=4,
)


@given(st.dictionaries(st.sampled_from(list(EVENT)), json_values), st.sets(st.sampled_from(list(EVENT))))
def test_no_json_makes_it_raise(changes, without):
    kept = {key: value for key, value in {**EVENT, **changes}.items() if key not in without}
    outcome = decode(msgspec.json.encode(kept), NOW)
    assert isinstance(outcome, Rejection) if without else isinstance(outcome, Reading | Rejection)


notes = st.sampled_from(["note_id", "note", "shelf", "extra"])


@given(
    st.lists(
        st.dictionaries(st.sampled_from(list(EVENT)) | notes, json_values)
        | st.fixed_dictionaries({"event_timestamp": st.datetimes(timezones=st.none() | st.timezones()).map(str)})
        | st.fixed_dictionaries(
            {"event_timestamp": st.datetimes(NOW.replace(tzinfo=None) - timedelta(days=5500)).map(str)}
        )
        | st.fixed_dictionaries(
            {"event_timestamp": st.sampled_from([0, 1e9, 1782813600, "2026-01-03", "1782813600000", ""])}
        )
        | st.fixed_dictionaries({"quantity": st.integers(), "price": st.floats()})
        | st.fixed_dictionaries({"quantity": st.integers(-9, 9).map(float)})
        | st.fixed_dictionaries({"store_location": st.text(" \n\u200beEe\u0301\x00", max_size=4), "shelf": st.just(1)}),
        max_size=5,
    ),
    st.sampled_from([READINGS, NOTES]),
)
def test_columns_hold_what_each_message_alone_would_be(changes, contract):
    whole = {**EVENT, "note_id": "N1", "note": "top"} if contract is NOTES else EVENT
    if contract is NOTES:
        whole = {name: whole[name] for name in NOTES.fields}
    messages = [msgspec.json.encode({**whole, **change}) for change in changes] + [b"{", msgspec.json.encode(whole)]
    published = [NOW + timedelta(seconds=index) for index in range(len(messages))]
    columns = contract.decode_columns(messages, pa.array(published, pa.timestamp("us", tz="UTC")))
    for index, (message, now) in enumerate(zip(messages, published, strict=True)):
        alone = contract.decode(message, now)
        row = {name: column[index].as_py() for name, column in columns.fields.items()}
        if isinstance(alone, Rejection):
            assert columns.rejections[index] == alone
            assert set(row.values()) == {None}
        else:
            assert index not in columns.rejections
            assert isinstance(messages[index], bytes)
            assert row | {"extra": columns.extras.get(index)} == msgspec.structs.asdict(alone)


def test_a_note_may_be_empty_but_not_without_its_id():
    note = {"note_id": "N1", **{name: EVENT[name] for name in ("product_id", "category", "store_location")}}
    note |= {"note": "", "event_timestamp": EVENT["event_timestamp"]}
    assert NOTES.decode(msgspec.json.encode(note), NOW).note == ""
    assert NOTES.decode(msgspec.json.encode(note | {"note_id": ""}), NOW).kind == "blank_name"
    old = NOTES.decode(msgspec.json.encode(note | {"event_timestamp": "1970-01-01"}), NOW)
    assert isinstance(old, Rejection)
    assert old.kind == "implausible_timestamp"
    assert NOTES.decode(event(), NOW) == Rejection("missing_field", "note_id")
