"""`inventory export`: audit the build, then write, audit and publish its serving tables."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

from notify.publication import apply_actions, apply_actions_in_database, show_actions
from publish.audit import audit_build
from publish.destinations import Destination
from publish.destinations.postgresql import PostgresqlDatabase
from publish.destinations.sqlite import SqliteFiles
from publish.publication import PublicationRefusedError, publication_list, read_manifest
from serving_database import VARIABLE, ServingDatabase, ServingDatabaseError


@click.command()
@click.option("--data-dir", type=click.Path(path_type=Path), envvar="INVENTORY_DATA_DIR", default="data")
@click.option(
    "--to", envvar=VARIABLE, help="A PostgreSQL database that serves the tables, too: postgresql://user@host/db."
)
def command(data_dir: Path, to: str | None) -> None:
    """Publish the serving tables of the last good build as SQLite files in DATA/export, and to PostgreSQL."""
    try:
        # the database first: of the two it is the one that may be away, and then both stay as they were
        places = [in_database(data_dir, ServingDatabase.of_url(to))] if to else []
        export(data_dir, *places, in_files(data_dir))
        show_actions(data_dir)
    except ServingDatabaseError as error:
        raise click.ClickException(f"not published: {error}") from error


def in_files(data_dir: Path) -> Destination:
    """The SQLite files of a data folder, which show what people have done."""
    return SqliteFiles(data_dir / "export", partial(apply_actions, data_dir))


def in_database(data_dir: Path, database: ServingDatabase) -> Destination:
    """A serving database, which shows what people have done."""
    return PostgresqlDatabase(database, partial(apply_actions_in_database, data_dir))


def export(data_dir: Path, *destinations: Destination) -> None:
    """Publish to each destination and say what became of it. Raises click.ClickException where that is refused."""
    try:
        for destination in destinations:
            for place, outcome in publish(data_dir, destination).items():
                click.echo(f"  {place}: {outcome}")
    except PublicationRefusedError as error:
        raise click.ClickException(f"not published: {error}") from error


def publish(data_dir: Path, destination: Destination) -> dict[str, str]:
    """Publish each database of the publication list; return what became of each place.

    Raises PublicationRefusedError, with nothing changed, when the last build did not end well or the manifest and the
    warehouse disagree.
    """
    import duckdb

    manifest = read_manifest(data_dir)
    warehouse = data_dir / "warehouse" / "inventory.duckdb"
    if not warehouse.exists():
        raise PublicationRefusedError(f"{warehouse} does not exist. Run `dbt build` first.")
    try:
        connection = duckdb.connect(str(warehouse), read_only=True)
    except duckdb.IOException as error:
        raise PublicationRefusedError(f"{warehouse} cannot be opened ({error}). Wait for the build to end.") from error
    with connection:
        connection.execute("set TimeZone = 'UTC'")
        audit_build(connection, manifest)
        return destination.publish(connection, publication_list(manifest, connection))
