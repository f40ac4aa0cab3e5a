"""What a browser reads when the database fails, and what the log keeps of it."""

from __future__ import annotations

import json
import subprocess

import pytest

from dev.postgresql_server import Postgresql
from tests.conftest import ROOT
from tests.serving import PYTHON

ASK = """
import json, logging, sys
import psycopg2
from dashboards.access.database_connection import Connection, DatabaseAwayError

logging.basicConfig(format="%(message)s")
try:
    cursor = psycopg2.connect(sys.argv[1], connection_factory=Connection).cursor()
    cursor.execute(sys.argv[2])
    print(json.dumps(cursor.fetchall()))
except (psycopg2.Error, DatabaseAwayError) as error:
    print(json.dumps(str(error)))
"""
FAILURES = {
    "wrong password": (":wrong@", "select 1", "The database cannot be reached. Try again in a minute.", "user"),
    "forbidden": (None, "select * from pg_authid", "You may not do this in the database.", "pg_authid"),
    "ended by the server": (
        None,
        "select pg_terminate_backend(pg_backend_pid())",
        "The database cannot answer now. Try again in a minute.",
        "connection",
    ),
    "too long": (
        None,
        "set statement_timeout = 100; select pg_sleep(5)",
        "The query took longer than 10 seconds. Ask for fewer days, stores or products.",
        "",
    ),
    "own mistake": (None, "select no_such_column", 'column "no_such_column" does not exist', ""),
    "good": (None, "select 1", [[1]], ""),
}


@pytest.mark.parametrize(("password", "query", "shown", "logged"), FAILURES.values(), ids=FAILURES)
def test_a_failure_is_short_in_the_browser_and_whole_in_the_log(
    postgresql: Postgresql, password: str | None, query: str, shown: object, logged: str
) -> None:
    url = postgresql.url("postgres")
    url = url.replace(f":{postgresql.password}@", password) if password else url
    asked = subprocess.run([PYTHON, "-c", ASK, url, query], cwd=ROOT, capture_output=True, text=True, check=False)
    assert asked.returncode == 0, asked.stderr
    assert json.loads(asked.stdout) == shown
    assert logged in asked.stderr
    assert bool(asked.stderr) == bool(logged)
