"""One store's days: demand comes, shelves run down, an (s, S) rule refills them, and someone reads the levels."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ingest.simulation.catalogue import DEMAND, LEAD_TIMES, READINGS, Catalogue, Profile, random_stream

MISSING, LATE, REPEATED = 0.01, 0.005, 0.005
LATEST, LAST_REPEAT = 3 * 86400, 7200  # seconds after the reading, and after its first arrival
DAYS_TO_COVER, SERVICE_FACTOR = 7, 0.8  # a delivery takes 3 to 8 days; the factor leaves a few stock-outs
ORDER_DAYS = 14
SHORTEST_LEAD, LONGEST_LEAD = 3, 8
DAY_SHOCK = 0.15  # weather, paydays, roadworks: all products of a store move together
RECEIVING = (6 * 3600, 9 * 3600)


class StoreDays(NamedTuple):
    """What happened in a store, each products by days, in units; `level` is the one at closing time."""

    demand: np.ndarray
    sales: np.ndarray
    receipts: np.ndarray
    level: np.ndarray


class Orders(NamedTuple):
    """Orders of a store as columns of equal length: `product` as position in the catalogue, `quantity` in units, and
    the days on whose evening they were placed and in whose morning they come."""

    product: np.ndarray
    quantity: np.ndarray
    placed: np.ndarray
    due: np.ndarray


class Readings(NamedTuple):
    """Stock readings as columns of equal length: `arrival` and `timestamp` in seconds from the first day's midnight,
    `store` and `product` as positions in the catalogue, `quantity` in units."""

    arrival: np.ndarray
    timestamp: np.ndarray
    store: np.ndarray
    product: np.ndarray
    quantity: np.ndarray


class Store:
    """A store between two days. `advance` must be called with chunk 0, 1, 2 … in turn."""

    def __init__(self, store: int, seed: int, catalogue: Catalogue) -> None:
        random = random_stream(seed, store)
        count = len(catalogue.product_ids)
        self._store, self._seed, self._catalogue = store, seed, catalogue
        self._taste = random.uniform(0.6, 1.5) * random.lognormal(0, 0.3, count)
        self._dispersion = 1 + self._taste * catalogue.usual.mean(axis=1) / 2
        reorder_point, order_up_to = self._policy(0)
        self._level = np.floor(random.uniform(reorder_point, order_up_to)).astype(np.int64) * (catalogue.launch == 0)
        # one more day than the longest lead time, and one for a closing day
        self._on_order = np.zeros((LONGEST_LEAD + 2, count), dtype=np.int64)

    def advance(self, chunk: int, days: range) -> tuple[StoreDays, Orders]:
        """Play the days of a chunk; the orders are those placed in it."""
        catalogue = self._catalogue
        expected = self._taste[:, None] * catalogue.expected[:, days.start : days.stop]
        random = random_stream(self._seed, self._store, DEMAND, chunk)
        expected = expected * random.lognormal(0, DAY_SHOCK, len(days))
        dispersion = self._dispersion[:, None]
        demand = random.negative_binomial(dispersion, dispersion / (dispersion + expected))
        lead_times = random_stream(self._seed, self._store, LEAD_TIMES, chunk).integers(
            SHORTEST_LEAD, LONGEST_LEAD, demand.shape, endpoint=True
        )
        played = StoreDays(demand, *(np.empty_like(demand) for _ in range(3)))
        orders = [
            self._play(day, lead_times[:, position], *(column[:, position] for column in played))
            for position, day in enumerate(days)
        ]
        return played, Orders(*(np.concatenate(columns) for columns in zip(*orders, strict=True)))

    def _play(
        self,
        day: int,
        lead_time: np.ndarray,
        demand: np.ndarray,
        sales: np.ndarray,
        receipts: np.ndarray,
        level: np.ndarray,
    ) -> Orders:
        """Fill in one day. After a product's end of life there is no demand, so no sales are lost."""
        catalogue, slots = self._catalogue, len(self._on_order)
        reorder_point, order_up_to = self._policy(day)
        receipts[:] = self._on_order[day % slots]
        self._on_order[day % slots] = 0
        if day > 0:
            receipts[catalogue.launch == day] += np.ceil(order_up_to[catalogue.launch == day]).astype(np.int64)
        self._level += receipts
        demand[:] = np.where(day >= catalogue.end, np.minimum(demand, self._level), demand)
        sales[:] = np.minimum(demand, self._level)
        self._level -= sales
        level[:] = self._level

        ordering = (catalogue.launch <= day) & (day < catalogue.end) & catalogue.is_open[day]
        position = self._level + self._on_order.sum(axis=0)
        wanted = np.ceil((order_up_to - position) / catalogue.pack).astype(np.int64) * catalogue.pack
        due = day + lead_time
        due += ~catalogue.is_open[np.minimum(due, len(catalogue.is_open) - 1)]
        buyers = np.flatnonzero(ordering & (position <= reorder_point))
        self._on_order[due[buyers] % slots, buyers] += wanted[buyers]
        return Orders(buyers, wanted[buyers], np.full(len(buyers), day), due[buyers])

    def _policy(self, day: int) -> tuple[np.ndarray, np.ndarray]:
        """Reorder point s and order-up-to level S: the planner knows the season, but neither shocks nor promotions."""
        usual = self._taste * self._catalogue.usual[:, day]
        spread = np.sqrt(DAYS_TO_COVER * (usual + usual**2 / self._dispersion))
        reorder_point = np.ceil(DAYS_TO_COVER * usual + SERVICE_FACTOR * spread)
        return reorder_point, np.ceil(reorder_point + np.maximum(ORDER_DAYS * usual, self._catalogue.pack))

    def read(self, chunk: int, days: range, played: StoreDays, profile: Profile) -> Readings:
        """The readings of a chunk that reach the feed: some are missing, some late, some arrive twice.

        Shelves are read at the profile's times of the day, and in the morning after a receipt.
        """
        random = random_stream(self._seed, self._store, READINGS, chunk)
        day = np.arange(days.start, days.stop)
        listed = (day >= self._catalogue.launch[:, None]) & (day < profile.days)
        part = random.random(played.sales.shape, dtype=np.float32)
        timestamps, products, quantities = [], [], []
        for start, end, sold in profile.counts:
            product, column = np.nonzero(listed)
            timestamps.append(day[column] * 86400 + random.integers(start, end, len(column)))
            products.append(product)
            quantities.append((played.level + played.sales - np.floor(played.sales * sold + part))[product, column])
        product, column = np.nonzero(listed & (played.receipts > 0))
        timestamps.append(day[column] * 86400 + random.integers(*RECEIVING, len(column)))
        products.append(product)
        quantities.append((played.level + played.sales)[product, column])

        timestamp = np.concatenate(timestamps).astype(np.int32)
        product = np.concatenate(products).astype(np.int32)
        quantity = np.concatenate(quantities).astype(np.int32)
        fate = random.random(len(timestamp), dtype=np.float32)
        late = (fate >= MISSING) & (fate < MISSING + LATE)
        arrival = timestamp.copy()
        arrival[late] += random.integers(3600, LATEST, np.count_nonzero(late), dtype=np.int32)
        repeated = np.flatnonzero(fate >= 1 - REPEATED)
        again = arrival[repeated] + random.integers(1, LAST_REPEAT, len(repeated), dtype=np.int32)
        order = np.concatenate([np.flatnonzero(fate >= MISSING), repeated])
        arrival = np.concatenate([arrival[fate >= MISSING], again])
        return Readings(
            arrival, timestamp[order], np.full(len(order), self._store, np.int32), product[order], quantity[order]
        )
