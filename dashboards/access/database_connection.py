"""The connection to the serving database: the rows of who asks, by their role, and limits in plain words."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2 import extensions
from psycopg2.errors import InsufficientPrivilege, QueryCanceled
from sqlalchemy import create_engine, text
from sqlalchemy.engine import URL
from sqlalchemy.pool import NullPool

from dashboards.access.connection import SECONDS_PER_QUERY, TOO_LONG
from dashboards.access.database_roles import sign_in_settings
from serving_database import PUBLISHED_AT, ServingDatabase, ServingDatabaseError, one_line

DRIVER = "postgresql+psycopg2"
SCHEMA_OF_PAGES = "inventory_metrics"
AWAY = "The database cannot be reached. Try again in a minute."
CANNOT_ANSWER = "The database cannot answer now. Try again in a minute."
NOT_YOURS = "You may not do this in the database."

log = logging.getLogger(__name__)


class DatabaseAwayError(Exception):
    """No error of the driver: around these SQLAlchemy puts words and an address of its own."""


@contextmanager
def _failures_in_plain_words() -> Iterator[None]:
    """Let the log have what the server says of itself, its hosts and roles, and a browser a sentence. What is wrong
    with a query is for who wrote it."""
    try:
        yield
    except QueryCanceled:
        raise psycopg2.OperationalError(TOO_LONG.format(SECONDS_PER_QUERY)) from None
    except InsufficientPrivilege as error:
        log.warning("refused by the database: %s", one_line(error))
        raise psycopg2.ProgrammingError(NOT_YOURS) from None
    except (psycopg2.ProgrammingError, psycopg2.DataError) as error:
        raise type(error)(one_line(error)) from None
    except psycopg2.Error as error:
        log.warning("the database failed: %s", error)
        raise psycopg2.OperationalError(CANNOT_ANSWER) from None


class Cursor(extensions.cursor):
    """A cursor whose failures a browser may show."""

    def execute(self, query: Any, values: Any = None) -> None:
        with _failures_in_plain_words():
            super().execute(query, values)


class Connection(extensions.connection):
    """A connection that reads numbers as SQLite gives them: whole ones as int, all others as float."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        try:
            super().__init__(*arguments, **settings)
        except psycopg2.Error as error:
            log.warning("the database cannot be reached: %s", error)
            raise DatabaseAwayError(AWAY) from None
        extensions.register_type(NUMBER, self)

    def cursor(self, *arguments: Any, **settings: Any) -> Any:
        settings.setdefault("cursor_factory", Cursor)
        return super().cursor(*arguments, **settings)


def _number(written: Any, _: Any) -> float | int | None:
    if written is None:
        return None
    return int(written) if written.lstrip("-").isdecimal() else float(written)


NUMBER = extensions.new_type(extensions.DECIMAL.values, "NUMBER", _number)


def source(database: ServingDatabase, home: Path, login: str | None, schema: str) -> tuple[URL, dict[str, Any]]:
    """What SQLAlchemy connects with, to show a person's rows of a published schema."""
    options = {"search_path": schema, "statement_timeout": f"{SECONDS_PER_QUERY:.0f}s", "timezone": "UTC"}
    session = {"options": " ".join(f"-c{name}={value}" for name, value in options.items())}
    settings = database.settings | sign_in_settings(database, home, login) | session
    return URL.create(DRIVER), {**settings, "connection_factory": Connection}


class Published:
    """The tables of one publication, with a person's rows, read with the queries that read a SQLite file."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def execute(self, query: str, values: Mapping[str, Any] | None = None) -> Any:
        """A cursor with the rows; parameters are written `:name`."""
        # no published text has this character, and PostgreSQL takes no text that has it
        bound = {
            name: each.replace("\0", "�") if isinstance(each, str) else each for name, each in (values or {}).items()
        }
        return self._connection.execute(text(query), bound).cursor


@contextmanager
def published(database: ServingDatabase, home: Path, login: str) -> Iterator[Published]:
    """The tables of the pages, as one publication: an export waits until this ends."""
    url, settings = source(database, home, login, SCHEMA_OF_PAGES)
    with create_engine(url, connect_args=settings, poolclass=NullPool).connect() as connection:
        tables = Published(connection)
        tables.execute(PUBLISHED_AT)
        yield tables


def published_at(database: ServingDatabase, home: Path) -> str:
    """When the newest table was published, or an action was shown. Raises DatabaseAwayError and psycopg2.Error."""
    settings = sign_in_settings(database, home, None)
    try:
        connection = database.connect(**settings)
    except ServingDatabaseError as error:
        log.warning("%s", error)
        raise DatabaseAwayError(AWAY) from None
    with closing(connection), connection.cursor(cursor_factory=Cursor) as cursor:
        cursor.execute(PUBLISHED_AT)
        return str(cursor.fetchone()[0])
