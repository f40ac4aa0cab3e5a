"""The `inventory` command: one front for the Python parts.

Each subcommand is a click command named `command`, defined beside the code it runs. Modules are imported only
when their subcommand is called, so that `inventory --help` answers at once.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from ingest.durable_files import says_disk_full

SUBCOMMANDS = {
    "generate-data": ("ingest.simulation.generate_data", "Write synthetic stock readings."),
    "generate-text-data": ("ingest.simulation.generate_text_data", "Write labelled inventory notes."),
    "introduce-anomalies": (
        "ingest.simulation.introduce_anomalies",
        "Put labelled anomalies into events, or take them out.",
    ),
    "introduce-anomaly": ("ingest.simulation.introduce_anomaly", "Put one labelled anomaly into events."),
    "introduce-actual-quantity": (
        "ingest.simulation.introduce_actual_quantity",
        "Replay what happened after a forecast was published.",
    ),
    "load": ("ingest.load", "Land events from Pulsar or a file, each exactly once."),
    "quarantine": ("ingest.landing.quarantine", "Show or export the messages that were rejected."),
    "withdraw": ("ingest.landing.withdraw", "Take a batch out of the tables, or bring it back."),
    "land": ("ingest.refining.spark_job", "Refine landed events into raw Parquet with Spark."),
    "compact": ("ingest.refining.compaction", "Merge the small files in landing and raw."),
    "build": ("pipeline", "Refine what is landed, build the warehouse and publish it."),
    "live": ("live.command", "Load, refine, build, publish and notify, continuously."),
    "export": ("publish.export", "Publish the warehouse as SQLite files, and to PostgreSQL."),
    "orders": ("publish.orders", "List what to order, as a table or as CSV."),
    "status": ("publish.status", "Show what is landed, built, published and waiting."),
    "notifications": ("notify.command", "Show what needs attention, act on it, send it to people."),
    "migrate-notifications": ("notify.migration", "Bring an older dashboard_notifications up to today's schema."),
    "backtest": ("ml.forecasting.command", "Score the forecasters on any panel."),
    "detect": ("ml.anomalies.command", "Score the anomaly detectors on any panel."),
    "detect-text": ("ml.text.command", "Score the texts of any notes or product names."),
}


class LazyGroup(click.Group):
    """A click group that imports a subcommand's module only when it is needed, and says plainly that a disk is full."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except Exception as error:
            errors = list(_chain(error))
            if isinstance(error, click.ClickException) and "the disk is full" in error.message:
                raise
            if not any(map(says_disk_full, errors)):
                raise
            folder = _full_folder(errors)
            raise click.ClickException(
                f"the disk is full: {folder} has {shutil.disk_usage(folder).free // 1024:,} kB left. What was finished "
                "before stays. Free some space and run it again."
            ) from error

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(SUBCOMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in SUBCOMMANDS:
            return None
        command: click.Command = import_module(SUBCOMMANDS[cmd_name][0]).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in SUBCOMMANDS.items()])


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _full_folder(errors: list[BaseException]) -> Path:
    """The folder that an error names, else the fuller one of those that every command writes to."""
    for error in errors:
        if isinstance(error, OSError) and error.filename:
            return next(folder for folder in Path(error.filename).absolute().parents if folder.is_dir())
    folders = [Path(os.environ.get("INVENTORY_DATA_DIR") or "data").absolute(), Path(tempfile.gettempdir())]
    return min(filter(Path.is_dir, folders), key=lambda folder: shutil.disk_usage(folder).free)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Inventory analytics from the event to the dashboard."""
    # the data are for the user and the group, not for everybody who has an account on the machine
    os.umask(os.umask(0o077) | 0o027)
