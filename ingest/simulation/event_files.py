"""Files of stock readings and their truth, written batch by batch: NDJSON, CSV or Parquet, as their ending says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import click
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ingest.events import FIELDS
from ingest.simulation.catalogue import Catalogue
from ingest.simulation.store import Readings

FORMATS = (".ndjson", ".csv", ".parquet")
PIECE = 200_000  # lines that are put together at a time

Write = Callable[[Readings], None]


def truth_folder(events: Path) -> Path:
    """The folder with the truth of an events file."""
    return events.with_suffix(".truth")


def refuse_existing(out: Path, force: bool) -> None:
    """Raise a click error where `out`, or a truth of its name, exists and may not be replaced."""
    for path in (out, truth_folder(out)):
        if path.exists() and not force:
            raise click.ClickException(f"{path} exists. Name another --out, or add --force to replace it.")


@contextmanager
def event_file(path: Path, file_format: str, catalogue: Catalogue) -> Iterator[Write]:
    """Open a file of events; gives the function that appends readings to it in their order.

    `file_format` is one of FORMATS.
    """
    columns = _Columns(catalogue)
    if file_format == ".parquet":
        with pq.ParquetWriter(
            path, columns.schema, compression="zstd", use_dictionary=[*FIELDS[:3], "price"]
        ) as parquet:
            yield lambda readings: parquet.write_table(columns.table(readings))
        return
    to_text = columns.ndjson if file_format == ".ndjson" else columns.csv
    with path.open("wb") as file:
        if file_format == ".csv":
            file.write(f"{','.join(FIELDS)}\n".encode())

        def write(readings: Readings) -> None:
            for start in range(0, len(readings.timestamp), PIECE):
                piece = Readings(*(column[start : start + PIECE] for column in readings))
                file.write(to_text(piece))

        yield write


class _Columns:
    """Readings as Arrow columns and as text; names and days are looked up, not formatted row by row."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._epoch = np.datetime64(catalogue.first_day, "s").astype(np.int64)
        self._products = pa.array(catalogue.product_ids)
        self._categories = pa.array(catalogue.categories)
        self._stores = pa.array(catalogue.stores)
        days = catalogue.price.shape[1]
        self._days = pa.array([f"{catalogue.first_day + timedelta(days=day)}T" for day in range(days)])
        self._clock = pa.array(
            [f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}Z" for second in range(86400)]
        )
        types = [*[pa.dictionary(pa.int32(), pa.string())] * 3, pa.int64(), pa.float64(), pa.timestamp("us", tz="UTC")]
        self.schema = pa.schema(list(zip(FIELDS, types, strict=True)))

    def table(self, readings: Readings) -> pa.Table:
        category = self._catalogue.category[readings.product].astype(np.int32)
        timestamp = (self._epoch + readings.timestamp) * 1_000_000
        columns = [
            pa.DictionaryArray.from_arrays(pa.array(readings.product), self._products),
            pa.DictionaryArray.from_arrays(pa.array(category), self._categories),
            pa.DictionaryArray.from_arrays(pa.array(readings.store), self._stores),
            pa.array(readings.quantity, pa.int64()),
            pa.array(self._price(readings)),
            pa.array(timestamp, pa.timestamp("us", tz="UTC")),
        ]
        return pa.table(columns, schema=self.schema)

    def ndjson(self, readings: Readings) -> Any:
        product, category, store, quantity, price, day, clock = self._texts(readings)
        return _lines(
            '{"product_id":"', product, '","category":"', category, '","store_location":"', store, '","quantity":',
            quantity, ',"price":', price, ',"event_timestamp":"', day, clock, '"}\n',
        )  # fmt: skip

    def csv(self, readings: Readings) -> Any:
        product, category, store, quantity, price, day, clock = self._texts(readings)
        return _lines(product, ",", category, ",", store, ",", quantity, ",", price, ",", day, clock, "\n")

    def _texts(self, readings: Readings) -> tuple[Any, ...]:
        """Product, category, store, quantity, price, day and time of day as text columns."""
        return (
            self._products.take(pa.array(readings.product)),
            self._categories.take(pa.array(self._catalogue.category[readings.product])),
            self._stores.take(pa.array(readings.store)),
            pc.cast(pa.array(readings.quantity), pa.string()),
            pc.cast(pa.array(self._price(readings)), pa.string()),
            self._days.take(pa.array(readings.timestamp // 86400)),
            self._clock.take(pa.array(readings.timestamp % 86400)),
        )

    def _price(self, readings: Readings) -> np.ndarray:
        price: np.ndarray = self._catalogue.price[readings.product, readings.timestamp // 86400]
        return price


def _lines(*parts: Any) -> Any:
    """Text columns and constants, joined row by row into one buffer of bytes."""
    joined = pc.binary_join_element_wise(*parts, "")
    _, offsets, text = joined.buffers()
    return text.slice(0, int(np.frombuffer(offsets, np.int32)[len(joined)]))
