"""What all synthetic stores share: the sizes of data sets, the products, their prices, promotions and usual demand."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import NamedTuple

import numpy as np

HELD_OUT_DAYS = 28  # the truth goes on for a forecast horizon after the last event
REGIONS, COUNTRY = ("North", "South", "West"), "GB"
CLOSING_DAYS = {(1, 1), (12, 25)}
WEEKDAY_FACTORS = np.array([0.85, 0.8, 0.9, 1.0, 1.25, 1.4, 0.8])  # Monday first, mean 1
SEASON_AMPLITUDE = 0.35
PROMOTION_PRICE, PROMOTION_DEMAND = 0.8, 1.8
PROMOTION_WEEKDAY = 3  # promotions run from Thursday to Wednesday
CLEARANCE_PRICE = 0.7
LAUNCHED, ENDED = 0.06, 0.03  # shares of the products that are launched, or reach their end, within the data
PRICE_CHANGES_PER_DAY = 1 / 150


class Category(NamedTuple):
    """What is typical of a category.

    `price` is in currency units, `demand` in units a day, `peak` a day of the year, `pack` the units that are delivered
    together, and `week` how strongly the days of the week differ.
    """

    price: float
    demand: float
    peak: int
    pack: int
    week: float


CATEGORIES = {
    "Electronics": Category(180.0, 0.8, 340, 1, 1.2),
    "Clothing": Category(38.0, 1.8, 280, 3, 1.1),
    "Grocery": Category(4.5, 8.0, 180, 12, 0.7),
    "Toys": Category(22.0, 1.4, 345, 4, 1.3),
    "Home": Category(30.0, 1.2, 120, 2, 0.9),
}


class Count(NamedTuple):
    """A time of the day at which shelves are read, from `start` to `end` (seconds); `sold` is the share of the day's
    sales that are made by then."""

    start: int
    end: int
    sold: float


AFTER_CLOSING = Count(20 * 3600, 22 * 3600, 1.0)
FOUR_PER_DAY = (
    Count(10 * 3600, 11 * 3600, 0.15),
    Count(13 * 3600, 14 * 3600, 0.45),
    Count(17 * 3600, 18 * 3600, 0.8),
    AFTER_CLOSING,
)


@dataclass(frozen=True)
class Profile:
    """The size of a data set, where `products` is the number in each category.

    If `wrong` is not 0, about so many labelled anomalies are put in, and malformed messages as well.
    """

    stores: int
    categories: int
    products: int
    days: int
    counts: tuple[Count, ...] = (AFTER_CLOSING,)
    wrong: int = 0

    @property
    def total_days(self) -> int:
        return self.days + HELD_OUT_DAYS


PROFILES = {
    "tiny": Profile(2, 2, 6, 120, wrong=6),
    "demo": Profile(5, 5, 40, 400, wrong=60),
    "100m": Profile(100, 5, 130, 400, counts=FOUR_PER_DAY),
}


@dataclass(frozen=True)
class Catalogue:
    """The products (p of them) by day (d, the held-out days included).

    `price` (p, d) is in currency units, `usual` (p, d) the planner's view of units a day: season, launch and end, but
    no weekday and no promotion; `expected` (p, d) the mean demand of an average store. `launch` and `end` (p) are days
    from `first_day`: a product is listed from its launch (0: always) and no longer ordered from its end (d: never).
    """

    first_day: date
    stores: list[str]
    categories: list[str]
    category: np.ndarray
    product_ids: list[str]
    pack: np.ndarray
    launch: np.ndarray
    end: np.ndarray
    price: np.ndarray
    promotion: np.ndarray
    usual: np.ndarray
    expected: np.ndarray
    is_open: np.ndarray


# what a random stream is for; streams of one (seed, store) differ in the upper words of their counter
STORE, DEMAND, LEAD_TIMES, READINGS, SPOILING, COSTS, DELAYS = range(7)
CATALOGUE_KEY = 2**63  # a key beyond all stores


def random_stream(seed: int, store: int, stream: int = STORE, chunk: int = 0) -> np.random.Generator:
    """The random numbers of one store, purpose and chunk of days: the same in any process and order."""
    return np.random.Generator(np.random.Philox(key=[seed, store], counter=[0, 0, chunk, stream]))


def make_catalogue(profile: Profile, seed: int, end: date) -> Catalogue:
    """The products of a profile whose last day with events is the day before `end`."""
    random = random_stream(seed, CATALOGUE_KEY)
    names = list(CATEGORIES)[: profile.categories]
    category = np.repeat(np.arange(profile.categories), profile.products)
    traits = {field: np.array([getattr(CATEGORIES[name], field) for name in names]) for field in Category._fields}
    count, length = len(category), profile.total_days
    first_day = end - timedelta(days=profile.days)
    days = [first_day + timedelta(days=index) for index in range(length)]
    elapsed = np.arange(length)

    launch, out = np.zeros(count, dtype=int), np.full(count, length)
    chosen = random.permutation(count)
    launches, ends = max(1, round(LAUNCHED * count)), max(1, round(ENDED * count))
    launch[chosen[:launches]] = random.integers(profile.days // 6, profile.days * 9 // 10, launches)
    # late in the data: by its level alone, a product that is no longer sold looks out of stock
    out[chosen[launches : launches + ends]] = random.integers(profile.days * 6 // 10, profile.days * 9 // 10, ends)

    base_price = traits["price"][category] * random.lognormal(0, 0.5, count)
    changes = np.where(
        random.random((count, length)) < PRICE_CHANGES_PER_DAY, random.normal(0.02, 0.06, (count, length)), 0
    )
    price = _shelf_price(base_price[:, None] * np.exp(np.cumsum(changes, axis=1)))
    week = np.array([(day.toordinal() - 1 - PROMOTION_WEEKDAY) // 7 for day in days])
    cycle, offset = random.integers(6, 14, count), random.integers(0, 14, count)
    is_over = elapsed >= out[:, None]
    promotion = ((week + offset[:, None]) % cycle[:, None] == 0) & ~is_over
    price = np.where(promotion, PROMOTION_PRICE, np.where(is_over, CLEARANCE_PRICE, 1)) * price

    day_of_year = np.array([day.timetuple().tm_yday for day in days])
    peak = traits["peak"][category][:, None]
    season = 1 + SEASON_AMPLITUDE * np.cos(2 * np.pi * (day_of_year - peak) / 365.25)
    age = elapsed - launch[:, None]
    novelty = np.where(launch[:, None] > 0, 1 + 0.8 * np.exp(-np.maximum(age, 0) / 20), 1)
    rate = traits["demand"][category] * random.lognormal(0, 0.9, count)
    usual = rate[:, None] * season * novelty * (age >= 0)
    is_open = np.array([(day.month, day.day) not in CLOSING_DAYS for day in days])
    weekday = 1 + traits["week"][category][:, None] * (WEEKDAY_FACTORS[[day.weekday() for day in days]] - 1)
    return Catalogue(
        first_day=first_day,
        stores=[f"Store_{_letters(store)}" for store in range(profile.stores)],
        categories=names,
        category=category,
        product_ids=[f"P{index + 1:04d}" for index in range(count)],
        pack=traits["pack"][category],
        launch=launch,
        end=out,
        price=np.round(price, 2),
        promotion=promotion,
        usual=usual,
        expected=usual * weekday * is_open * np.where(promotion, PROMOTION_DEMAND, 1),
        is_open=is_open,
    )


def _shelf_price(price: np.ndarray) -> np.ndarray:
    """Prices as shops write them: they end in 9, and from 10 on in .99."""
    return np.where(price < 10, np.maximum(np.round(price, 1), 0.2), np.round(price)) - 0.01


def _letters(number: int) -> str:
    """A, B, …, Z, AA, AB, …"""
    text = ""
    number += 1
    while number:
        number, letter = divmod(number - 1, 26)
        text = chr(ord("A") + letter) + text
    return text
