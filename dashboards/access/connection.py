"""The connection to a published file: what its user may see is all that it shows, whatever the SQL.

For a user who may not write SQL, temporary views with the tables' names hold their rows, and SQLite's authorizer
refuses the tables themselves. The authorizer learns only the name of the view or common table expression that reads a
table, and any query can give that name to one of its own. So each view reads through an expression whose name is drawn
again for each connection.

For everybody: no other file, no function or module that is not on a list, and limits on time and size.
"""

from __future__ import annotations

import re
import secrets
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from time import monotonic
from typing import Any

from dashboards.access.stores import EVERY_ROW, NO_STORE, Stores
from publish.publication import TABLES_WITHOUT_STORE

SECONDS_PER_QUERY = 10.0
TOO_LONG = "The query took longer than {:.0f} seconds. Ask for fewer days, stores or products."
ROWS_PER_QUERY = 200_000
LIMITS = {
    # of a value or row: ten names of 10,000 characters, and no function takes long over two such values
    sqlite3.SQLITE_LIMIT_LENGTH: 200_000,
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: 500_000,  # a filter may list thousands of products
    sqlite3.SQLITE_LIMIT_COMPOUND_SELECT: 20,
    sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 1_000,
    sqlite3.SQLITE_LIMIT_VDBE_OP: 100_000,
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
    sqlite3.SQLITE_LIMIT_WORKER_THREADS: 0,
}
# SQLite multiplies expressions out while it prepares a query, and no time limit reaches it there. The limit holds for
# the whole process.
HEAP_BYTES = 512 * 1024**2
OPERATIONS_BETWEEN_CHECKS = 1_000
# printf repeats such a character as often as the format asks, for seconds, before it finds the text too long
REPEATED_CHARACTER = re.compile(r"%[-+ #!0-9,.*l]*c")

FUNCTIONS = frozenset(
    re.findall(
        r"\w+",
        # aggregates and windows
        "avg count group_concat max min string_agg sum total "
        "cume_dist dense_rank first_value lag last_value lead nth_value ntile percent_rank rank row_number "
        # dates and times
        "current_date current_time current_timestamp date datetime julianday strftime time timediff unixepoch "
        # text
        "char concat concat_ws format glob hex instr length like lower ltrim octet_length printf quote replace rtrim "
        "substr substring trim unicode upper "
        # conditions
        "coalesce if ifnull iif likelihood likely nullif typeof unlikely "
        # numbers
        "abs acos asin atan atan2 ceil ceiling cos degrees exp floor ln log log10 log2 mod pi pow power radians random "
        "round sign sin sqrt tan trunc",
    )
)
# what SQLAlchemy asks to describe a table to whoever writes SQL
DESCRIBING_PRAGMAS = {
    "database_list",
    "foreign_key_list",
    "index_info",
    "index_list",
    "index_xinfo",
    "table_info",
    "table_list",
    "table_xinfo",
}
SCHEMA_TABLES = {"sqlite_master", "sqlite_schema", "sqlite_temp_master", "sqlite_temp_schema"}
HARMLESS = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_RECURSIVE, sqlite3.SQLITE_TRANSACTION}


class Cursor(sqlite3.Cursor):
    """A cursor that says in plain words which limit a query met."""

    connection: Connection

    def execute(self, *arguments: Any) -> Cursor:
        self.connection.deadline = monotonic() + SECONDS_PER_QUERY
        with _limits_in_plain_words():
            return super().execute(*arguments)

    def fetchone(self) -> Any:
        with _limits_in_plain_words():
            return super().fetchone()

    def fetchmany(self, size: int | None = None) -> list[Any]:
        with _limits_in_plain_words():
            return super().fetchmany(self.arraysize if size is None else size)

    def fetchall(self) -> list[Any]:
        rows = self.fetchmany(ROWS_PER_QUERY + 1)
        if len(rows) > ROWS_PER_QUERY:
            raise sqlite3.OperationalError(
                f"The query yields more than {ROWS_PER_QUERY:,} rows. Ask for fewer days or columns."
            )
        return rows


@contextmanager
def _limits_in_plain_words() -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        if str(error) != "interrupted":
            raise
        raise sqlite3.OperationalError(TOO_LONG.format(SECONDS_PER_QUERY)) from None
    except MemoryError:
        raise sqlite3.OperationalError("The query needs too much memory. Ask for fewer columns.") from None


