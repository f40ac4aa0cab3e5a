"""Who supplies the synthetic stores, and what they have on order: files that a shop hands in beside its events.

The orders are those by which the stores were refilled, also after the last event, for a replay.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import takewhile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv

from ingest.simulation.catalogue import CATALOGUE_KEY, COSTS, DELAYS, Catalogue, random_stream
from ingest.simulation.event_log import iso
from ingest.simulation.notes import product_name
from ingest.simulation.store import RECEIVING, SHORTEST_LEAD, Orders

SUPPLIERS = {
    "Electronics": ("Voltline", "Kestrel Components"),
    "Clothing": ("Northloom", "Marlow Textiles"),
    "Grocery": ("Greenfield Foods", "Harbour Dry Goods"),
    "Toys": ("Playmark", "Tinderbox Toys"),
    "Home": ("Hearth & Home", "Oakbridge"),
}
COST_SHARE = (0.5, 0.75)  # of the shelf price
DAYS_OF_ORDERS = 60
DELAYED = 0.04  # of the deliveries come later than was promised
ORDERED, EXPECTED, RECEIVED = time(22), time(12), time(RECEIVING[0] // 3600)


class Supply:
    """What each product of a catalogue is called, who supplies it, and what a unit costs."""

    def __init__(self, catalogue: Catalogue, seed: int) -> None:
        random = random_stream(seed, CATALOGUE_KEY, COSTS)
        self.catalogue, self.seed = catalogue, seed
        categories = [catalogue.categories[category] for category in catalogue.category]
        chosen = random.integers(0, 2, len(categories))
        names = zip(catalogue.product_ids, categories, strict=True)
        words = [" ".join(product_name(*product)) for product in names]
        self.names = [name[0].upper() + name[1:] for name in words]
        self.suppliers = [SUPPLIERS[name][which] for name, which in zip(categories, chosen, strict=True)]
        self.costs = np.round(np.median(catalogue.price, axis=1) * random.uniform(*COST_SHARE, len(categories)), 2)


def write_supply(supply: Supply, path: Path) -> None:
    """The products as a shop describes them."""
    catalogue = supply.catalogue
    _write(
        {
            "product_id": catalogue.product_ids,
            "name": supply.names,
            "unit": ["piece"] * len(supply.names),
            "pack_size": catalogue.pack,
            "minimum_order": catalogue.pack,
            "supplier": supply.suppliers,
            "unit_cost": supply.costs,
        },
        path,
    )


def write_order_events(supply: Supply, placed: list[list[Orders]], days: int, path: Path) -> None:
    """The orders of the last of `days` and of all later ones, as events in the order of their times.

    `placed` holds each chunk's orders of each store. A supplier promises the day of the delivery, but for the
    deliveries that are late.
    """
    catalogue = supply.catalogue
    events: list[tuple[datetime, dict[str, str | int | None]]] = []
    for store, chunks in enumerate(zip(*placed, strict=True)):
        orders = Orders(*(np.concatenate(columns) for columns in zip(*chunks, strict=True)))
        is_late = random_stream(supply.seed, store, DELAYS).random(len(orders.due)) < DELAYED
        promised = np.where(is_late, orders.placed + SHORTEST_LEAD, orders.due)
        for product, quantity, day, due, promise in zip(
            *(column.tolist() for column in (orders.product, orders.quantity, orders.placed, orders.due, promised)),
            strict=True,
        ):
            if day < days - DAYS_OF_ORDERS:
                continue
            ordered_at, expected_at, received_at = (
                datetime.combine(catalogue.first_day + timedelta(days=at), clock, UTC)
                for at, clock in ((day, ORDERED), (promise, EXPECTED), (due, RECEIVED))
            )
            supplier = supply.suppliers[product]
            line = {
                "order_id": f"{catalogue.stores[store]}-{ordered_at:%y%m%d}-{supplier[:4]}",
                "product_id": catalogue.product_ids[product],
                "store_location": catalogue.stores[store],
                "quantity_ordered": quantity,
                "ordered_at": iso(ordered_at),
                "expected_at": iso(expected_at),
                "received_at": None,
                "cancelled_at": None,
            }
            events.append((ordered_at, line))
            events.append((received_at, line | {"received_at": iso(received_at)}))
    events.sort(key=lambda event: event[0])
    _write({name: [line[name] for _, line in events] for name in ORDER_COLUMNS}, path)


def known_orders(order_events: Path, last_day: date) -> str:
    """The lines of the events before the evening of a day. What a store orders then is for its manager to decide."""
    evening = iso(datetime.combine(last_day, ORDERED, UTC))
    with order_events.open() as file:
        return "".join([next(file), *takewhile(lambda line: _happened_at(line) < evening, file)])


def _happened_at(line: str) -> str:
    event = dict(zip(ORDER_COLUMNS, line.split(","), strict=True))
    return event["received_at"] or event["ordered_at"]


ORDER_COLUMNS = (
    "order_id",
    "product_id",
    "store_location",
    "quantity_ordered",
    "ordered_at",
    "expected_at",
    "received_at",
    "cancelled_at",
)


def _write(columns: dict[str, object], path: Path) -> None:
    pacsv.write_csv(pa.table(columns), path, pacsv.WriteOptions(quoting_style="none"))
