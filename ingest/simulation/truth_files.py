"""Files of the truth behind generated events: demand by day, products, promotions, stores."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from ingest.simulation.catalogue import COUNTRY, REGIONS, Catalogue
from ingest.simulation.store import StoreDays


@contextmanager
def demand_file(path: Path, catalogue: Catalogue) -> Iterator[Callable[[range, list[StoreDays]], None]]:
    """Open the truth by store, product and day, written a chunk of days over all stores at a time."""
    name = pa.dictionary(pa.int32(), pa.string())
    units = ["demand", "sales", "lost_sales", "receipts", "level"]
    schema = pa.schema(
        [("event_date", pa.date32()), ("store_location", name), ("category", name), ("product_id", name)]
        + [(unit, pa.int32()) for unit in units]
        + [("price", pa.float64()), ("promotion", pa.bool_())]
    )
    first_day = np.datetime64(catalogue.first_day, "D")

    with pq.ParquetWriter(
        path,
        schema,
        compression="zstd",
        use_dictionary=["event_date", "store_location", "category", "product_id", "price"],
    ) as file:

        def write(days: range, stores: list[StoreDays]) -> None:
            product, column = np.nonzero(np.arange(days.start, days.stop) >= catalogue.launch[:, None])
            day = column + days.start
            names, categories, ids = (
                pa.array(values) for values in (catalogue.stores, catalogue.categories, catalogue.product_ids)
            )
            shared = {
                "event_date": pa.array(first_day + day),
                "category": pa.DictionaryArray.from_arrays(catalogue.category[product].astype(np.int32), categories),
                "product_id": pa.DictionaryArray.from_arrays(product.astype(np.int32), ids),
                "price": pa.array(catalogue.price[product, day]),
                "promotion": pa.array(catalogue.promotion[product, day]),
            }
            tables = []
            for store, played in enumerate(stores):
                demand, sales, receipts, level = (values[product, column] for values in played)
                columns = shared | {
                    "store_location": pa.DictionaryArray.from_arrays(np.full(len(day), store, np.int32), names),
                    "demand": pa.array(demand),
                    "sales": pa.array(sales),
                    "lost_sales": pa.array(demand - sales),
                    "receipts": pa.array(receipts),
                    "level": pa.array(level),
                }
                tables.append(pa.table([columns[field] for field in schema.names], schema=schema))
            file.write_table(pa.concat_tables(tables))

        yield write


def write_products(catalogue: Catalogue, path: Path) -> None:
    """The products: category, launch and end of life where they lie within the data, and pack size in units."""

    def day(position: int, never: int) -> date | None:
        return None if position == never else catalogue.first_day + timedelta(days=position)

    length = catalogue.price.shape[1]
    table = pa.table(
        {
            "product_id": catalogue.product_ids,
            "category": [catalogue.categories[category] for category in catalogue.category],
            "launch_date": pa.array([day(int(launch), 0) for launch in catalogue.launch], pa.date32()),
            "end_of_life_date": pa.array([day(int(end), length) for end in catalogue.end], pa.date32()),
            "pack_size": pa.array(catalogue.pack, pa.int32()),
        }
    )
    pq.write_table(table, path)


def write_promotions(catalogue: Catalogue, path: Path) -> None:
    """The calendar of promotions as a shop hands it in: each product's first and last days, in all stores."""
    steps = np.diff(catalogue.promotion.astype(np.int8), axis=1, prepend=0, append=0)
    product, start = np.nonzero(steps == 1)
    _, stop = np.nonzero(steps == -1)
    first_day = np.datetime64(catalogue.first_day, "D")
    table = pa.table(
        {
            "product_id": [catalogue.product_ids[position] for position in product],
            "start_date": pa.array(first_day + start),
            "end_date": pa.array(first_day + stop - 1),
        }
    )
    pacsv.write_csv(table, path, pacsv.WriteOptions(quoting_style="none"))


def write_stores(catalogue: Catalogue, path: Path) -> None:
    """The stores as a shop describes them, the regions in turn."""
    regions = list(islice(cycle(REGIONS), len(catalogue.stores)))
    table = pa.table({"store_location": catalogue.stores, "region": regions, "country": [COUNTRY] * len(regions)})
    pacsv.write_csv(table, path, pacsv.WriteOptions(quoting_style="none"))
