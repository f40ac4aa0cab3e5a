"""Paths and names in DuckDB's SQL."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path


def quoted(text: Path | str) -> str:
    """A path or a name, escaped for use between quotes."""
    return str(text).replace("'", "''")


def parquet_table(files: Iterable[Path], *options: str) -> str:
    """Parquet files as a table in a query; `options` are further ones of `read_parquet`."""
    names = ", ".join(f"'{quoted(file)}'" for file in files)
    return f"read_parquet({', '.join([f'[{names}]', 'hive_partitioning = false', *options])})"
