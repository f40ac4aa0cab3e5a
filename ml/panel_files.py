"""Panels and notes in, and results out, of CSV, Parquet and NDJSON files, for the commands."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pandas as pd

from ml.frames import date_order

AS_TEXT: dict[str, Any] = {"dtype": str, "keep_default_na": False, "encoding_errors": "replace"}
# a series may be called 007 or NA, and 20260105 is a day
AS_PANEL: dict[str, Any] = {"converters": {"unique_id": str}, "dtype": {"ds": str}}


def read_table(path: Path, *, as_text: bool = False) -> pd.DataFrame:
    """Read a CSV, Parquet or NDJSON file, by its ending; a CSV file maybe `as_text`, in which 007 and NA stay what they
    are. Raises click.ClickException that names the file."""
    if not path.exists():
        raise click.ClickException(f"{path}: no such file. Check the path.")
    ending = path.suffix.lower()
    try:
        if ending == ".parquet":
            table = pd.read_parquet(path)
            return table.reset_index() if any(table.index.names) else table
        if ending == ".csv":
            # to pandas' faster engine a text ends at a NUL, and the last digit of a number may be another
            engine = {"engine": "python"} if _holds_nul(path) else {"float_precision": "round_trip"}
            table = pd.read_csv(path, **engine, **(AS_TEXT if as_text else AS_PANEL))
            if not isinstance(table.index, pd.RangeIndex):  # pandas takes the first field for a name of the row
                raise ValueError("its rows have more fields than its header; put texts with commas into quotes")
            return table
        if ending == ".ndjson":
            return pd.DataFrame(_json_lines(path))
    except Exception as error:
        reason = " ".join(str(error).split())[:200].removesuffix(".")
        raise click.ClickException(
            f"{path}: cannot be read ({reason}). Write it again as CSV in UTF-8, or as Parquet."
        ) from error
    raise click.ClickException(f"{path}: unknown ending '{path.suffix}'. Use .csv, .parquet or .ndjson.")


def _holds_nul(path: Path) -> bool:
    with path.open("rb") as file:
        return any(b"\0" in chunk for chunk in iter(lambda: file.read(2**20), b""))


def _json_lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8-sig", errors="replace") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise ValueError(f"line {number}: {error}") from error
            if not isinstance(row, dict):
                raise ValueError(f"line {number} is no JSON object")
            yield row


def report_date_order(path: Path, panel: pd.DataFrame) -> None:
    """Report on stderr what was taken to come first in dates such as 01/02/2025, where no date shows it by itself."""
    order = date_order(panel["ds"], panel["unique_id"])
    if order is not None and not order.is_shown:
        click.echo(
            f"{path}: its dates begin with the {order.first}; read otherwise, its series would not be regular.",
            err=True,
        )


def check_writable(path: Path, read: Path | None = None) -> None:
    """Raise click.ClickException where `write_table` would refuse a path, before anybody has waited for the result, and
    where the result would take the place of the file that is `read`."""
    if path.suffix.lower() not in (".csv", ".parquet"):
        raise click.ClickException(f"{path}: unknown ending '{path.suffix}'. Use .csv or .parquet.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise click.ClickException(f"{path}: the folder cannot be made ({error.strerror}).") from error
    if path.is_dir():
        raise click.ClickException(f"{path}: is a folder. Name a file.")
    if read is not None and path.exists() and read.exists() and path.samefile(read):
        raise click.ClickException(f"{path}: holds what is read. Name another file for the results.")


def write_table(frame: pd.DataFrame, path: Path) -> None:
    """Write a frame as CSV or Parquet, by the ending of the path; the file appears whole or not at all."""
    check_writable(path)
    # another process may write the same file at the same time
    temporary = path.with_name(f".tmp-{path.name}-{os.getpid()}")
    try:
        if path.suffix.lower() == ".parquet":
            frame.to_parquet(temporary, index=False)
        else:
            frame.to_csv(temporary, index=False)
        temporary.rename(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise click.ClickException(f"{path}: cannot be written ({error.strerror or error}).") from error
