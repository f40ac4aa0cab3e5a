"""Publishing to a real PostgreSQL server: what is written, what is refused, and that readers see old tables or new
ones, whatever is killed."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import duckdb
import psycopg2
import pytest
from click.testing import CliRunner

from dev.postgresql_server import Postgresql
from publish import export
from publish.destinations import postgresql as destination
from publish.destinations import postgresql_rows as rows_of_roles
from publish.publication import PublicationRefusedError, PublishedTable, publication_list, read_manifest
from publish.schema import DOCUMENTED
from serving_database import PUBLISHED_AT, SERVING, ServingDatabase
from tests.conftest import ROOT
from tests.unit.publish.warehouse import VIEWS, change, tables, write_manifest, write_warehouse

TYPES = {"TEXT": "text", "INTEGER": "bigint", "FLOAT": "double precision"}
DATABASES = count()


@pytest.fixture
def url(postgresql: Postgresql) -> str:
    """The address of an empty database."""
    return postgresql.create_database(f"published_{next(DATABASES)}")


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    write_warehouse(tmp_path)
    return tmp_path


def publish(data_dir: Path, url: str) -> dict[str, str]:
    """What became of each schema."""
    outcomes = export.publish(data_dir, destination.PostgresqlDatabase(ServingDatabase.of_url(url)))
    return {place.rpartition(" ")[2]: outcome for place, outcome in outcomes.items()}


def run_export(data_dir: Path, url: str, **environment: str) -> tuple[int, str]:
    result = CliRunner().invoke(export.command, ["--data-dir", str(data_dir), "--to", url], env=environment)
    return result.exit_code, result.output


@contextmanager
def connected(url: str) -> Iterator[Any]:
    with closing(psycopg2.connect(url)) as connection, connection, connection.cursor() as cursor:
        yield cursor


def rows(url: str, query: str) -> list[tuple[Any, ...]]:
    with connected(url) as cursor:
        cursor.execute(query)
        return cursor.fetchall()


# ------------------------------------------------------------------ what is written


def test_the_tables_are_those_of_the_sqlite_files(data_dir, url):
    code, output = run_export(data_dir, url)
    assert code == 0, output
    for database in DOCUMENTED:
        with closing(sqlite3.connect(data_dir / "export" / f"{database}.db")) as file:
            names = [name for (name,) in file.execute("select name from sqlite_master where type in ('table', 'view')")]
            for name in names:
                declared = [(each[1], TYPES[each[2]]) for each in file.execute(f"pragma table_info({name})")]
                columns = (
                    "select column_name, data_type from information_schema.columns "
                    f"where (table_schema, table_name) = ('{database}', '{name}') order by ordinal_position"
                )
                assert rows(url, columns) == declared, name
                theirs = file.execute(f"select * from {name} order by 1 nulls first").fetchall()
                assert rows(url, f"select * from {database}.{name} order by 1 nulls first") == theirs, name


def test_text_comes_through_whatever_its_characters(data_dir, url):
    texts = ["", "\\.", "\\N", 'a "quoted", text', "two\nlines\r\n\\.\n", "tab\t", " spaces ", "é😀", "NULL", "'"]
    change(data_dir, "delete from late_events")
    with duckdb.connect(str(data_dir / "warehouse" / "inventory.duckdb")) as connection:
        connection.executemany("insert into late_events (store_location) values (?)", [[text] for text in texts])
        connection.execute("insert into late_events (store_location) values (null)")
    publish(data_dir, url)
    published = rows(url, "select store_location from inventory_metrics.late_events")
    assert sorted(published, key=str) == sorted([(None,), *((text,) for text in texts)], key=str)


def test_a_notification_of_a_region_is_shown_once(postgresql, url):
    """To the managers of its stores each by the own store, to who sees the region or everything by the region."""
    name = url.rpartition("/")[2]
    database = ServingDatabase.of_url(url)
    people = {"anna": "'Store_A', null", "nora": "null, 'North'", "rita": "'Store_B', 'South'", "cora": None}
    columns = {"store_location": "VARCHAR", "region": "VARCHAR", "is_covered_by_region": "BOOLEAN"}
    with connected(url) as cursor:
        rows_of_roles.set_up(cursor, database, ["own"])
        cursor.execute("create table own.episodes (store_location text, region text, is_covered_by_region bigint)")
        table = PublishedTable("episodes", "episodes", columns, None)
        rows_of_roles.protect(cursor, database, "own.episodes", table)
        cursor.execute(
            "insert into own.episodes values ('N/A', 'North', 0), ('Store_A', 'North', 1), ('Store_B', 'North', 1)"
        )
        for person, rules in people.items():
            group = database.managers if rules else database.company
            cursor.execute(f"create role {name}_{person} login password 'x' in role {group}")
            cursor.execute(f"grant select on own.episodes to {group}; grant usage on schema own to {group}")
            if rules:
                cursor.execute(f"insert into {SERVING}.row_rules values ('{name}_{person}', {rules})")
        cursor.execute(f"insert into {SERVING}.row_rules values ('{name}_nora', 'Store_A', null)")
    shown = {
        person: rows(postgresql.url(name, f"{name}_{person}", "x"), "select store_location from own.episodes")
        for person in people
    }
    assert shown == {"anna": [("Store_A",)], "nora": [("N/A",)], "rita": [("Store_B",)], "cora": [("N/A",)]}


def test_only_tables_that_have_changed_are_written(data_dir, url):
    assert publish(data_dir, url)["inventory"].startswith("published")
    metrics = tables().keys() - DOCUMENTED["inventory"].keys()
    assert publish(data_dir, url) == {
        "inventory": "unchanged, 2 rows",
        "inventory_metrics": f"unchanged, {2 * len(metrics)} rows",
    }
    identities = "select relname, oid from pg_class where relname in ('metrics', 'numerical_quantity')"
    before = dict(rows(url, identities))
    change(data_dir, "insert into numerical_quantity (model_name) values ('new')")
    outcomes = publish(data_dir, url)
    assert outcomes["inventory"] == "unchanged, 2 rows"
    assert f"2 of {len(metrics) + len(VIEWS)} tables new" in outcomes["inventory_metrics"]
    after = dict(rows(url, identities))
    assert before["metrics"] == after["metrics"]
    assert before["numerical_quantity"] != after["numerical_quantity"]
    assert rows(url, "select count(*) from inventory_metrics.numerical_anomalies") == [(3,)]


def test_a_table_that_is_no_longer_listed_goes(data_dir, url):
    publish(data_dir, url)
    listed = [name for group in DOCUMENTED.values() for name in group]
    write_manifest(data_dir, listed)
    publish(data_dir, url)
    published = "select relname from pg_class where relnamespace = 'inventory_metrics'::regnamespace and relkind <> 'i'"
    assert {name for (name,) in rows(url, published)} == DOCUMENTED["inventory_metrics"].keys()


def test_the_address_may_come_from_the_environment(data_dir, url):
    runner = CliRunner()
    result = runner.invoke(
        export.command, ["--data-dir", str(data_dir)], env={"INVENTORY_SERVING_DATABASE": url}, catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    assert "schema inventory_metrics: published" in result.output
    assert "inventory_metrics.db: published" in result.output


# ------------------------------------------------------------------ what is refused


def test_a_server_that_is_away_leaves_both_places_as_they_were(data_dir):
    code, output = run_export(data_dir, "postgresql://inventory:hush-hush@127.0.0.1:1/inventory")
    assert code == 1
    assert "PostgreSQL database inventory on 127.0.0.1 cannot be opened" in output
    assert "Connection refused" in output
    assert "hush-hush" not in output
    assert not (data_dir / "export").exists()


@pytest.mark.parametrize(
    ("role", "password"), [("inventory", "hush-hush"), ("nobody", "hush-hush")], ids=["password", "role"]
)
def test_who_may_not_sign_in_reads_why(data_dir, postgresql, url, role, password):
    code, output = run_export(data_dir, postgresql.url(url.rpartition("/")[2], role, password))
    assert code == 1
    assert f'password authentication failed for user "{role}"' in output
    assert "PGPASSFILE" in output
    assert "hush-hush" not in output


def test_the_password_may_come_from_the_environment(data_dir, postgresql, url, monkeypatch):
    monkeypatch.setenv("PGPASSWORD", postgresql.password)
    assert run_export(data_dir, url.replace(f":{postgresql.password}@", "@"))[0] == 0


@pytest.mark.parametrize(
    "address", ["sqlite:///x.db", "postgresql://", "postgresql://u:hush@[h/x", "host=a password=hush"]
)
def test_what_is_no_address_is_not_repeated(data_dir, address):
    code, output = run_export(data_dir, address)
    assert code == 1
    assert "is no address of a database. Write postgresql://user@host:port/database." in output
    assert "hush" not in output


@pytest.mark.parametrize(
    ("made_by_others", "named"),
    [
        ("create schema inventory; create table inventory.inventory (theirs int)", "inventory.inventory"),
        (
            "create schema inventory_metrics; create view inventory_metrics.metrics as select 1",
            "inventory_metrics.metrics",
        ),
        ("create schema inventory_staged", "inventory_staged"),
    ],
)
def test_what_others_have_made_is_not_touched(data_dir, url, made_by_others, named):
    with connected(url) as cursor:
        cursor.execute(made_by_others)
    with pytest.raises(PublicationRefusedError, match=f"holds {named} already, and no export has made it"):
        publish(data_dir, url)
    assert rows(url, "select count(*) from inventory_serving.published_tables") == [(0,)]


def test_tables_of_others_in_the_same_schema_stay(data_dir, url):
    publish(data_dir, url)
    with connected(url) as cursor:
        cursor.execute("create table inventory_metrics.notes as select 'mine' as note")
    change(data_dir, "insert into metrics (category) values ('new')")
    publish(data_dir, url)
    assert rows(url, "select note from inventory_metrics.notes") == [("mine",)]


def test_a_view_of_others_on_a_published_table_is_named(data_dir, url):
    publish(data_dir, url)
    with connected(url) as cursor:
        cursor.execute("create view public.report as select * from inventory_metrics.metrics")
    change(data_dir, "insert into metrics (category) values ('new')")
    with pytest.raises(PublicationRefusedError, match=r"view report depends on table inventory_metrics\.metrics"):
        publish(data_dir, url)
    assert rows(url, "select count(*) from inventory_metrics.metrics") == [(2,)]


def test_another_version_s_schema_is_refused(data_dir, url):
    publish(data_dir, url)
    with connected(url) as cursor:
        cursor.execute("comment on schema inventory_serving is 'format 99'")
    with pytest.raises(PublicationRefusedError, match="of another version of this project \\(format 99"):
        publish(data_dir, url)


def test_a_role_without_the_right_to_make_roles_is_refused_with_the_place_to_read(data_dir, postgresql, url):
    name = url.rpartition("/")[2]
    postgresql.execute(f"create role plain_{name} login password 'x'; grant create on database {name} to plain_{name}")
    with pytest.raises(PublicationRefusedError, match=r"permission denied to create role\. docs/postgresql\.md"):
        publish(data_dir, postgresql.url(name, f"plain_{name}", "x"))


def test_a_second_export_says_that_the_first_is_writing(data_dir, url, monkeypatch):
    publish(data_dir, url)
    monkeypatch.setattr("serving_database.SECONDS_FOR_OTHERS", 1)
    with connected(url) as first:
        ServingDatabase.hold_publication(first)
        with pytest.raises(PublicationRefusedError, match="another export is writing"):
            publish(data_dir, url)
        assert rows(url, "select count(*) from inventory_metrics.metrics") == [(2,)]  # readers are not kept out


def test_readers_who_do_not_end_are_named(data_dir, url, monkeypatch):
    publish(data_dir, url)
    change(data_dir, "insert into metrics (category) values ('new')")
    monkeypatch.setattr(destination, "SECONDS_FOR_READERS", 1)
    with connected(url) as reader:
        reader.execute("select * from inventory_metrics.metrics")
        with pytest.raises(PublicationRefusedError, match="have kept its tables busy for 1 seconds"):
            publish(data_dir, url)
    publish(data_dir, url)
    assert rows(url, "select count(*) from inventory_metrics.metrics") == [(3,)]


# ------------------------------------------------------------------ old tables or new ones

# an export that ends by SIGKILL when it reaches a step for the n-th time
KILLED = """
import os, signal, sys
from pathlib import Path
from publish import export
from publish.destinations import postgresql
from serving_database import ServingDatabase

