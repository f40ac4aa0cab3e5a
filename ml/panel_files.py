"""Panels and notes in, and results out, of CSV, Parquet and NDJSON files, for the commands."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import click
import pandas as pd

AS_TEXT: dict[str, Any] = {"dtype": str, "keep_default_na": False, "encoding_errors": "replace"}


def read_table(path: Path, *, as_text: bool = False) -> pd.DataFrame:
    """Read a CSV, Parquet or NDJSON file, by its ending; a CSV file maybe `as_text`, in which 007 and NA stay what they
    are. Raises click.ClickException that names the file."""
    if not path.exists():
        raise click.ClickException(f"{path}: no such file. Check the path.")
    try:
        if path.suffix == ".parquet":
            return pd.read_parquet(path)
        if path.suffix == ".csv":
            return pd.read_csv(path, **(AS_TEXT if as_text else {}))
        if path.suffix == ".ndjson":
            with path.open(encoding="utf-8", errors="replace") as lines:
                return pd.DataFrame([json.loads(line) for line in lines if line.strip()])
    except Exception as error:
        raise click.ClickException(f"{path}: cannot be read ({error}). Write it again as CSV or Parquet.") from error
    raise click.ClickException(f"{path}: unknown ending '{path.suffix}'. Use .csv, .parquet or .ndjson.")


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
