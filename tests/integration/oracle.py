"""What `metrics` has to hold, computed from the definitions in plain, slow Python: no SQL, no running sums."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from fractions import Fraction
from typing import NamedTuple

from tests.integration.suspects import is_accepted_price, suspect_prices, suspects

MICROSECOND = timedelta(microseconds=1)
EPOCH = datetime(1970, 1, 1)
HOUR, DAY = 3_600_000_000, 86_400_000_000


class Event(NamedTuple):
    """One reading as it arrives; quantity in units, price in currency units or None."""

    store_location: str
    product_id: str
    category: str
    quantity: int
    price: str | None
    timestamp: datetime


class Level(NamedTuple):
    at: int
    category: str
    units: int
    price: Fraction | None


Metrics = dict[tuple[str, str, datetime], tuple[int, float | None, float | None, float | None]]


def metrics(events: list[Event]) -> Metrics:
    """(store, category, end of the hour) → (total_quantity, avg_price, total_stock_value, turnover_rate)."""
    accepted = accepted_readings(events)
    left_out, priced_wrongly = suspects(accepted), suspect_prices(accepted)
    products = {
        key: _levels([reading for reading in readings if reading not in left_out], priced_wrongly)
        for key, readings in accepted.items()
    }
    end = max((event.timestamp - EPOCH) // MICROSECOND for event in events)
    series = {(store, level.category) for (store, _), levels in products.items() for level in levels}
    result = {}
    for store, category in series:
        histories = [levels for (place, _), levels in products.items() if place == store]
        first = min(level.at for levels in histories for level in levels if level.category == category)
        bucket = -(-first // HOUR) * HOUR
        changes = _changes(histories, category)
        while bucket < end + HOUR:
            if _is_filled(bucket, max(change for change in changes if change <= bucket), end):
                result[store, category, EPOCH + bucket * MICROSECOND] = _measure(histories, category, first, bucket)
            bucket += HOUR
    return result


def _changes(histories: list[list[Level]], category: str) -> list[int]:
    """When the category was read, or a product left it."""
    return [
        level.at
        for levels in histories
        for before, level in zip([None, *levels], levels, strict=False)
        if category in (level.category, before and before.category)
    ]


def _is_filled(bucket: int, last_change: int, end: int) -> bool:
    """Of a silence, the first 366 whole days and the last ones before the newest reading have rows."""
    first_day, last_day = ((timestamp - 1) // DAY for timestamp in (last_change, end))
    return bucket <= (first_day + 1 + 366) * DAY or bucket > (last_day - 366) * DAY


def accepted_readings(events: list[Event]) -> dict[tuple[str, str], list[Event]]:
    """Per store and product, in the order of time."""
    products: dict[tuple[str, str], dict[datetime, Event]] = defaultdict(dict)
    for event in dict.fromkeys(events):  # a repeat is the first arrival again
        products[event.store_location, event.product_id][event.timestamp] = event  # a later arrival wins
    return {key: [readings[timestamp] for timestamp in sorted(readings)] for key, readings in products.items()}


def _levels(readings: list[Event], priced_wrongly: set[Event]) -> list[Level]:
    levels: list[Level] = []
    price: Fraction | None = None
    for reading in readings:
        if reading.price is not None and is_accepted_price(reading.price) and reading not in priced_wrongly:
            price = Fraction(reading.price)
        timestamp = (reading.timestamp - EPOCH) // MICROSECOND
        levels.append(Level(timestamp, reading.category, max(reading.quantity, 0), price))
    return levels


def _measure(
    histories: list[list[Level]], category: str, first: int, end: int
) -> tuple[int, float | None, float | None, float | None]:
    start = max(end - 30 * DAY, first)
    total, value, stock_time, units_out = 0, Fraction(0), 0, 0
    prices = []
    for levels in histories:
        for index, level in enumerate(levels):
            if level.at > end:
                break
            until = min(levels[index + 1].at, end) if index + 1 < len(levels) else end
            if level.category == category:
                stock_time += level.units * max(until - max(level.at, start), 0)
                if index and level.at > end - 30 * DAY:
                    units_out += max(levels[index - 1].units - level.units, 0)
                if index + 1 == len(levels) or levels[index + 1].at > end:
                    total += level.units
                    if level.price is not None:
                        prices.append(level.price)
                        value += level.units * level.price
    average = Fraction(stock_time, end - start) if end > start else Fraction(total)
    return (
        total,
        float(sum(prices) / len(prices)) if prices else None,
        float(value) if prices else None,
        float(units_out / average) if average else None,
    )