data_dir, url, step, times = Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
reached = 0

def kill(*_):
    global reached
    reached += 1
    if reached == times:
        os.kill(os.getpid(), signal.SIGKILL)

if step != "before_commit":
    unpatched = getattr(postgresql, step)
    setattr(postgresql, step, lambda *arguments: (kill(), unpatched(*arguments))[1])
ending = kill if step == "before_commit" else lambda _: None
export.publish(data_dir, postgresql.PostgresqlDatabase(ServingDatabase.of_url(url), ending))
"""
STEPS = [("_write", 1), ("_copy", 3), ("_lock_out_readers", 1), ("_replace", 1), ("_record", 1), ("before_commit", 1)]


def killed_export(data_dir: Path, url: str, step: str, times: int) -> None:
    command = [sys.executable, "-c", KILLED, str(data_dir), url, step, str(times)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr


VERSIONED = {"inventory": "quantity", "metrics": "total_quantity", "anomalies": "description"}


def set_version(data_dir: Path, version: int) -> None:
    """Let the tables hold as many rows as the version says."""
    change(data_dir, statements(version))


def statements(version: int) -> str:
    return "".join(
        f"delete from {table}; insert into {table} ({column}) select {version} from range({version});"
        for table, column in VERSIONED.items()
    )


VERSION = """
    select
        (select count(*) from inventory.inventory),
        (select max(total_quantity) from inventory_metrics.metrics),
        (select max(description)::int from inventory_metrics.anomalies)
