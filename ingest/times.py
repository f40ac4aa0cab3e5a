"""Times as files and messages spell them (text, epoch numbers, dates alone), and which of them cannot be right.

An ambiguous date is not guessed: the reader of a file decides from its other values, or asks.
"""

from __future__ import annotations

import os
import re
from bisect import bisect_left
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from functools import cache
from typing import NamedTuple

FUTURE_TOLERANCE = timedelta(minutes=5)
MAX_AGE_VARIABLE = "INVENTORY_MAX_AGE_YEARS"
MAX_AGE_YEARS = 15
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# a number below the first limit counts seconds, below the next milliseconds and so on: right for the years 1973 to 5138
EPOCH_UNITS = ((10**11, 1), (10**14, 10**3), (10**17, 10**6), (10**20, 10**9))

_TIME = re.compile(
    r"""
    (?: (?P<year>\d{4}) (?P<mark>[-/.]) (?P<month>\d{1,2}) (?P=mark) (?P<day>\d{1,2})
      | (?P<first>\d{1,2}) (?P<between>[-/.]) (?P<second>\d{1,2}) (?P=between) (?P<last_year>\d{4}|\d{2})
    )
    (?: (?: [Tt] | ,?\s+ )
        (?P<hour>\d{1,2}) : (?P<minute>\d{2}) (?: : (?P<seconds>\d{2}) (?: [.,] (?P<fraction>\d{1,12}) )? )?
        (?: \s* (?P<half>[AaPp])\.?[Mm]\.? )?
        \s* (?P<zone> [Zz] | UTC | GMT | [+-]\d{2} (?: :?\d{2} )? )?
    )?
    """,
    re.VERBOSE | re.ASCII,
)
# 202601031015 or 20260103101500; as milliseconds since 1970 they would be of 1976, or after 2286
_COMPACT = re.compile(r"20\d{10}(\d\d)?", re.ASCII)
_MONTHS = (
    *("january", "february", "march", "april", "may", "june", "july"),
    *("august", "september", "october", "november", "december"),
)
_NAMED_MONTHS = (
    re.compile(
        r"(?P<day>\d{1,2})[-. ]\s*(?P<month>[a-z]{3,9})[-. ]\s*(?P<year>\d{4}|\d{2})\b", re.IGNORECASE | re.ASCII
    ),
    re.compile(r"(?P<month>[a-z]{3,9})\.? (?P<day>\d{1,2}),? (?P<year>\d{4})\b", re.IGNORECASE | re.ASCII),
)
# 46025.43, the days since 1900: a column of dates that is shown as numbers
_DAYS_OF_SPREADSHEET = re.compile(r"[2-6]\d{4}([.,]\d+)?", re.ASCII)
_EPOCH_TEXT = re.compile(r"-?\d{9,19}(\.\d+)?", re.ASCII)


