"""Times in other spellings, and where the clock of a time zone jumps."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.times import EPOCH, TimeError, TimeFormat, Timestamp, day_order, max_age, read_time
from tests.unit.ingest.landing.loading import HEADER, load_text

BERLIN = TimeFormat(zone=ZoneInfo("Europe/Berlin"))
AT = datetime(2026, 1, 3, 10, 15, tzinfo=UTC)
DAY = datetime(2026, 1, 3, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-01-03", DAY),
        ("20260103", DAY),
        ("2026/1/3", DAY),
        ("03.01.2026", DAY),
        ("2026-01-03 10:15", AT),
        ("2026-01-03T10:15Z", AT),
        ("2026-01-03T12:15:00+02", AT),
        ("2026-01-03T12:15:00+0200", AT),
        ("2026-01-03 04:45:00-05:30", AT),
        ("2026-01-03 10:15:00 UTC", AT),
        ("3.1.2026 10:15:00", AT),
        ("01/13/2026 10:15 AM", AT.replace(day=13)),
        ("13/01/2026 10:15 pm", AT.replace(day=13, hour=22)),
        ("05/05/2026", DAY.replace(month=5, day=5)),
        ("2026-01-03 12:00 a.m.", DAY),
        ("2026-01-02T24:00", DAY),
        ("2026-01-02 24:00:00 UTC", DAY),
        ("2026-01-03T10:15:00,5", AT.replace(microsecond=500_000)),
        ("2026-01-03T10:15:00.123456789Z", AT.replace(microsecond=123_457)),
        ("202601031015", AT),
        ("20260103101500", AT),
        ("3-Jan-2026", DAY),
        ("3. January 2026 10:15", AT),
        ("Jan 3, 2026 10:15 AM", AT),
        ("03 SEPT 2026", DAY.replace(month=9)),
        ("01/13/26 10:15", AT.replace(day=13)),
        (str(int(AT.timestamp())), AT),
        (int(AT.timestamp()), AT),
        (AT.timestamp() + 0.25, AT.replace(microsecond=250_000)),
        (int(AT.timestamp()) * 10**3, AT),
        (int(AT.timestamp()) * 10**6 + 7, AT.replace(microsecond=7)),
        (str(int(AT.timestamp()) * 10**9 + 7_999), AT.replace(microsecond=7)),
    ],
)
def test_spellings(text, time):
    assert read_time(text) == Timestamp(time)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("yesterday", "wrong_type"),
        ("", "wrong_type"),
        ("2026-02-30", "wrong_type"),
        ("2026-01-03 24:01", "wrong_type"),
        ("2026-01-03 13:00 pm", "wrong_type"),
        ("10:15", "wrong_type"),
        ("03/01/2026", "ambiguous_date"),
        ("03-01-2026", "ambiguous_date"),
        ("03.01.26", "ambiguous_date"),  # or the 26th of January 2003
        ("3-Jan-26", "ambiguous_date"),
        ("11/11/26", "ambiguous_date"),
        ("13/01/26", "ambiguous_date"),
        ("3 Mai 2026", "wrong_type"),
        ("3 J 2026", "wrong_type"),
        ("20261303101500", "wrong_type"),
        ("9999-12-31T24:00", "out_of_range"),
        (float("nan"), "out_of_range"),
        (10**21, "out_of_range"),
        (True, "wrong_type"),
        (None, "wrong_type"),
        ([], "wrong_type"),
    ],
)
def test_what_is_no_time(value, kind):
    with pytest.raises(TimeError) as error:
        read_time(value)
    assert error.value.kind == kind


@given(
    st.text(max_size=30)
    | st.integers()
    | st.floats()
    | st.datetimes()
    | st.dates()
    | st.text("0123456789-/.: TZ+aApPmM", max_size=24)
)
def test_nothing_else_is_raised(value):
    for time_format in (TimeFormat(), BERLIN, TimeFormat(day_first=False)):
        try:
            assert read_time(value, time_format).time.utcoffset() == timedelta(0)
        except TimeError as error:
            assert error.kind  # noqa: PT017


@given(
    st.datetimes(EPOCH.replace(tzinfo=None) + timedelta(days=4000), datetime(2200, 1, 1)),
    st.sampled_from([1, 10**3, 10**6, 10**9]),
)
def test_epoch_numbers_tell_their_unit(time, units):
    time = time.replace(microsecond=0, tzinfo=UTC)
    assert read_time(int(time.timestamp()) * units) == Timestamp(time)


def test_day_and_month():
    assert [
        day_order(text) for text in ("13/01/2026", "01/13/2026", "03/01/2026", "03/03/2026", "03.01.2026", "x")
    ] == [*("day", "month", "either", None, None, None)]
    assert read_time("03/01/2026", TimeFormat(day_first=True)).time == DAY
    assert read_time("01/03/2026", TimeFormat(day_first=False)).time == DAY
    with pytest.raises(TimeError):
        read_time("13/01/2026", TimeFormat(day_first=False))


@pytest.mark.parametrize("text", ["03.01.26", "3/1/26", "3-Jan-26", "03-01-26 00:00"])
def test_a_year_of_two_digits_comes_last_where_somebody_says_what_comes_first(text):
    assert read_time(text, TimeFormat(day_first=True)).time == DAY
    assert read_time("01/03/26", TimeFormat(day_first=False)).time == DAY


def test_days_that_a_spreadsheet_counts_say_how_to_save_them():
    with pytest.raises(TimeError, match=r"'46025\.5' is no time .*: show the column as dates and save it again"):
        read_time("46025.5")


def load(tmp_path, *times, options=()):
    return load_text(
        tmp_path, "e.csv", "\n".join([HEADER, *(f"P1,Toys,East,5,9.5,{time}" for time in times)]), *options
    )


def test_the_other_dates_of_a_file_decide(tmp_path):
    loaded = load(tmp_path, "03/01/2026", "13/01/2026 10:15")
    assert loaded.column("event_timestamp") == [DAY, AT.replace(day=13)]
    assert "its dates begin with the day (13/01/2026 10:15 in row 3)" in loaded.output


def test_dates_that_may_be_two_are_refused_until_somebody_says_which(tmp_path):
    loaded = load(tmp_path, "03/01/2026")
    assert loaded.exit_code == 1
    assert "--day-first or --month-first" in loaded.output
    assert not loaded.rows
    assert load(tmp_path, "01/03/2026", options=["--month-first"]).column("event_timestamp") == [DAY]


def test_a_time_zone_and_the_hours_at_the_change_of_its_clock(tmp_path):
    times = ["2026-01-03 11:15", "2026-01-03T10:15:00Z", "2025-10-26 02:30", "2026-03-29T02:30:00", "2026-03-29"]
    loaded = load(tmp_path, *times, options=["--time-zone", "Europe/Berlin"])
    assert loaded.column("event_timestamp") == [
        *(AT, AT, datetime(2025, 10, 26, 0, 30, tzinfo=UTC), datetime(2026, 3, 28, 23, tzinfo=UTC))
    ]
    assert [row["error"] for row in loaded.bad] == [
        "no_such_time: event_timestamp: the clock of Europe/Berlin skipped 2026-03-29 02:30:00"
    ]
    assert "1 times that the clock showed twice" in loaded.output
    assert "is no time zone" in load(tmp_path, "2026-01-03", options=["--time-zone", "Mars"]).output


@pytest.mark.parametrize(
    ("day", "zone", "start"),
    [
        ("2018-03-11", "America/Havana", "2018-03-11T05:00Z"),  # 0:00 to 1:00 skipped
        ("20180311", "America/Havana", "2018-03-11T05:00Z"),
        ("11.03.2018", "America/Havana", "2018-03-11T05:00Z"),
        (date(2018, 3, 11), "America/Havana", "2018-03-11T05:00Z"),
        ("2018-03-10 24:00", "America/Havana", "2018-03-11T05:00Z"),
        ("1919-03-31", "America/Toronto", "1919-03-31T04:30Z"),  # 23:30 to 0:30 skipped
        ("2018-11-04", "America/Havana", "2018-11-04T04:00Z"),  # 0:00 to 1:00 twice
        ("2011-12-31", "Pacific/Apia", "2011-12-30T10:00Z"),
    ],
)
def test_a_date_alone_is_the_start_of_its_day(day, zone, start):
    assert read_time(day, TimeFormat(zone=ZoneInfo(zone))) == Timestamp(datetime.fromisoformat(start))


@pytest.mark.parametrize(("day", "zone"), [("2011-12-30", "Pacific/Apia"), ("2018-03-11 00:00", "America/Havana")])
def test_a_skipped_day_or_time_is_none(day, zone):
    with pytest.raises(TimeError) as error:
        read_time(day, TimeFormat(zone=ZoneInfo(zone)))
    assert error.value.kind == "no_such_time"


@given(st.dates(date(1900, 1, 1), date(2040, 1, 1)), st.sampled_from(["America/Havana", "Asia/Beirut", "Asia/Tehran"]))
def test_before_the_start_of_a_day_it_is_another_day(day, zone):
    start = read_time(day, TimeFormat(zone=ZoneInfo(zone))).time
    assert start.astimezone(ZoneInfo(zone)).date() == day
    assert (start - timedelta(microseconds=1)).astimezone(ZoneInfo(zone)).date() < day


def test_json_lines_have_a_time_zone_too(tmp_path):
    line = (
        '{"product_id":"P1","category":"Toys","store_location":"East","quantity":1.5,"price":8,"event_timestamp":"%s"}'
    )
    text = "\n".join([line % "2026-01-03T11:15:00", line % "2026-01-03T10:15:00Z", "[]", "{"])
    options = ["--time-zone", "Europe/Berlin", "--quantity-scale", "2"]
    loaded = load_text(tmp_path, "e.ndjson", text, *options)
    assert [(row["event_timestamp"], row["quantity"], row["price"]) for row in loaded.good] == [(AT, 3, 4), (AT, 3, 4)]
    assert [row["raw"] for row in loaded.bad] == [b"[]", b"{"]


def test_how_old_a_reading_may_be(tmp_path, monkeypatch):
    def loaded_with(years):
        max_age.cache_clear()
        monkeypatch.setenv("INVENTORY_MAX_AGE_YEARS", years)
        folder = tmp_path / f"years {years}"
        folder.mkdir()
        return load(folder, "1990-01-01", "0001-01-01")

    try:
        assert len(loaded_with("50").good) == 1
        assert (
            loaded_with("")
            .bad[0]["error"]
            .startswith("implausible_timestamp: event_timestamp 1990-01-01T00:00:00+00:00 is")
        )
        assert "INVENTORY_MAX_AGE_YEARS=ten: is no number of years" in loaded_with("ten").output
    finally:
        max_age.cache_clear()