class Connection(sqlite3.Connection):
    """A read-only connection that shows the rows of `stores`, or the whole file (None)."""

    def __init__(self, *arguments: Any, stores: Stores | None, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.deadline = monotonic() + SECONDS_PER_QUERY
        self.execute(f"PRAGMA hard_heap_limit = {HEAP_BYTES}")
        if stores is None:
            authorize = _whole_file_authorizer(self)
        else:
            key = secrets.token_hex(16)
            authorize = _authorizer(_create_views(self, stores, key), key)
        for limit, value in LIMITS.items():
            self.setlimit(limit, value)
        format_text = _formatter()
        for name in ("printf", "format"):
            self.create_function(name, -1, format_text, deterministic=True)
        self.set_authorizer(authorize)
        self.set_progress_handler(lambda: monotonic() > self.deadline, OPERATIONS_BETWEEN_CHECKS)

    def cursor(self, factory: Callable[..., Any] | None = None) -> Any:
        return super().cursor(factory or Cursor)

    def execute(self, *arguments: Any) -> Any:
        return self.cursor().execute(*arguments)


def opener(stores: Stores | None) -> Callable[..., Connection]:
    """What sqlite3.connect takes as its factory, for one user."""
    return partial(Connection, stores=stores)


def _formatter() -> Callable[..., Any]:
    """SQLite's printf, except for what neither a limit nor a deadline stops."""
    # the thread that reads a connection need not be the one that opened it
    plain = sqlite3.connect(":memory:", check_same_thread=False)
    plain.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LIMITS[sqlite3.SQLITE_LIMIT_LENGTH])

    def format_text(*values: Any) -> Any:
        if values and REPEATED_CHARACTER.search(str(values[0])):
            raise ValueError("%c is not offered")
        (text,) = plain.execute(f"SELECT printf({', '.join('?' * len(values))})", values).fetchone()
        return text

    return format_text


def _create_views(connection: sqlite3.Connection, stores: Stores, key: str) -> set[str]:
    """Put a view with the user's rows in front of each published table; return their names. A table without a store
    gets no view, and so stays closed. The file's own views then read these views."""
    names = set()
    entries = connection.execute("SELECT type, name, sql FROM main.sqlite_master ORDER BY type").fetchall()
    for kind, name, definition in entries:
        if kind == "table":
            columns = [column[1].lower() for column in connection.execute(f"PRAGMA main.table_info({_quoted(name)})")]
            if "store_location" in columns:
                condition = f"{stores.condition(columns)} AND {stores.shown_once(columns)}"
            elif name in TABLES_WITHOUT_STORE and stores != NO_STORE:
                condition = EVERY_ROW
            else:
                continue
            # where a query reads no column of a table, SQLite names the table to the authorizer, but not the view
            condition = f"{condition} AND {_quoted(columns[0])} IS {_quoted(columns[0])}"
            connection.execute(
                f'CREATE TEMP VIEW {_quoted(name)} AS WITH "{key}" AS '
                f'(SELECT * FROM main.{_quoted(name)} WHERE {condition}) SELECT * FROM "{key}"'
            )
        elif kind == "view":
            connection.execute(re.sub(r"^CREATE VIEW", "CREATE TEMP VIEW", definition))
        else:
            continue
        names.add(name.lower())
    return names


def _quoted(name: str) -> str:
    return '"{}"'.format(name.replace('"', '""'))


Authorizer = Callable[[int, str | None, str | None, str | None, str | None], int]


def _authorizer(views: set[str], key: str) -> Authorizer:
    """Let a user read the views, and the views read their tables."""

    def authorize(action: int, first: str | None, second: str | None, schema: str | None, reader: str | None) -> int:
        if action == sqlite3.SQLITE_READ:
            table = (first or "").lower()
            # a table of which no column is read has the schema that the query names; temporary views come first
            through_view = schema == "main" and reader == key
            view = schema == "temp" or (schema is None and second == "")
            return _answer(table in views and (view or through_view))
        return _answer(_permitted(action, first, second))

    return authorize


def _whole_file_authorizer(connection: sqlite3.Connection) -> Authorizer:
    """Let an administrator or an analyst read all that the file holds, and describe it."""
    names = {row[0].lower() for row in connection.execute("SELECT name FROM main.sqlite_master")} | SCHEMA_TABLES

    def authorize(action: int, first: str | None, second: str | None, schema: str | None, reader: str | None) -> int:
        if action == sqlite3.SQLITE_READ:
            return _answer((first or "").lower() in names)
        if action == sqlite3.SQLITE_PRAGMA and first in DESCRIBING_PRAGMAS:
            return sqlite3.SQLITE_OK
        return _answer(_permitted(action, first, second))

    return authorize


def _permitted(action: int, first: str | None, second: str | None) -> bool:
    if action == sqlite3.SQLITE_FUNCTION:
        return (second or "").lower() in FUNCTIONS
    # SQLAlchemy asks for the isolation level of each new connection
    reads_isolation = action == sqlite3.SQLITE_PRAGMA and first == "read_uncommitted" and second is None
    return action in HARMLESS or reads_isolation


def _answer(allowed: bool) -> int:
    return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY
