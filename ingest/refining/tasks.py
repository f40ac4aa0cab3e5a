"""DuckDB in Spark's tasks: queries, one a task, and what they write."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from ingest.sql import quoted

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession

MEMORY_PER_TASK = "1GB"  # beyond it DuckDB spills to disk


def in_tasks(
    spark: SparkSession, inputs: Sequence[str], work: Callable[[str], Iterator[pa.RecordBatch]], schema: str
) -> DataFrame:
    """Run `work` on each input, in a Spark task of its own; the rows that it yields."""
    import duckdb

    version = duckdb.__version__

    def task(numbers: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        if duckdb.__version__ != version:  # DuckDB's hash may differ between versions
            raise RuntimeError(f"an executor has DuckDB {duckdb.__version__}, the driver {version}: install the same")
        for batch in numbers:
            for number in batch["id"].to_pylist():
                yield from work(inputs[number])

    return spark.range(0, len(inputs), 1, len(inputs)).mapInArrow(task, schema)


def files_by_task(files: Iterable[Path], bytes_per_task: int) -> list[list[Path]]:
    """The files of each task, in their order: as few as have that many bytes."""
    found: list[list[Path]] = []
    left = 0
    for file in files:
        if left <= 0:
            found.append([])
            left = bytes_per_task
        found[-1].append(file)
        left -= file.stat().st_size
    return found


def query_in_tasks(spark: SparkSession, queries: Sequence[str], schema: str) -> DataFrame:
    """The rows of all queries."""
    return in_tasks(spark, queries, _rows, schema)


def _rows(query: str) -> Iterator[pa.RecordBatch]:
    with task_duckdb() as connection:
        yield from connection.sql(query).to_arrow_reader()


def copy_by(column: str, parent: Path, query: str) -> Iterator[pa.RecordBatch]:
    """Write a query's rows into a new folder, a folder in it for each value of the column, and yield its name.

    Only folders whose names Spark returns are used. What a failed attempt leaves is ignored, and so is an attempt that
    Spark has given up on but that goes on writing.
    """
    import pyarrow as pa

    folder = parent / uuid4().hex
    folder.mkdir()
    write(query, folder, f"partition_by ({column})")
    yield pa.RecordBatch.from_pydict({"folder": [str(folder)]})


def write(query: str, target: Path, *options: str) -> None:
    """Write a query's rows as Parquet."""
    with task_duckdb() as connection:
        connection.execute(f"set temp_directory = '{quoted(target)}.spill'")
        settings = ", ".join(["format parquet", "compression zstd", *options])
        connection.execute(f"copy ({query}) to '{quoted(target)}' ({settings})")


def task_duckdb() -> duckdb.DuckDBPyConnection:
    """DuckDB as a task uses it: on one core, in bounded memory."""
    import duckdb

    connection = duckdb.connect(
        config={"threads": 1, "memory_limit": MEMORY_PER_TASK, "preserve_insertion_order": False}
    )
    connection.execute("set TimeZone = 'UTC'")
    return connection
