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
        for destination in _destinations(data_dir, to):
            for place, outcome in publish(data_dir, destination).items():
                click.echo(f"  {place}: {outcome}")
        show_actions(data_dir)
    except (PublicationRefusedError, ServingDatabaseError) as error:
        raise click.ClickException(f"not published: {error}") from error


def _destinations(data_dir: Path, to: str | None) -> list[Destination]:
    files = SqliteFiles(data_dir / "export", partial(apply_actions, data_dir))
    if not to:
        return [files]
    # the database first: of the two it is the one that may be away, and then both stay as they were
    return [PostgresqlDatabase(ServingDatabase.of_url(to), partial(apply_actions_in_database, data_dir)), files]


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
