"""Panels in and results out of CSV and Parquet files, for the commands."""

from __future__ import annotations

import os
from pathlib import Path

import click
import pandas as pd


def read_table(path: Path) -> pd.DataFrame:
    """Read a CSV or Parquet file, by its ending. Raises click.ClickException that names the file."""
    if not path.exists():
        raise click.ClickException(f"{path}: no such file. Check the path.")
    try:
        if path.suffix == ".parquet":
            return pd.read_parquet(path)
        if path.suffix == ".csv":
            return pd.read_csv(path)
    except Exception as error:
        raise click.ClickException(f"{path}: cannot be read ({error}). Write it again as CSV or Parquet.") from error
    raise click.ClickException(f"{path}: unknown ending '{path.suffix}'. Use .csv or .parquet.")


def write_table(frame: pd.DataFrame, path: Path) -> None:
    """Write a frame as CSV or Parquet, by the ending of the path; the file appears whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # another process may write the same file at the same time
    temporary = path.with_name(f".tmp-{path.name}-{os.getpid()}")
    if path.suffix == ".parquet":
        frame.to_parquet(temporary, index=False)
    elif path.suffix == ".csv":
        frame.to_csv(temporary, index=False)
    else:
        raise click.ClickException(f"{path}: unknown ending '{path.suffix}'. Use .csv or .parquet.")
    temporary.rename(path)
