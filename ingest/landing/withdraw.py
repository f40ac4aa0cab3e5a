"""`inventory withdraw`: take a batch that was landed by mistake out of the tables, or bring it back."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NamedTuple

import click

from ingest.durable_files import FolderBusyError, file_lock
from ingest.landing.commit import SOURCE_PATH, landed_files, landed_topics
from ingest.landing.printable import printable
from ingest.landing.sources import is_topic, possible_names
from ingest.landing.withdrawals import FOLDER, MessageRange, Withdrawals, append_event, withdrawals
from ingest.sql import parquet_table

PATH_WIDTH = 300
IDS = re.compile(r"(?P<ledger>\d+)(?::(?P<first>\d+)(?:-(?P<last>\d+))?)?")


class Batch(NamedTuple):
    """Landed messages of one ledger: how many are readings, how many are rejected, the path of their file if known."""

    range: MessageRange
    readings: int
    rejected: int
    path: Path | None


@click.command()
@click.option("--source", required=True, help="The file or topic that brought the batch")
@click.option(
    "--ids",
    multiple=True,
    help="Only these messages: LEDGER, LEDGER:ENTRY or LEDGER:FIRST-LAST. For a file, the ledger numbers the files of "
    "one name, and the entry is the line. May be given several times.",
)
@click.option("--data-dir", type=click.Path(path_type=Path), envvar="INVENTORY_DATA_DIR", default="data")
def command(source: str, ids: tuple[str, ...], data_dir: Path) -> None:
    """Take what a file or topic has landed out of the tables; the same command again restores it.

    Landing keeps every message. The next `inventory land` refines raw without what is withdrawn, and the next
    `dbt build` builds every table from it.
    """
    try:
        with file_lock(data_dir / FOLDER, "withdrawing"):
            active = withdrawals(data_dir)
            topic, batches = _landed(data_dir / "landing", source)
            if ids or is_topic(topic):
                chosen = _chosen(data_dir / "landing", topic, batches, ids, active)
            else:
                chosen = [_batch_of_file(source, batches, active)]
            restores = all(_covering(batch, active) for batch in chosen)
            if restores:
                _require_whole(chosen, active)
            append_event(data_dir, "restore" if restores else "withdraw", [batch.range for batch in chosen])
    except FolderBusyError as error:
        raise click.ClickException(str(error)) from error
    done = "restored" if restores else "withdrew"
    for batch in chosen:
        click.echo(f"{topic}: {done} {_description(batch)}")
    click.echo(
        f"`inventory land --once`, then `dbt build`, brings the tables {'with' if restores else 'without'} them"
        + ("." if restores else "; the same command again restores them.")
    )


def _landed(landing: Path, source: str) -> tuple[str, list[Batch]]:
    """The topic of a source, and what was landed from it, ledger by ledger."""
    for topic in possible_names(source):
        if landed_files(landing, topic):
            return topic, _batches(landing, topic, "true")
    sources = ", ".join(landed_topics(landing)) or "nothing"
    raise click.ClickException(f"{landing}: holds no messages of {source} (found: {sources}). Name one of these.")


def _batches(landing: Path, topic: str, condition: str) -> list[Batch]:
    import duckdb
    import pyarrow.parquet as pq

    landed = landed_files(landing, topic)
    files = parquet_table(file.path for file in landed)
    paths = {
        file.last.ledger_id: (pq.read_schema(file.path).metadata or {}).get(SOURCE_PATH.encode()) for file in landed
    }
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        found = connection.execute(
            "select partition, ledger_id, min(entry_id), max(entry_id), max(publish_time), "
            "count(*) - count(error), count(error) "
            f"from {files} where {condition} group by all order by all"
        ).fetchall()
    return [
        Batch(MessageRange(topic, *range_), readings, rejected, path and Path(os.fsdecode(path)))
        for *range_, readings, rejected in found
        for path in [paths.get(range_[1])]
    ]


def _batch_of_file(source: str, batches: list[Batch], active: Withdrawals) -> Batch:
    """The batch that a file brought. Files of one name in different folders are distinguished by their paths."""
    path = Path(source)
    is_elsewhere = path.name != source and path.exists()
    at_path = [batch for batch in batches if path.name != source and batch.path == path.resolve()]
    if len(at_path) == 1:
        return at_path[0]
    if len(batches) == 1 and not (is_elsewhere and batches[0].path):
        return batches[0]
    how = f"in {len(batches)} versions" if len(batches) > 1 else "with the content of another file"
    raise click.ClickException(
        f"{path.name} was landed {how}. Add one of:\n" + "\n".join(_choice(batch, active) for batch in batches)
    )


def _chosen(landing: Path, topic: str, batches: list[Batch], ids: tuple[str, ...], active: Withdrawals) -> list[Batch]:
    """The batches that the ids name; without ids all that a topic brought."""
    if not ids:
        return batches
    chosen: list[Batch] = []
    for text in ids:
        match = IDS.fullmatch(text)
        if match is None:
            raise click.BadParameter(f"{text}: write LEDGER, LEDGER:ENTRY or LEDGER:FIRST-LAST.", param_hint="--ids")
        condition = f"ledger_id = {match['ledger']}"
        if match["first"]:
            condition += f" and entry_id between {match['first']} and {match['last'] or match['first']}"
        found = _batches(landing, topic, condition)
        if not found:
            raise click.ClickException(
                f"{topic}: no landed message has the id {text}. It landed:\n"
                + "\n".join(_choice(batch, active) for batch in batches)
            )
        chosen += found
    return chosen


def _choice(batch: Batch, active: Withdrawals) -> str:
    """A batch as a choice among several."""
    state = ", withdrawn" if _covering(batch, active) else ""
    path = f", from {printable(str(batch.path), PATH_WIDTH)}" if batch.path else ""
    return f"  --ids {batch.range.ledger_id}   {_description(batch)}{path}{state}"


def _covering(batch: Batch, active: Withdrawals) -> MessageRange | None:
    """The withdrawn range that holds the batch."""
    return next((range_ for range_ in active.ranges if range_.contains(batch.range)), None)


def _require_whole(chosen: list[Batch], active: Withdrawals) -> None:
    """Refuse to restore a part of what was withdrawn at once."""
    for batch in chosen:
        whole = _covering(batch, active)
        if whole is not None and not batch.range.contains(whole):
            raise click.ClickException(
                f"{_ids(batch.range)} was withdrawn together with others. Restore them with --ids {_ids(whole)}, then "
                "withdraw what is to stay out."
            )


def _description(batch: Batch) -> str:
    return (
        f"{batch.readings:,} readings and {batch.rejected:,} rejected messages (ids {_ids(batch.range)}, landed until "
        f"{batch.range.published_until:%Y-%m-%d %H:%M} UTC)"
    )


def _ids(range_: MessageRange) -> str:
    return f"{range_.ledger_id}:{range_.first_entry_id}-{range_.last_entry_id}"