class TimeError(ValueError):
    """A value that is no time. `kind` is one word to count by."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind


class AgeError(ValueError):
    """A setting of how old an event may be that says nothing."""


class TimeFormat(NamedTuple):
    """How a file writes times: whether the day comes before the month in 03/01/2026 (None: not known), and the zone of
    times that name none."""

    day_first: bool | None = None
    zone: tzinfo = UTC


class Timestamp(NamedTuple):
    """A time in UTC. `happened_twice`: the clock was put back and showed it again; the first one counts."""

    time: datetime
    happened_twice: bool = False


PLAIN = TimeFormat()


@cache
def max_age() -> timedelta:
    """How old an event may be when it is published. Raises AgeError where the variable holds no number of years."""
    years = os.environ.get(MAX_AGE_VARIABLE, "").strip() or str(MAX_AGE_YEARS)
    try:
        if 0 < float(years) <= 1000:
            return timedelta(days=365.25 * float(years))
    except ValueError:
        pass
    raise AgeError(f"{MAX_AGE_VARIABLE}={years}: is no number of years up to 1,000. Set it to {MAX_AGE_YEARS}, say.")


def implausibility(time: datetime, now: datetime) -> tuple[str, str] | None:
    """Why an event published `now` cannot be of this time, as one word and what to look at; None where it can."""
    if time - now > FUTURE_TOLERANCE:
        return "future_timestamp", f"event_timestamp {time.isoformat()} is more than 5 minutes ahead"
    if now - time > max_age():
        years = f"{max_age().days / 365.25:.4g} years"
        return (
            "implausible_timestamp",
            f"event_timestamp {time.isoformat()} is more than {years} old ({MAX_AGE_VARIABLE} sets how old it may be)",
        )
    return None


def day_order(text: str) -> str | None:
    """What a date proves about the order of its parts: "day" or "month" comes first, or "either" where both orders give
    a date, and not the same one. None where it proves nothing."""
    if text[:4].isdigit():
        return None
    match = _TIME.fullmatch(_with_numbered_month(text.strip()))
    if match is None or match["between"] is None:
        return None
    first, second, year = int(match["first"]), int(match["second"]), match["last_year"]
    if len(year) == 2 and int(year) <= 31 and second <= 12:  # the year may as well come first
        return "either"
    if match["between"] == "." or first == second or min(first, second) > 12:
        return None
    return "day" if first > 12 else "month" if second > 12 else "either"


def read_time(value: object, time_format: TimeFormat = PLAIN) -> Timestamp:
    """A time from text, a number since 1970 or a date; a date alone is the start of that day. Raises TimeError."""
    try:
        if isinstance(value, str):
            return _from_text(value.strip(), time_format)
        if isinstance(value, datetime):
            return _in_utc(value, time_format.zone)
        if isinstance(value, date):
            return _day_start(value, time_format.zone)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return Timestamp(_from_epoch(value))
    except TimeError:
        raise
    except OverflowError as error:
        raise TimeError("out_of_range", "leaves the calendar when it is turned into UTC") from error
    except ValueError as error:
        raise TimeError("wrong_type", f"{str(value)[:40]!r} is no time: {error}") from error
    raise TimeError("wrong_type", f"expected a time, got {type(value).__name__}")


def _from_text(text: str, time_format: TimeFormat) -> Timestamp:
    if _COMPACT.fullmatch(text):
        return _in_utc(datetime.strptime(text, "%Y%m%d%H%M%S" if len(text) == 14 else "%Y%m%d%H%M"), time_format.zone)
    if _EPOCH_TEXT.fullmatch(text):
        return Timestamp(_from_epoch(float(text) if "." in text else int(text)))
    text = _with_numbered_month(text)
    match = _TIME.fullmatch(text)
    if match is None:
        return _from_iso(text, time_format.zone)
    year, month, day = _date_parts(match, text, time_format.day_first)
    if match["hour"] is None:
        return _day_start(date(year, month, day), time_format.zone)
    hour, extra_day = _hour(match)
    micros = round(float(f"0.{match['fraction']}") * 10**6) if match["fraction"] else 0
    zone = _zone(match["zone"])
    if extra_day and zone is None:
        return _day_start(date(year, month, day) + timedelta(days=extra_day), time_format.zone)
    local = datetime(year, month, day, hour, int(match["minute"] or 0), int(match["seconds"] or 0), tzinfo=zone)
    return _in_utc(local + timedelta(days=extra_day, microseconds=micros), time_format.zone)


def _with_numbered_month(text: str) -> str:
    """A text that begins with 3-Jan-2026 or January 3, 2026, with 3.1.2026 instead."""
    for match in filter(None, (pattern.match(text) for pattern in _NAMED_MONTHS)):
        for number, month in enumerate(_MONTHS, start=1):
            if month.startswith(match["month"].lower()):
                return f"{match['day']}.{number}.{match['year']}{text[match.end() :]}"
    return text


def _from_iso(text: str, zone: tzinfo) -> Timestamp:
    """A time in one of the rarer spellings of ISO 8601, such as 20260131."""
    with suppress(ValueError):
        return _day_start(date.fromisoformat(text), zone)
    with suppress(ValueError):
        return _in_utc(datetime.fromisoformat(text), zone)
    counted = _DAYS_OF_SPREADSHEET.fullmatch(text)
    why = ", but the days that a spreadsheet counts: show the column as dates and save it again" if counted else ""
    raise TimeError("wrong_type", f"{text[:40]!r} is no time such as 2026-01-31 18:30{why}")


def _date_parts(match: re.Match[str], text: str, day_first: bool | None) -> tuple[int, int, int]:
    if match["year"]:
        return int(match["year"]), int(match["month"]), int(match["day"])
    year, first, second = int(match["last_year"]), int(match["first"]), int(match["second"])
    order = day_order(text)
    if day_first is None and order == "either":
        raise TimeError(
            "ambiguous_date", f"{text!r}: load it with --day-first or --month-first, or write 2026-01-31T18:30:00Z"
        )
    if match["between"] == ".":
        day_first = True
    elif day_first is None:
        day_first = order != "month"
    if year < 100:
        year += 2000
    return (year, second, first) if day_first else (year, first, second)


def _hour(match: re.Match[str]) -> tuple[int, int]:
    """The hour and the days to add: 24:00 is midnight of the next day, 12 AM is 0."""
    hour = int(match["hour"] or 0)
    if match["half"]:
        if not 1 <= hour <= 12:
            raise ValueError("hour must be in 1..12 with AM or PM")
        return hour % 12 + 12 * (match["half"] in "Pp"), 0
    if hour == 24 and not int(match["minute"]) and not int(match["seconds"] or 0) and not match["fraction"]:
        return 0, 1
    return hour, 0


def _zone(text: str | None) -> tzinfo | None:
    if text is None or text[0] not in "+-":
        return UTC if text else None
    digits = text[1:].replace(":", "").ljust(4, "0")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-offset if text[0] == "-" else offset)


def _in_utc(time: datetime, zone: tzinfo) -> Timestamp:
    if time.tzinfo is not None:
        return Timestamp(time.astimezone(UTC))
    local = time.replace(tzinfo=zone, fold=0)
    timestamp = local.astimezone(UTC)
    if zone is UTC:
        return Timestamp(timestamp)
    if timestamp.astimezone(zone).replace(tzinfo=None) != time.replace(fold=0):
        raise TimeError("no_such_time", f"the clock of {zone} skipped {time}")
    return Timestamp(timestamp, happened_twice=local.utcoffset() != local.replace(fold=1).utcoffset())


def _day_start(day: date, zone: tzinfo) -> Timestamp:
    """When a day begins. Where the clock skips midnight, that is when the skipped time is over."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=zone)
    start = midnight.astimezone(UTC)
    if start.astimezone(zone).replace(tzinfo=None) == midnight.replace(tzinfo=None):
        return Timestamp(start)
    # of the two times that a skipped midnight may mean, one lies before the jump and the other at it or behind
    seconds = range(int(midnight.replace(fold=1).timestamp()), int(start.timestamp()) + 1)
    offset = start.astimezone(zone).utcoffset()
    jump = bisect_left(
        seconds, True, key=lambda second: datetime.fromtimestamp(second, UTC).astimezone(zone).utcoffset() == offset
    )
    start = datetime.fromtimestamp(seconds[jump], UTC)
    if start.astimezone(zone).date() != day:
        raise TimeError("no_such_time", f"the calendar of {zone} skipped {day}")
    return Timestamp(start)


def _from_epoch(number: float) -> datetime:
    for limit, units in EPOCH_UNITS:
        if abs(number) < limit:
            micros = number * 10**6 // units if isinstance(number, int) else round(number * 10**6 / units)
            return EPOCH + timedelta(microseconds=micros)
    raise TimeError("out_of_range", f"{number} is no time since 1970 in seconds to nanoseconds")
