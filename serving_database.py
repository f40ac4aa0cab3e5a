"""The PostgreSQL database that serves the published tables, where INVENTORY_SERVING_DATABASE names one."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

VARIABLE = "INVENTORY_SERVING_DATABASE"
SECONDS_TO_CONNECT = 10
SECONDS_FOR_OTHERS = 5
SEPARATOR = ":"  # in the name of a person's role, between the database and the login

# What the publication keeps for itself: `published_tables`, which says what was published when, and `row_rules`, which
# says what each role of a manager sees.
SERVING = "inventory_serving"
# A transaction that begins with this query reads one publication until it ends: the publisher waits for it.
PUBLISHED_AT = f"SELECT max(published_at) FROM {SERVING}.published_tables"


class ServingDatabaseError(RuntimeError):
    """The database cannot be had, or is not what it must be; the message names the next step and holds no secret."""


@dataclass(frozen=True)
class ServingDatabase:
    """A database and the role that publishes there, as libpq's settings."""

    settings: dict[str, str] = field(repr=False)

    @classmethod
    def of_url(cls, url: str) -> ServingDatabase:
        """The database of a URL. What it leaves out, libpq's variables say: PGPASSWORD, PGPASSFILE, PGPORT, …"""
        import psycopg2
        from psycopg2.extensions import parse_dsn

        try:
            # the scheme first: libpq takes other text for settings, and quotes it where it is wrong
            settings = parse_dsn(url) if url.startswith(("postgresql://", "postgres://")) else {}
        except psycopg2.ProgrammingError:
            settings = {}
        if "dbname" not in settings:
            raise ServingDatabaseError(
                f"{VARIABLE}, or --to, is no address of a database. Write postgresql://user@host:port/database."
            )
        if SEPARATOR in settings["dbname"]:
            # with it, the role of a person here could be that of another one in another database of the server
            raise ServingDatabaseError(f"the name of the database holds a {SEPARATOR!r}. Rename the database.")
        return cls(settings)

    @property
    def name(self) -> str:
        return self.settings["dbname"]

    @property
    def place(self) -> str:
        """What a message calls it."""
        return f"PostgreSQL database {self.name} on {self.settings.get('host', 'this machine')}"

    # The groups of those who read. Roles belong to the whole server, so each name has the database's in front.

    @property
    def analysts(self) -> str:
        """Who reads all that is published."""
        return f"{self.name}_analysts"

    @property
    def managers(self) -> str:
        """Who reads the rows that `row_rules` opens."""
        return f"{self.name}_managers"

    @property
    def company(self) -> str:
        """The managers who see every row."""
        return f"{self.name}_company"

    def connect(self, **others: Any) -> Any:
        """A connection of psycopg2; `others` are settings of libpq, which replace the same ones of the database.
        Raises ServingDatabaseError."""
        import psycopg2

        wanted: dict[str, Any] = (
            {"connect_timeout": str(SECONDS_TO_CONNECT), "client_encoding": "UTF8"} | self.settings | others
        )
        try:
            return psycopg2.connect(**wanted)
        except psycopg2.OperationalError as error:
            raise ServingDatabaseError(
                f"{self.place} cannot be opened ({one_line(error)}). Check that it runs, and the user and host in "
                f"{VARIABLE}. The password comes from PGPASSWORD or the file that PGPASSFILE names."
            ) from None  # a traceback would show the settings

    @staticmethod
    def hold_publication(cursor: Any) -> None:
        """Keep other publishers out until the transaction ends, but no reader. Raises LockNotAvailable."""
        cursor.execute(f"set local lock_timeout = '{SECONDS_FOR_OTHERS}s'")
        cursor.execute(f"lock table {SERVING}.published_tables in share update exclusive mode")


def serving_database() -> ServingDatabase | None:
    """The database that is set, if one is. Raises ServingDatabaseError."""
    url = os.environ.get(VARIABLE)
    return ServingDatabase.of_url(url) if url else None


def one_line(error: Exception) -> str:
    """What a server said, without the lines that repeat or advise."""
    return str(error).strip().partition("\n")[0]


def quoted(name: str, cursor: Any) -> str:
    """A name as SQL writes it."""
    from psycopg2.extensions import quote_ident

    return str(quote_ident(name, cursor))
