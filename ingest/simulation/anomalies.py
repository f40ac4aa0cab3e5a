"""The kinds of labelled anomalies, and of hard negatives: what is unusual but true, and must not alert.

A kind is a function. It says which readings of a series change, and how, if the anomaly begins at a given position, or
None where it does not fit (an empty shelf cannot leak). Magnitudes are factors, shares, units, days or years, as the
kind's summary says.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from ingest.simulation.event_log import Change, EventLog, Point, SeriesKey, iso, within

HISTORY = 20  # readings before an anomaly where the series has as many, so that there is a past to judge it by
DAYS_BETWEEN_ANOMALIES = 14  # of one series
TRIES = 2000
LASTING_DAYS = 21
TRUTH_COLUMNS = (
    "anomaly_id", "kind", "store", "category", "product", "start", "end", "magnitude", "original", "injected",
    "expected_detector",
)  # fmt: skip
WHOLE_CATEGORY = "N/A"


@dataclass(frozen=True)
class Place:
    """Where an anomaly begins: position `start` in the `points` of a series."""

    log: EventLog
    points: list[Point]
    start: int

    @property
    def point(self) -> Point:
        return self.points[self.start]

    @property
    def before(self) -> int:
        return self.points[self.start - 1].quantity

    @property
    def after(self) -> int | None:
        """The next level, None where there is none yet."""
        return self.points[self.start + 1].quantity if self.start + 1 < len(self.points) else None

    @property
    def is_calm(self) -> bool:
        """The levels around are alike, so that the change is what its kind says, and not a sell-out or a delivery."""
        level, near = self.point.quantity, (self.before, self.after)
        return level >= 5 and all(other is None or 0.6 <= other / level <= 1.15 for other in near)


Plant = Callable[[Place, float], "list[Change] | None"]


@dataclass(frozen=True)
class Kind:
    """A kind of anomaly: the magnitudes drawn from when none is given, their limits, and who ought to find it."""

    name: str
    summary: str
    magnitudes: tuple[float, ...]
    limits: tuple[float, float]
    detector: str | Callable[[Place, float], str]
    plant: Plant

    def expected_detector(self, place: Place, magnitude: float) -> str:
        return self.detector if isinstance(self.detector, str) else self.detector(place, magnitude)


def _quantity(point: Point, level: float) -> Change:
    return Change(point, {"quantity": round(level)})


def _scaled(place: Place, magnitude: float) -> list[Change] | None:
    level = round(place.point.quantity * magnitude)
    return [_quantity(place.point, level)] if place.is_calm and level != place.point.quantity else None


def _spike_detector(place: Place, magnitude: float) -> str:
    if magnitude < 10:
        return "isolation_forest"
    return "quantity_jump" if place.after is None else "returned_spike"


def _spike(place: Place, magnitude: float) -> list[Change] | None:
    around = max(place.before, place.point.quantity, place.after or 0)
    return [_quantity(place.point, around * magnitude)] if place.is_calm else None


def _drop_to_zero(place: Place, _: float) -> list[Change] | None:
    return [_quantity(place.point, 0)] if place.is_calm and place.point.quantity >= 10 else None


def _negative(place: Place, magnitude: float) -> list[Change] | None:
    return [_quantity(place.point, -magnitude)]


def _price(place: Place, magnitude: float) -> list[Change] | None:
    price = place.point.price
    return [Change(place.point, {"price": round(price * magnitude, 2)})] if price and price >= 0.5 else None


def _slow_leak(place: Place, magnitude: float) -> list[Change] | None:
    points = within(place.points, place.start, LASTING_DAYS)
    if place.point.quantity < 10:
        return None
    kept = [(1 - magnitude / 100) ** (_days(points[0], point) + 1) for point in points]
    return _levels(points, [point.quantity * share for point, share in zip(points, kept, strict=True)])


def _level_shift(place: Place, magnitude: float) -> list[Change] | None:
    points = within(place.points, place.start, LASTING_DAYS)
    if min(point.quantity for point in points) < 3:
        return None
    return _levels(points, [point.quantity * magnitude for point in points])


def _phantom_stock(place: Place, magnitude: float) -> list[Change] | None:
    empty = list(_until_delivery(place))
    if place.before == 0 or len(empty) < 3 or any(point.quantity != 0 for point in empty):
        return None
    return _levels(empty, [magnitude] * len(empty))


def _stuck_sensor(place: Place, magnitude: float) -> list[Change] | None:
    points = within(place.points, place.start + 1, magnitude) if place.after is not None else []
    if len({point.quantity for point in points}) < 3:
        return None
    return _levels(points, [place.point.quantity] * len(points))


def _missing_block(place: Place, magnitude: float) -> list[Change] | None:
    stop = place.point.timestamp + timedelta(days=magnitude)
    return [
        Change(point, None)
        for (store, _), points in place.log.series.items()
        if store == place.point.store and points[-1].category == place.point.category
        for point in _between(points, place.point.timestamp, stop)
    ]


def _duplicate(place: Place, magnitude: float) -> list[Change] | None:
    return [Change(place.point, {}, added=True)] * round(magnitude)


def _conflicting(place: Place, magnitude: float) -> list[Change] | None:
    return [Change(place.point, {"quantity": place.point.quantity + round(magnitude)}, added=True)]


def _future_clock(place: Place, magnitude: float) -> list[Change] | None:
    ahead = timedelta(days=365) * magnitude
    return [Change(place.point, {"event_timestamp": iso(place.point.timestamp + ahead)})]


def _swapped_store(place: Place, magnitude: float) -> list[Change] | None:
    here = within(place.points, place.start, magnitude)
    for (store, product), points in place.log.series.items():
        if product == place.point.product and store != place.point.store:
            there = _between(points, here[0].timestamp, here[0].timestamp + timedelta(days=magnitude))
            if there and {point.quantity for point in there} != {point.quantity for point in here}:
                return [Change(point, {"store_location": store}) for point in here] + [
                    Change(point, {"store_location": place.point.store}) for point in there
                ]
    return None


def _wrong_category(place: Place, magnitude: float) -> list[Change] | None:
    categories = sorted({points[-1].category for points in place.log.series.values()} - {place.point.category})
    if not categories:
        return None
    wrong = categories[place.start % len(categories)]
    return [Change(point, {"category": wrong}) for point in within(place.points, place.start, magnitude)]


def _restock(place: Place, magnitude: float) -> list[Change] | None:
    points = list(_until_delivery(place))
    usual = max(point.quantity for point in place.points[: place.start])
    if len(points) < 3 or usual < 5:
        return None
    return _levels(points, [point.quantity + usual * magnitude for point in points])


def _promotion(place: Place, magnitude: float) -> list[Change] | None:
    days = 7
    if place.point.price is None or place.point.price < 0.5:
        return None
    promoted = within(place.points, place.start, days)
    levels = _sold_faster(place, [magnitude] * len(promoted))
    prices = {point: round(point.price * 0.8, 2) for point in promoted if point.price is not None}
    changes = [
        Change(point, {"quantity": level} | ({"price": prices[point]} if point in prices else {}))
        for point, level in levels
    ]
    return changes if any(point.quantity != level for point, level in levels) else None


def _season_peak(place: Place, magnitude: float) -> list[Change] | None:
    season = within(place.points, place.start, 2 * LASTING_DAYS)
    rise = np.sin(np.linspace(0, np.pi, len(season)))
    levels = _sold_faster(place, list(1 + (magnitude - 1) * rise))
    changed = [(point, level) for point, level in levels if level != point.quantity]
    return [_quantity(point, level) for point, level in changed] if len(changed) >= 3 else None


def _launch(place: Place, _: float) -> list[Change] | None:
    product = f"{place.point.product}-NEW"
    if (place.point.store, product) in place.log.series or len(place.points) - place.start < HISTORY:
        return None
    return [Change(point, {"product_id": product}, added=True) for point in place.points[place.start :]]


def _bulk_sale(place: Place, magnitude: float) -> list[Change] | None:
    if not place.is_calm or place.point.quantity < 10:
        return None
    sold = round(place.point.quantity * magnitude)
    points = list(_until_delivery(place))
    return _levels(points, [max(point.quantity - sold, 0) for point in points])


def _days(first: Point, point: Point) -> int:
    return (point.timestamp - first.timestamp).days


def _levels(points: Iterable[Point], levels: Iterable[float]) -> list[Change] | None:
    """The changes that give points these levels; None where nothing would change."""
    changes = [
        _quantity(point, level) for point, level in zip(points, levels, strict=True) if round(level) != point.quantity
    ]
    return changes or None


def _between(points: list[Point], start: datetime, stop: datetime) -> list[Point]:
    timestamps = [point.timestamp for point in points]
    return points[bisect.bisect_left(timestamps, start) : bisect.bisect_left(timestamps, stop)]


def _until_delivery(place: Place) -> Iterable[Point]:
    """The points from the place on until the level rises again."""
    level = place.point.quantity
    for point in place.points[place.start :]:
        if point.quantity > level:
            return
        level = point.quantity
        yield point


def _sold_faster(place: Place, factors: list[float]) -> list[tuple[Point, int]]:
    """The levels if each fall is `factor` times as large.

    The next delivery brings what is missing, since orders fill up to a level.
    """
    levels, missing, previous = [], 0, place.before
    for position, point in enumerate(place.points[place.start :]):
        if point.quantity > previous:
            missing = 0
        if position < len(factors):
            missing += round(max(previous - point.quantity, 0) * (factors[position] - 1))
        elif not missing:
            break
        levels.append((point, max(point.quantity - missing, min(point.quantity, 0))))
        previous = point.quantity
    return levels


NONE, FOREST = "none", "isolation_forest"
KINDS = {
    kind.name: kind
    for kind in (
        Kind("spike", "one level times magnitude", (1.5, 3, 10), (1.1, 1e6), _spike_detector, _spike),
        Kind("drop_to_zero", "one level read as 0", (0,), (0, 0), FOREST, _drop_to_zero),
        Kind("negative", "one level of minus magnitude units", (1, 3, 12), (1, 1e6), "negative_stock", _negative),
        Kind("unit_error", "packs for units: times magnitude", (12, 100), (2, 1e6), _spike_detector, _scaled),
        Kind("price_jump", "one price times magnitude", (10, 0.1, 4, 1.5), (0.01, 1000), "price_outlier", _price),
        Kind("price_zero", "one price of 0", (0,), (0, 0), "zero_price", _price),
        Kind("slow_leak", "magnitude % lost a day, 21 days", (2, 3, 5), (0.5, 20), FOREST, _slow_leak),
        Kind("level_shift", "levels times magnitude, 21 days", (0.5, 1.5, 2), (0.05, 20), FOREST, _level_shift),
        Kind("phantom_stock", "magnitude units on an empty shelf", (2, 5, 10), (1, 1e6), FOREST, _phantom_stock),
        Kind("stuck_sensor", "the same level for magnitude days", (5, 10, 20), (2, 90), FOREST, _stuck_sensor),
        Kind("missing_block", "category silent, magnitude days", (3, 7), (1, 90), "stale_product", _missing_block),
        Kind("duplicate", "a message magnitude more times", (1, 3), (1, 100), "deduplication", _duplicate),
        Kind("conflicting", "also read magnitude higher", (1, 5, 30), (1, 1e6), "conflicting_reading", _conflicting),
        Kind("future_clock", "a clock magnitude years ahead", (2, 10), (2, 100), "future_clock", _future_clock),
        Kind("swapped_store", "stores exchanged for magnitude days", (3, 7), (1, 60), FOREST, _swapped_store),
        Kind(
            "wrong_category", "magnitude days elsewhere", (1, 3), (1, 60), "product_in_two_categories", _wrong_category
        ),
        Kind("unexpected_restock", "magnitude times the highest more", (0.5, 1, 2), (0.1, 100), FOREST, _restock),
        Kind("promotion", "true: a week of sales times magnitude, -20 %", (1.8,), (1.1, 10), NONE, _promotion),
        Kind("season_peak", "true: six weeks up to times magnitude", (1.5, 2), (1.1, 10), NONE, _season_peak),
        Kind("launch", "true: a new product", (1,), (1, 1), NONE, _launch),
        Kind("bulk_sale", "true: this share of the stock sold", (0.4, 0.7), (0.1, 1), NONE, _bulk_sale),
    )
}
HARD_NEGATIVES = tuple(kind.name for kind in KINDS.values() if kind.detector == NONE)


class NoPlaceError(ValueError):
    """The anomaly would nowhere be what its name says; the message says what to try."""


@dataclass
class Introduction:
    """Anomalies put into an event log, one after the other, each at a distance from the others of its series."""

    log: EventLog
    truth: list[dict[str, Any]] = field(default_factory=list)  # rows of the truth table, earlier ones included
    _taken: dict[SeriesKey, list[tuple[datetime, datetime]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for row in self.truth:
            span = datetime.fromisoformat(row["start"]), datetime.fromisoformat(row["end"])
            for key, points in self.log.series.items():
                whole = row["product"] == WHOLE_CATEGORY and points[-1].category == row["category"]
                if key[0] == row["store"] and (whole or key[1] == row["product"]):
                    self._taken.setdefault(key, []).append(span)

    def put(
        self,
        kind: Kind,
        random: np.random.Generator,
        *,
        magnitude: float | None = None,
        store: str | None = None,
        product: str | None = None,
        at: datetime | None = None,
        since: datetime | None = None,
    ) -> dict[str, Any]:
        """Introduce one anomaly and return its row of the truth table.

        What is not given is drawn: the magnitude from the kind's own, store and product from those in the log, and
        the timestamp (`at`: the first reading from then on) from the readings at or after `since`. Raises NoPlaceError.
        """
        if magnitude is None:
            magnitude = float(random.choice(kind.magnitudes))
        keys = [key for key in self.log.series if store in {None, key[0]} and product in {None, key[1]}]
        for _ in range(TRIES):
            points = self.log.series[keys[random.integers(len(keys))]]
            start = _start(points, random, at, since)
            if start is None:
                continue
            place = Place(self.log, points, start)
            changes = kind.plant(place, magnitude)
            if changes and self._is_free(changes):
                return self._carry_out(kind, place, magnitude, changes)
        raise NoPlaceError(
            f"no place for {kind.name} ({kind.summary}) with magnitude {magnitude:g}: the readings there do not allow "
            "it, or lie too close to another anomaly. Try another store, product, time or magnitude."
        )

    def _is_free(self, changes: list[Change]) -> bool:
        spacing = timedelta(days=DAYS_BETWEEN_ANOMALIES)
        return not any(
            start - spacing <= change.point.timestamp <= end + spacing
            for change in changes
            for start, end in self._taken.get((change.point.store, change.point.product), ())
        )

    def _carry_out(self, kind: Kind, place: Place, magnitude: float, changes: list[Change]) -> dict[str, Any]:
        for change in changes:
            self.log.apply(change)
            key = change.point.store, change.point.product
            self._taken.setdefault(key, []).append((change.point.timestamp, change.point.timestamp))
        own = [change for change in changes if change.point.store == place.point.store]
        original, injected = _greatest_change(own)
        row = {
            "anomaly_id": f"A{len(self.truth) + 1:05d}",
            "kind": kind.name,
            "store": place.point.store,
            "category": place.point.category,
            "product": WHOLE_CATEGORY if kind.name == "missing_block" else (own[0].fields or {}).get(
                "product_id", place.point.product
            ),
            "start": iso(min(change.point.timestamp for change in own)),
            "end": iso(max(change.point.timestamp for change in own)),
            "magnitude": f"{magnitude:g}",
            "original": original,
            "injected": injected,
            "expected_detector": kind.expected_detector(place, magnitude),
        }  # fmt: skip
        self.truth.append(row)
        return row


def _start(points: list[Point], random: np.random.Generator, at: datetime | None, since: datetime | None) -> int | None:
    """A position with a past: the first from `at` on, or else any at or after `since`."""
    first = max(1, min(HISTORY, len(points) // 2))
    earliest = at or since
    if earliest is not None:
        found = bisect.bisect_left([point.timestamp for point in points], earliest)
        first = max(1 if at else first, found)
    if first >= len(points):
        return None
    return first if at is not None else int(random.integers(first, len(points)))


def _greatest_change(changes: list[Change]) -> tuple[Any, Any]:
    """The changed field before and after, in the reading that differs most.

    A removed reading has nothing after, a new product nothing before, and a repeat has the same on both sides.
    """

    def pair(change: Change) -> tuple[Any, Any]:
        point = change.point
        if change.fields is None:
            return point.quantity, ""
        if "product_id" in change.fields:
            return "", point.quantity
        before = {
            "quantity": point.quantity,
            "price": point.price,
            "category": point.category,
            "store_location": point.store,
            "event_timestamp": iso(point.timestamp),
        }
        name = next(iter(change.fields), "quantity")
        return before[name], change.fields.get(name, before[name])

    pairs = [pair(change) for change in changes]
    numbers = [(before, after) for before, after in pairs if isinstance(before, int | float) and after != ""]
    measurable = [pair for pair in numbers if not isinstance(pair[1], str)]
    return max(measurable, key=lambda pair: abs(pair[1] - pair[0])) if measurable else pairs[0]
