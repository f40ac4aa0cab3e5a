"""Which readings are suspect, from the definitions in plain, slow Python: no SQL, nothing incremental."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from fractions import Fraction
from math import ceil, floor
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from tests.integration.oracle import Event

ACCEPTED_QUANTITY, ACCEPTED_PRICE = 1_000_000, 1_000_000
DAY = timedelta(days=1)


class Dip(NamedTuple):
    """A fall to 0 that came back: the place of its first reading of 0, and of the first one after it that is not."""

    readings: list[Event]
    start: int
    end: int

    @property
    def emptied_at(self) -> datetime:
        return self.readings[self.start].timestamp

    @property
    def refilled_at(self) -> datetime:
        return self.readings[self.end].timestamp

    @property
    def just_fallen_until(self) -> datetime:
        return min(self.refilled_at, self.emptied_at + DAY)

    @property
    def is_as_before(self) -> bool:
        before = _level(self.readings[self.start - 1])
        return 2 * abs(_level(self.readings[self.end]) - before) <= before

    @property
    def is_habit(self) -> bool:
        falls = [
            place
            for place in range(1, self.start)
            if _falls_to_zero(self.readings, place) and self.readings[place].timestamp >= self.emptied_at - 30 * DAY
        ]
        return 3 * len(falls) >= self.start - falls[0] if falls else self.start < 3


def suspects(products: dict[tuple[str, str], list[Event]]) -> set[Event]:
    """The readings to leave out, of accepted readings by store and product in the order of time."""
    found = {event for readings in products.values() for event in readings if abs(event.quantity) > ACCEPTED_QUANTITY}
    for store in {store for store, _ in products}:
        histories = [
            [event for event in readings if event not in found]
            for (place, _), readings in products.items()
            if place == store
        ]
        dips = [dip for readings in histories for dip in _dips(readings)]
        fallen = [dip for dip in dips if not dip.is_habit]
        closed_at = [
            timestamp for timestamp in _turning_points(histories, fallen) if _is_closed(timestamp, histories, fallen)
        ]
        for dip in dips:
            closed = dip in fallen and any(
                dip.emptied_at <= timestamp < dip.just_fallen_until for timestamp in closed_at
            )
            if closed or _is_lone_dip(dip):
                found.update(dip.readings[dip.start : dip.end])
        for readings in histories:
            found.update(readings[place] for place in range(1, len(readings) - 1) if _is_spike(readings, place))
            found.update(_beyond_own_past([(event, Fraction(_level(event))) for event in readings]))
    return found


def suspect_prices(products: dict[tuple[str, str], list[Event]]) -> set[Event]:
    """The readings whose price does not count, of accepted readings by store and product in the order of time."""
    return {
        event
        for readings in products.values()
        for event in _beyond_own_past(
            [
                (event, Fraction(event.price))
                for event in readings
                if abs(event.quantity) <= ACCEPTED_QUANTITY and is_accepted_price(event.price)
            ]
        )
    }


def is_accepted_price(price: str | None) -> bool:
    return price is not None and abs(Fraction(price)) <= ACCEPTED_PRICE


def _level(event: Event) -> int:
    return max(event.quantity, 0)


def _beyond_own_past(values: list[tuple[Event, Fraction]]) -> Iterator[Event]:
    """From a jump to more than 50 times the usual until it comes back, for five days at most."""
    for place in range(1, len(values)):
        event, jumped_to = values[place]
        jumped_from = values[place - 1][1]
        past = sorted(
            value for before, value in values[:place] if value > 0 and before.timestamp >= event.timestamp - 30 * DAY
        )
        if jumped_to <= max(10 * jumped_from, 1000) or len(past) < 10:
            continue
        highest = max(50 * past[ceil(len(past) * Fraction(4, 5)) - 1], 1000)
        if jumped_from <= highest < jumped_to:
            for later, value in values[place:]:
                if value <= highest or later.timestamp >= event.timestamp + 5 * DAY:
                    break
                yield later


def _falls_to_zero(readings: list[Event], place: int) -> bool:
    return _level(readings[place]) == 0 < _level(readings[place - 1])


def _dips(readings: list[Event]) -> Iterator[Dip]:
    for start in range(1, len(readings)):
        if _falls_to_zero(readings, start):
            end = next((place for place in range(start, len(readings)) if _level(readings[place]) > 0), None)
            if end is not None and readings[end].timestamp - readings[start].timestamp <= timedelta(hours=120):
                yield Dip(readings, start, end)


def _turning_points(histories: list[list[Event]], fallen: list[Dip]) -> set[datetime]:
    read = {event.timestamp for readings in histories for event in readings}
    return read | {timestamp + 7 * DAY for timestamp in read} | {dip.just_fallen_until for dip in fallen}


def _is_closed(timestamp: datetime, histories: list[list[Event]], fallen: list[Dip]) -> bool:
    falling = [dip for dip in fallen if dip.emptied_at <= timestamp < dip.just_fallen_until]
    last = [[event for event in readings if event.timestamp <= timestamp][-1:] for readings in histories]
    in_stock = sum(bool(event) and _level(event[0]) > 0 and timestamp < event[0].timestamp + 7 * DAY for event in last)
    as_before = sum(dip.is_as_before for dip in falling)
    return len(falling) >= 2 and 2 * as_before >= len(falling) and len(falling) > in_stock


def _recent_falls(readings: list[Event], place: int) -> list[int]:
    """What fell at each of the last 24 readings of the last 30 days."""
    return [
        max(_level(readings[before - 1]) - _level(readings[before]), 0) if before else 0
        for before in range(max(place - 24, 0), place)
        if readings[before].timestamp >= readings[place].timestamp - 30 * DAY
    ]


def _is_lone_dip(dip: Dip) -> bool:
    falls = sorted(_recent_falls(dip.readings, dip.start))
    if len(falls) < 10 or dip.readings[dip.start].quantity < 0 or not dip.is_as_before:
        return False
    usual = max(falls[len(falls) - floor(len(falls) * 0.2) - 1], 4)
    fallen = _level(dip.readings[dip.start - 1])
    return fallen >= 5 * usual and dip.refilled_at - dip.emptied_at <= timedelta(hours=48)


def _is_spike(readings: list[Event], place: int) -> bool:
    before, level, after = (_level(event) for event in readings[place - 1 : place + 2])
    return (
        min(before, after) > 0
        and level >= 10 * max(before, after)
        and 2 * abs(after - before) <= before
        and readings[place + 1].timestamp - readings[place].timestamp <= timedelta(hours=48)
        and 2 * max(_recent_falls(readings, place), default=0) < level - after
    )
