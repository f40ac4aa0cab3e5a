"""`inventory load`: land the events of a topic or a file, each exactly once, however often it is run."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import click

from ingest.durable_files import FolderBusyError, file_lock
from ingest.events import ACTIONS, NOTES, READINGS, Contract
from ingest.landing.file_loader import land_file
from ingest.landing.files.options import file_options
from ingest.landing.files.rows import AS_IT_COMES, FileOptions, SourceError
from ingest.landing.preview import preview
from ingest.pulsar.connection import ACTIONS_TOPIC, NOTES_TOPIC, READINGS_TOPIC, PulsarError, settings
from ingest.pulsar.loader import load_topic
from ingest.times import AgeError, max_age


class Kind(NamedTuple):
    """A kind of event: its contract, the folder it lands in, the variable that names its topic, and the default."""

    contract: Contract[Any]
    folder: str
    variable: str
    topic: str


KINDS = {
    "readings": Kind(READINGS, "landing", "PULSAR_TOPIC", READINGS_TOPIC),
    "notes": Kind(NOTES, "landing_notes", "PULSAR_NOTES_TOPIC", NOTES_TOPIC),
    # a folder of its own: a loader holds its folder for as long as it runs, and people act meanwhile
    "actions": Kind(ACTIONS, "landing_actions_loaded", "PULSAR_ACTIONS_TOPIC", ACTIONS_TOPIC),
}


@click.command()
@click.option("--source", type=click.Path(path_type=Path), help="File of events: NDJSON, JSON, CSV, Excel, Parquet")
@click.option("--url", envvar="PULSAR_URL", help="Service URL of the Pulsar broker  [default: PULSAR_URL]")
@click.option("--topic", help="Pulsar topic  [default: PULSAR_TOPIC, or that of the kind]")
@click.option("--until-caught-up", is_flag=True, help="Stop when all that is published is landed; else go on for ever.")
@click.option("--notes", "kind", flag_value="notes", help="Land inventory notes instead of stock readings.")
@click.option("--actions", "kind", flag_value="actions", help="Land what people did about notifications.")
@click.option("--preview", "only_preview", is_flag=True, help="Show the first events of a file, and load nothing.")
@file_options
@click.option("--data-dir", type=click.Path(path_type=Path), envvar="INVENTORY_DATA_DIR", default="data")
def command(
    source: Path | None,
    url: str | None,
    topic: str | None,
    until_caught_up: bool,
    kind: str | None,
    only_preview: bool,
    options: FileOptions,
    data_dir: Path,
) -> None:
    """Land the events of a Pulsar topic, or of a file, each exactly once; malformed ones are quarantined."""
    contract, folder, variable, default_topic = KINDS[kind or "readings"]
    landing = data_dir / folder
    if only_preview and source is None:
        raise click.UsageError("--preview shows a file: name it with --source.")
    if source is None and options != AS_IT_COMES:
        raise click.UsageError("these options say how a file is read: name it with --source.")
    try:
        max_age()
        if source is not None:
            name = source.name
            if only_preview:
                preview(source, contract, options)
                return
            with file_lock(landing, "landing"):
                landed = land_file(landing, source, contract, options)
        else:
            name = topic or os.environ.get(variable, default_topic)
            landed = load_topic(landing, settings(url), name, contract, until_caught_up=until_caught_up)
    except (AgeError, SourceError, FolderBusyError, PulsarError) as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(
            f"{error.filename or landing}: {error.strerror}. What was landed before is safe."
        ) from error
    _report(name, landed, contract)
    if source is not None and landed.total() and not landed["good"]:
        raise click.ClickException(
            f"{source}: no line is a {contract.noun}. They are kept with their reasons in the quarantine "
            f"({landing}, column error); compare them with the event contract in the README."
        )


def _report(name: str, landed: Counter[str], contract: Contract[Any]) -> None:
    """Report what a run has landed."""
    again = landed.pop("again", 0)
    rejections = ", ".join(f"{count:,} {kind}" for kind, count in landed.most_common() if kind != "good" and count)
    quarantined = landed.total() - landed["good"]
    if landed.total():
        click.echo(
            f"{name}: landed {landed['good']:,} {contract.noun.split()[-1]}s, quarantined {quarantined:,}"
            + (f" ({rejections})" if rejections else "")
            + (f"; {again:,} were landed before" if again else "")
        )
    else:
        click.echo(f"{name}: nothing new, all of it was landed before")
