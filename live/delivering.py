"""The stage that sends notifications: what is new after each publication or action, and what is due again."""

from __future__ import annotations

from pathlib import Path

import click

from ingest.durable_files import FolderBusyError
from ingest.stopping import stop_signals
from notify.delivery import deliver
from notify.episodes import NotPublishedError
from notify.settings import SettingsError

SECONDS_BETWEEN_LOOKS = 5.0


@click.command()
@click.option("--data-dir", type=click.Path(path_type=Path), envvar="INVENTORY_DATA_DIR", required=True)
def command(data_dir: Path) -> None:
    """Send until stopped."""
    with stop_signals() as stop:
        while not stop.is_set():
            try:
                deliver(data_dir, click.echo, really=True)
            except FolderBusyError:
                pass  # somebody sends by hand
            except (SettingsError, NotPublishedError) as error:
                raise click.ClickException(str(error)) from error
            stop.wait(SECONDS_BETWEEN_LOOKS)
