"""The stage that brings each publication to the serving database, too.

The database may be away. Then this stage fails and is tried again, while builds go on and are published as files.
"""

from __future__ import annotations

from pathlib import Path

import click

from ingest.durable_files import file_lock
from ingest.stopping import stop_signals
from notify.publication import show_actions
from publish.export import export, in_database
from publish.progress import progress, record
from serving_database import ServingDatabase, ServingDatabaseError, serving_database

SECONDS_BETWEEN_LOOKS = 0.2


@click.command()
@click.option("--data-dir", type=click.Path(path_type=Path), envvar="INVENTORY_DATA_DIR", required=True)
def command(data_dir: Path) -> None:
    """Publish to the serving database until stopped."""
    database = serving_database()
    if database is None:
        raise click.ClickException("no serving database is set")
    with stop_signals() as stop:
        while not stop.is_set():
            if not serve(data_dir, database):
                stop.wait(SECONDS_BETWEEN_LOOKS)


def serve(data_dir: Path, database: ServingDatabase) -> bool:
    """Publish what is in the files and not in the database yet; return whether anything was. Raises
    click.ClickException where that is refused."""
    if not _waits(data_dir):
        return False
    try:
        database.connect().close()  # to wait for a database that is away is not to hold the warehouse meanwhile
    except ServingDatabaseError as error:
        raise click.ClickException(str(error)) from error
    with file_lock(data_dir / "warehouse", "publishing to the serving database", wait=True):
        start = progress(data_dir)["published"]
        export(data_dir, in_database(data_dir, database))
        record(data_dir, start, "served")
    show_actions(data_dir)
    return True


def _waits(data_dir: Path) -> bool:
    steps = progress(data_dir)
    return "published" in steps and steps["published"] != steps.get("served")
