"""A preview of a file: its first events, and what would be rejected."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

import click
import pyarrow as pa

from ingest.events import Contract
from ingest.landing.commit import FLUSH_ROWS
from ingest.landing.files.mapped import open_events
from ingest.landing.files.messages import interpreter_of, landing_table
from ingest.landing.files.opening import read_rows
from ingest.landing.files.rows import FileOptions
from ingest.landing.printable import printable

SHOWN = 10
WIDTH = 24


def preview(source: Path, contract: Contract[Any], options: FileOptions) -> None:
    """Print the first events of a file, how many it has, and each kind of rejection with its first row.

    Nothing is landed and no file is written. Raises SourceError.
    """
    file = open_events(source, contract.fields, options)
    interpreter = interpreter_of(file, contract.fields, options)
    skipped: Counter[str] = Counter()
    rows = read_rows(file, skipped)
    events: list[tuple[str, ...]] = []
    counts: Counter[str] = Counter()
    examples: dict[str, str] = {}
    while batch := list(islice(rows, FLUSH_ROWS)):
        table = landing_table(batch, interpreter, contract, source.name, 1)
        good = table.filter(pa.compute.is_null(table["error"])).slice(0, SHOWN - len(events)).select(contract.fields)
        events += [tuple(map(_shown, row.values())) for row in good.to_pylist()]
        for row, error in zip(batch, table["error"].to_pylist(), strict=True):
            kind = "good" if error is None else error.partition(":")[0]
            counts[kind] += 1
            if error is not None and kind not in examples:
                examples[kind] = f"row {row.number:,}: {printable(error)}"
    _print_table(contract.fields, events)
    noun = contract.noun.split()[-1]
    click.echo(f"{source.name}: would land {counts.pop('good', 0):,} {noun}s, quarantine {counts.total():,}")
    for kind, count in counts.most_common():
        click.echo(f"  {count:,} {kind}, the first in {examples[kind]}")
    for what, count in (skipped + interpreter.remarks).items():
        click.echo(f"  {count:,} {what}")
    for remark in file.remarks:
        click.echo(f"  {remark}")
    click.echo("Nothing was loaded.")


def _shown(value: object) -> str:
    text = f"{value:%Y-%m-%d %H:%M:%S}" if isinstance(value, datetime) else "" if value is None else str(value)
    return printable(text, WIDTH)


def _print_table(fields: tuple[str, ...], events: list[tuple[str, ...]]) -> None:
    """Print events in columns, each as wide as its widest value."""
    table = [fields, *events]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        click.echo("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())
