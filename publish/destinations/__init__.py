"""Where the serving tables go: a destination is one file with a class that keeps this protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from publish.publication import PublishedTable

if TYPE_CHECKING:
    import duckdb


class Destination(Protocol):
    """A place to which the serving tables of a good build are published."""

    def publish(
        self, connection: duckdb.DuckDBPyConnection, databases: dict[str, list[PublishedTable]]
    ) -> dict[str, str]:
        """Publish each database and return what became of each place, in a few words.

        A database is written, audited against the warehouse (`publish.audit`) and committed as a whole: its readers see
        the old tables or the new ones. One in which nothing has changed is left as it is. Raises
        PublicationRefusedError where that cannot be done; what was published before stays.
        """
        ...
