"""Parquet: rows as Python values, whatever types they are stored in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ingest.landing.files.compressed import Content
from ingest.landing.files.rows import FileOptions, Row, SourceError, as_json, told_apart

if TYPE_CHECKING:
    import pyarrow as pa

ROWS_AT_ONCE = 20_000


class Parquet:
    """A Parquet file; a row's number is its place in it."""

    encoding, header = "utf-8", None

    def __init__(self, content: Content, _: FileOptions) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self.path: Path = content.path
        self.remarks: list[str] = []
        self._content = content
        try:
            with content.seekable() as file:
                schema = pq.ParquetFile(file).schema_arrow
        except (pa.ArrowException, OSError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise
            raise SourceError(f"{self.path}: is not a readable Parquet file ({error}). Write it again.") from error
        self.columns = told_apart(schema.names)
        self.text_columns = [name for name, field in zip(self.columns, schema, strict=True) if _may_be_text(field.type)]

    def rows(self, skipped: Counter[str]) -> Iterator[Row]:
        """See EventFile."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        number = 0
        with self._content.seekable() as file:
            try:
                for batch in pq.ParquetFile(file).iter_batches(batch_size=ROWS_AT_ONCE):
                    columns = [_values(column) for column in batch.columns]
                    for row in zip(*columns, strict=True):
                        number += 1
                        values = dict(zip(self.columns, row, strict=True))
                        yield Row(number, values, as_json(values))
            except (pa.ArrowException, OSError) as error:
                if isinstance(error, OSError) and error.errno is not None:
                    raise
                raise SourceError(
                    f"{self.path}: is damaged after row {number:,} ({error}). Write it again; what is landed stays."
                ) from error


def _values(column: pa.Array) -> list[Any]:
    """A column as Python values: text from bytes that are UTF-8, times to the microsecond."""
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    kind = column.type
    if _is_bytes(kind):
        return [_text(value) for value in column.to_pylist()]
    if pa.types.is_float16(kind) or pa.types.is_float32(kind):  # the shortest decimal that rounds to it: 0.1
        narrow = kind.to_pandas_dtype()
        return [None if value is None else float(str(narrow(value))) for value in column.to_pylist()]
    if pa.types.is_timestamp(kind) and kind.unit == "ns":
        column = column.cast(pa.timestamp("us", kind.tz), safe=False)
    try:
        return column.to_pylist()
    except (OverflowError, ValueError):  # a time that Python's calendar does not have
        return [_value(value) for value in column]


def _may_be_text(kind: pa.DataType) -> bool:
    import pyarrow as pa

    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return (
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind) or _is_bytes(kind)
    )


def _is_bytes(kind: pa.DataType) -> bool:
    import pyarrow as pa

    of_any_length = pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind)
    return of_any_length or pa.types.is_fixed_size_binary(kind)


def _text(value: bytes | None) -> str | bytes | None:
    if value is None:
        return None
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value


def _value(scalar: pa.Scalar) -> Any:
    try:
        return scalar.as_py()
    except (OverflowError, ValueError):
        return f"{scalar.cast('int64').as_py()} ({scalar.type})"
