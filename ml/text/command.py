"""`inventory detect-text`: the text checks on any notes, product names or descriptions."""

from __future__ import annotations

from pathlib import Path

import click

from ml.panel_files import check_writable, read_table, write_table
from ml.text import detect_text


@click.command()
@click.option(
    "--notes",
    "notes_file",
    type=click.Path(path_type=Path),
    required=True,
    help="note_id, product_id, category, note, in time order; quantity, units_in if known: .csv, .parquet or .ndjson",
)
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=7, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="scores, .csv or .parquet")
def command(notes_file: Path, seed: int, out: Path) -> None:
    """Score every note of a file by what was written before it, and say what is wrong with the odd ones."""
    check_writable(out, notes_file)
    notes = read_table(notes_file, as_text=True)
    try:
        found = detect_text(notes, seed=seed)
    except ValueError as error:
        raise click.ClickException(f"{notes_file}: {error}") from error
    write_table(found, out)
    click.echo(f"{int(found['alert'].sum()):,} alerts in {len(found):,} notes")