"""


def version(url: str) -> int:
    ((*versions,),) = rows(url, VERSION)
    assert len(set(versions)) == 1
    return int(versions[0])


def test_an_export_that_is_killed_leaves_the_old_tables(data_dir, url):
    set_version(data_dir, 1)
    publish(data_dir, url)
    for number, (step, times) in enumerate(STEPS, 2):
        set_version(data_dir, number)
        killed_export(data_dir, url, step, times)
        assert version(url) == 1, step
    publish(data_dir, url)
    assert version(url) == len(STEPS) + 1


@pytest.mark.parametrize("step", ["_copy", "_lock_out_readers", "_record"])
def test_a_server_that_is_killed_has_the_old_tables_when_it_is_back(data_dir, step, monkeypatch):
    from dev.postgresql_server import running

    with running() as server:
        url = server.create_database("published")
        set_version(data_dir, 1)
        publish(data_dir, url)
        set_version(data_dir, 2)
        unpatched = getattr(destination, step)
        with monkeypatch.context() as patched:
            patched.setattr(destination, step, lambda *arguments: (server.kill(), unpatched(*arguments))[1])
            with pytest.raises(PublicationRefusedError, match="What was published before stays"):
                publish(data_dir, url)
        server.start()
        assert version(url) == 1
        publish(data_dir, url)
        assert version(url) == 2


def test_readers_never_see_half_of_a_publication(data_dir, url):
    """Some read as a page does, in a transaction that begins with the time of the publication; one query by query."""
    set_version(data_dir, 1)
    publish(data_dir, url)
    done, faults, reads = threading.Event(), [], [0, 0, 0]

    def read_page(number: int) -> None:
        with closing(psycopg2.connect(url)) as connection:
            while not done.is_set():
                with connection, connection.cursor() as cursor:
                    cursor.execute(PUBLISHED_AT)
                    seen = set()
                    for query in (
                        "count(*) from inventory.inventory",
                        "max(total_quantity) from inventory_metrics.metrics",
                    ):
                        cursor.execute(f"select {query}")
                        seen |= {int(row[0]) for row in cursor.fetchall()}
                    if len(seen) != 1:
                        faults.append(seen)
                reads[number] += 1
                done.wait(0.01)

    def read_tables(number: int) -> None:
        with closing(psycopg2.connect(url)) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                while not done.is_set():
                    table = "select count(*), min(total_quantity), max(total_quantity) from inventory_metrics.metrics"
                    for query in (table, VERSION):
                        cursor.execute(query)
                        seen = set(map(int, cursor.fetchone()))
                        if len(seen) != 1:
                            faults.append(seen)
                    reads[number] += 1
                    done.wait(0.01)

    def guarded(read, number):
        try:
            read(number)
        except Exception as error:
            faults.append(error)

    readers = [
        threading.Thread(target=guarded, args=arguments)
        for arguments in ((read_page, 0), (read_page, 1), (read_tables, 2))
    ]
    for reader in readers:
        reader.start()
    try:
        database = destination.PostgresqlDatabase(ServingDatabase.of_url(url))
        with duckdb.connect(str(data_dir / "warehouse" / "inventory.duckdb")) as warehouse:
            databases = publication_list(read_manifest(data_dir), warehouse)
            for number in range(2, 202):
                warehouse.execute(statements(number % 7 + 1))
                database.publish(warehouse, databases)
    finally:
        done.set()
        for reader in readers:
            reader.join()
    assert faults == []
    assert min(reads) > 200
