"""Figures and times as the pages write them."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from ingest.currency import currency
from notify.episodes import Episode

UNKNOWN = "\N{EN DASH}"


def parse(timestamp: str) -> datetime:
    """A published timestamp, which is UTC."""
    return datetime.fromisoformat(timestamp).replace(tzinfo=UTC)


def units(value: float | None) -> str:
    """A whole number with its thousands."""
    return UNKNOWN if value is None else f"{value:,.0f}"


def money(value: float | None) -> str:
    """An amount with its currency. Nobody orders by cents."""
    return UNKNOWN if value is None else f"{value:,.0f}\N{NO-BREAK SPACE}{currency()}"


def number(value: float | None) -> str:
    """A number of which one decimal matters, such as days."""
    return UNKNOWN if value is None else f"{value:,.1f}"


def share(value: float | None) -> str:
    """A change, with its sign; a small one with a decimal."""
    if value is None:
        return UNKNOWN
    written = f"{value:+.1%}" if abs(value) < 0.1 else f"{value:+,.0%}"
    return written.replace("-", "\N{MINUS SIGN}")


def chance(value: float) -> str:
    """A probability that was read from hundredths: beyond them nothing is sure."""
    return "under 1%" if value < 0.01 else "over 99%" if value > 0.99 else f"{value:.0%}"


def date(value: str | datetime | None) -> str:
    """A day, such as 5 Nov 2026."""
    if value is None:
        return UNKNOWN
    day = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    return f"{day.day} {day:%b %Y}"


def sentences(notification: Episode) -> tuple[str, str]:
    """What has happened, without the severity and place that stand beside it; then evidence, consequence, next step."""
    text = notification.notification.removeprefix(f"{notification.severity.upper()} · ")
    first, *rest = re.split("[.;] ", text.removeprefix(f"{notification.store_or_region} · "), maxsplit=1)
    return (f"{first}.", rest[0][:1].upper() + rest[0][1:]) if rest else (first, "")


def value_label(notification: Episode) -> str:
    """What its amount is: sales or units that may be lost, or all stock of which the record may be wrong."""
    return "At risk" if notification.type in {"stock", "forecast", "numerical"} else "Stock concerned"


def time(timestamp: datetime) -> str:
    """A day and time with its zone, such as 5 Nov 2026, 14:30 UTC."""
    return f"{date(timestamp)}, {timestamp:%H:%M %Z}"


def ago(since: datetime, now: datetime) -> str:
    """How long ago something was, in the unit that suits it."""
    passed = now - since
    for unit, length in (("day", timedelta(days=1)), ("hour", timedelta(hours=1)), ("minute", timedelta(minutes=1))):
        count = passed // length
        if count >= (2 if unit == "day" else 1):
            return f"{count:,} {unit}{'s' if count > 1 else ''} ago"
    return "just now"


def failed_build(at: datetime, now: datetime) -> str:
    """That the last build failed, and what that means for what is shown."""
    return f"The last build failed {ago(at, now)}. What you see is from before it."


def count(number: int, one: str, many: str) -> str:
    """A number with its noun."""
    return f"{number:,} {one if number == 1 else many}"


WRITTEN: dict[str, Callable[[Any], str]] = {"units": units, "money": money, "number": number, "date": date}


def written(value: Any, kind: str, now: datetime) -> str:
    """A value of a list, by the kind of its column."""
    if kind == "age":
        return UNKNOWN if value is None else ago(parse(value), now)
    if kind in WRITTEN:
        return WRITTEN[kind](value)
    return UNKNOWN if value is None else str(value)
