"""The serving database's role of each person: PostgreSQL itself keeps their rows apart (`publish.destinations`).

A role's password follows from Superset's secret key. So nobody has to keep it, and it is in no file.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from dashboards.access.access_file import Access, AccessError
from dashboards.access.connection import SECONDS_PER_QUERY
from dashboards.access.stores import EVERY_STORE, Stores, asks_freely, stores_of
from serving_database import SEPARATOR, SERVING, ServingDatabase, one_line, quoted

LONGEST_NAME = 63  # of a role; PostgreSQL cuts off the rest
# in place of a login: who is not signed in, and who sees the rows of the company as its managers do
NOBODY, COMPANY = "-", "*"

# A reader who is gone, or thinks, keeps no export waiting for longer; one who resets this is named by the export.
SECONDS_IDLE_IN_TRANSACTION = 30

# role, store, region: one of the two is open
RowRule = tuple[str, str | None, str | None]


def role_name(database: ServingDatabase, login: str) -> str:
    return f"{database.name}{SEPARATOR}{login}"


def sign_in_settings(database: ServingDatabase, home: Path, login: str | None) -> dict[str, str]:
    """libpq's settings to sign in as this person's role, which sees this person's rows and no others."""
    role = role_name(database, login or NOBODY)
    return {"user": role, "password": _password(home, role)}


def write_roles(database: ServingDatabase, home: Path, access: Access) -> None:
    """Make the roles and their row rules those of access.yml. Raises AccessError, with nothing changed."""
    import psycopg2

    roles = {role_name(database, login): set(person["roles"]) for login, person in access.users.items()}
    taken = access.users.keys() & {NOBODY, COMPANY}
    if taken:
        raise AccessError(f"access.yml: the login {min(taken)} is taken by the server itself. Write another one.")
    roles |= {role_name(database, NOBODY): set(), role_name(database, COMPANY): {EVERY_STORE}}
    too_long = [role for role in roles if len(role.encode()) > LONGEST_NAME]
    if too_long:
        raise AccessError(f"access.yml: {too_long[0]} is too long for the name of a role in PostgreSQL.")
    with closing(database.connect()) as served:
        try:
            with served, served.cursor() as cursor:
                for role in _existing(cursor, database) - roles.keys():
                    _remove_role(cursor, database, role)
                for role, given in roles.items():
                    _write_role(cursor, database, role, _password(home, role), given)
                rules = [rule for role, given in roles.items() for rule in _row_rules(role, stores_of(given))]
                cursor.execute(f"DELETE FROM {SERVING}.row_rules")
                cursor.executemany(f"INSERT INTO {SERVING}.row_rules VALUES (%s, %s, %s)", rules)
        except psycopg2.Error as error:
            raise AccessError(
                f"{database.place} did not take the roles of access.yml ({one_line(error)}). Run `inventory export` "
                "first; docs/postgresql.md says which rights the publishing role needs."
            ) from error


def _existing(cursor: Any, database: ServingDatabase) -> set[str]:
    cursor.execute("SELECT rolname FROM pg_roles WHERE starts_with(rolname, %s)", (role_name(database, ""),))
    return {role for (role,) in cursor.fetchall()}


def _remove_role(cursor: Any, database: ServingDatabase, role: str) -> None:
    """Drop a role. PostgreSQL keeps one that owns something, as a large object that anybody may make: that one is left
    without sign-in and rows."""
    from psycopg2.errors import DependentObjectsStillExist

    name = quoted(role, cursor)
    cursor.execute(f"ALTER ROLE {name} NOLOGIN PASSWORD NULL")
    for group in (database.analysts, database.managers, database.company):
        cursor.execute(f"REVOKE {quoted(group, cursor)} FROM {name}")
    cursor.execute("SAVEPOINT without_rows")
    try:
        cursor.execute(f"DROP ROLE {name}")
    except DependentObjectsStillExist:
        cursor.execute("ROLLBACK TO SAVEPOINT without_rows")


def _write_role(cursor: Any, database: ServingDatabase, role: str, password: str, given: set[str]) -> None:
    from psycopg2.extensions import encrypt_password

    name = quoted(role, cursor)
    cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,))
    if not cursor.fetchone():
        cursor.execute(f"CREATE ROLE {name}")
    # encrypted here: a server may log the statement
    secret = encrypt_password(password, role, cursor.connection, "scram-sha-256")
    cursor.execute(f"ALTER ROLE {name} LOGIN PASSWORD %s", (secret,))
    cursor.execute(f"ALTER ROLE {name} SET default_transaction_read_only = on")
    cursor.execute(f"ALTER ROLE {name} SET statement_timeout = '{SECONDS_PER_QUERY:.0f}s'")
    cursor.execute(f"ALTER ROLE {name} SET idle_in_transaction_session_timeout = '{SECONDS_IDLE_IN_TRANSACTION}s'")
    wanted = set(_groups(database, given))
    for group in (database.analysts, database.managers, database.company):
        change = "GRANT {} TO {}" if group in wanted else "REVOKE {} FROM {}"
        cursor.execute(change.format(quoted(group, cursor), name))


def _groups(database: ServingDatabase, given: set[str]) -> list[str]:
    if asks_freely(given):
        return [database.analysts]
    return [database.managers, database.company] if stores_of(given).every else [database.managers]


def _row_rules(role: str, stores: Stores) -> Iterator[RowRule]:
    yield from ((role, store, None) for store in sorted(stores.names))
    yield from ((role, None, region) for region in sorted(stores.regions))


def _password(home: Path, role: str) -> str:
    return hmac.new((home / "secret_key").read_bytes(), role.encode(), "sha256").hexdigest()
