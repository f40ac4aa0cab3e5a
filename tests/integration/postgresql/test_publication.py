"""Publishing to a real PostgreSQL server: what is written, what is refused, and that readers see old tables or new
ones, whatever is killed."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import duckdb
import psycopg2
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings

from dev.postgresql_server import Postgresql
from notify.publication import ACTED_ON
from publish import export, parts
from publish.destinations import postgresql as destination
from publish.destinations import postgresql_changes, postgresql_whole
from publish.destinations import postgresql_rows as rows_of_roles
from publish.publication import PublicationRefusedError, PublishedTable, publication_list, read_manifest
from publish.schema import DOCUMENTED, INDEXES, converted
from serving_database import PUBLISHED_AT, SERVING, ServingDatabase
from tests.conftest import ROOT
from tests.unit.publish.builds import builds, run_build
from tests.unit.publish.warehouse import change, tables, write_manifest, write_warehouse

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
        cursor.execute(rows_of_roles.protection(cursor, database, "own.episodes", table))
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
    change(data_dir, "insert into numerical_quantity (model_name) values ('new')")
    outcomes = publish(data_dir, url)
    assert outcomes["inventory"] == "unchanged, 2 rows"
    assert outcomes["inventory_metrics"] == f"published, 1 rows changed of {2 * len(metrics) + 1}"
    assert rows(url, "select count(*) from inventory_metrics.numerical_anomalies") == [(3,)]
    newest = "select max(published_at) from inventory_serving.published_tables"
    assert rows(url, f"{newest} where table_name = 'numerical_anomalies'") > rows(
        url, f"{newest} where table_name = 'metrics'"
    )


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


# ------------------------------------------------------------------ what is new


def differences(data_dir: Path, url: str) -> list[str]:
    """The published tables that are not, row by row, what the warehouse holds."""
    found = []
    with duckdb.connect(str(data_dir / "warehouse/inventory.duckdb"), read_only=True) as warehouse:
        warehouse.execute("set TimeZone = 'UTC'")
        for schema, listed in publication_list(read_manifest(data_dir), warehouse).items():
            for table in (each for each in listed if each.view_of is None):
                wanted = Counter(warehouse.execute(f"select * from {converted(table)}").fetchall())
                if Counter(rows(url, f"select * from {schema}.{table.name}")) != wanted:
                    found.append(table.name)
    return found


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(builds)
def test_whatever_the_builds_did_the_database_holds_what_the_warehouse_holds(data_dir, url, steps):
    publish(data_dir, url)
    for kind, detail in steps:
        run_build(data_dir, kind, detail)
        if kind == "act":  # between builds, as notify does
            with connected(url) as cursor:
                for table in ACTED_ON:
                    cursor.execute(
                        f"delete from inventory_metrics.{table} where ctid::text like '%{detail})';"
                        f"insert into inventory_metrics.{table} (store_location) values ('Store_A')"
                    )
            change(data_dir, *(f"insert into {table} (store_location) values ('{kind}')" for table in ACTED_ON))
        publish(data_dir, url)
        assert differences(data_dir, url) == []


def test_only_rows_that_have_changed_are_written(data_dir, url):
    """Late and new readings of some stores: all other rows stay where they are, and so do grants and row rules."""
    change(
        data_dir,
        """
        insert into inventory
        select 'P' || product, 'Toys', 'Store_' || store, product, 1.5, timestamp '2026-06-01' + to_days(day)
        from range(4) as products (product), range(5) as stores (store), range(30) as days (day)
        """.replace("to_days(day)", "to_days(cast(day as integer))"),
    )
    publish(data_dir, url)
    places = "select ctid::text, inventory::text from inventory.inventory as inventory"
    rules = """
        select relrowsecurity, relforcerowsecurity, relacl::text,
            (select string_agg(policies::text, ' ' order by policyname) from pg_policies as policies
            where policies.tablename = relname)
        from pg_class where relname = 'inventory' and relkind = 'r'
    """
    before, rules_before = set(rows(url, places)), rows(url, rules)
    change(
        data_dir,
        "update inventory set quantity = 99 where product_id = 'P1' and store_location = 'Store_2' "
        "and event_timestamp in ('2026-06-03', '2026-06-20')",
        "delete from inventory where product_id = 'P2' and event_timestamp = '2026-06-29' "
        "and store_location = 'Store_0'",
        "insert into inventory values ('P1', 'Toys', 'Store_9', 5, 1.5, timestamp '2026-07-01')",
    )
    assert publish(data_dir, url)["inventory"] == "published, 6 rows changed of 602"
    after = set(rows(url, places))
    assert (len(before - after), len(after - before)) == (3, 3)
    assert rows(url, rules) == rules_before
    assert differences(data_dir, url) == []


RESTORED = {
    "restored": (
        "create table restored (like inventory.inventory including all); drop table inventory.inventory; "
        "alter table restored set schema inventory; alter table inventory.restored rename to inventory",
        "1 of 1 tables written whole",
    ),
    "emptied": ("truncate inventory.inventory", "1 of 1 tables written whole"),
    "changed by hand": (
        "delete from inventory.inventory where product_id is null",
        "because the rows of inventory are not those that were written",
    ),
    "altered on its way": (
        "create function spoil() returns trigger language plpgsql as "
        "$$ begin new.price = 0; return new; end $$; "
        "create trigger spoil before insert on inventory.inventory for each row execute function spoil()",
        "because the rows of inventory did not become those of the warehouse",
    ),
}


@pytest.mark.parametrize(("done", "outcome"), RESTORED.values(), ids=RESTORED)
def test_a_table_that_is_not_as_it_was_published_is_written_whole(data_dir, url, done, outcome):
    publish(data_dir, url)
    with connected(url) as cursor:
        cursor.execute(done)
    change(data_dir, "insert into inventory (category, price) values ('new', 2)")
    assert outcome in publish(data_dir, url)["inventory"]
    assert differences(data_dir, url) == []


@pytest.mark.parametrize("dropped", ["view inventory_metrics.numerical_anomalies", "table inventory_metrics.metrics"])
def test_what_somebody_dropped_is_made_again(data_dir, url, dropped):
    publish(data_dir, url)
    with connected(url) as cursor:
        cursor.execute(f"drop {dropped}")
    assert f"1 of {len(tables())} tables written whole" in publish(data_dir, url)["inventory_metrics"]
    assert rows(url, "select count(*) from inventory_metrics.numerical_anomalies") == [(2,)]
    assert differences(data_dir, url) == []


def test_two_data_folders_that_publish_in_turns_each_get_their_own(data_dir, url, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    write_warehouse(other)
    change(other, "update inventory set quantity = 3", "insert into metrics (category) values ('of the other')")
    for folder in (data_dir, other, data_dir):
        publish(folder, url)
        assert differences(folder, url) == []


def test_a_table_with_another_layout_is_written_whole(data_dir, url):
    publish(data_dir, url)
    change(data_dir, "alter table daily_stock add column note varchar", "insert into metrics (category) values ('new')")
    total = 2 * (len(tables()) - 1) + 1
    assert publish(data_dir, url)["inventory_metrics"] == (
        f"published, 1 rows changed of {total}, 1 of {len(tables())} tables written whole"
    )
    assert differences(data_dir, url) == []


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


def test_a_view_of_others_follows_a_table_until_that_is_written_whole(data_dir, url, monkeypatch):
    publish(data_dir, url)
    with connected(url) as cursor:
        cursor.execute("create view public.report as select * from inventory_metrics.metrics")
    change(data_dir, "insert into metrics (category) values ('new')")
    publish(data_dir, url)
    assert rows(url, "select count(*) from report") == [(3,)]
    monkeypatch.setitem(INDEXES, "metrics", [("category",)])
    with pytest.raises(PublicationRefusedError, match=r"view report depends on table inventory_metrics\.metrics"):
        publish(data_dir, url)
    assert rows(url, "select count(*) from inventory_metrics.metrics") == [(3,)]


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


def test_readers_who_do_not_end_are_named(data_dir, postgresql, url, monkeypatch):
    publish(data_dir, url)
    change(data_dir, "insert into metrics (category) values ('new')")
    monkeypatch.setattr(destination, "SECONDS_FOR_READERS", 1)
    role = f"{url.rpartition('/')[2]}_reader"
    group = ServingDatabase.of_url(url).analysts
    with connected(url) as cursor:
        cursor.execute(f"create role {role} login password 'x' in role {group}")
    with connected(postgresql.url(url.rpartition("/")[2], role, "x")) as reader:
        reader.execute(PUBLISHED_AT)
        process = reader.connection.info.backend_pid
        with pytest.raises(
            PublicationRefusedError, match=rf"kept its tables busy for 1 seconds: {role} \(process {process}\)"
        ):
            publish(data_dir, url)
    publish(data_dir, url)
    assert rows(url, "select count(*) from inventory_metrics.metrics") == [(3,)]


# ------------------------------------------------------------------ old tables or new ones

# an export that ends by SIGKILL when it reaches a step for the n-th time
KILLED = """
import os, signal, sys
from importlib import import_module
from pathlib import Path
from publish import export, parts
from publish.destinations.postgresql import PostgresqlDatabase
from serving_database import ServingDatabase

data_dir, url, step, times = Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
parts.MOST_CHANGED_ROWS = int(sys.argv[5])
reached = 0

def kill(*_):
    global reached
    reached += 1
    if reached == times:
        os.kill(os.getpid(), signal.SIGKILL)

if step != "before_commit":
    module, _, name = step.partition(".")
    module = import_module(f"publish.destinations.{module}")
    unpatched = getattr(module, name)
    setattr(module, name, lambda *arguments: (kill(), unpatched(*arguments))[1])
ending = kill if step == "before_commit" else lambda _: None
export.publish(data_dir, PostgresqlDatabase(ServingDatabase.of_url(url), ending))
"""
LAST_STEPS = [("postgresql._lock_out_readers", 1), ("postgresql.note", 1), ("postgresql.note", 3), ("before_commit", 1)]
STEPS = {
    "whole": (0, [("postgresql.write", 1), ("postgresql_whole._copy", 3), ("postgresql.replace", 1), *LAST_STEPS]),
    "in place": (
        parts.MOST_CHANGED_ROWS,
        [("postgresql.change_table", 1), ("postgresql_changes._change_rows", 3), *LAST_STEPS],
    ),
}


def killed_export(data_dir: Path, url: str, step: str, times: int, most_changed: int) -> None:
    command = [sys.executable, "-c", KILLED, str(data_dir), url, step, str(times), str(most_changed)]
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


@pytest.mark.parametrize(("most_changed", "steps"), STEPS.values(), ids=STEPS)
def test_an_export_that_is_killed_leaves_the_old_tables(data_dir, url, most_changed, steps):
    set_version(data_dir, 1)
    publish(data_dir, url)
    for number, (step, times) in enumerate(steps, 2):
        set_version(data_dir, number)
        killed_export(data_dir, url, step, times, most_changed)
        assert version(url) == 1, step
    publish(data_dir, url)
    assert version(url) == len(steps) + 1
    assert differences(data_dir, url) == []


@pytest.mark.parametrize(
    ("module", "step", "most_changed"),
    [
        (postgresql_whole, "_copy", 0),
        (postgresql_changes, "_change_rows", parts.MOST_CHANGED_ROWS),
        (destination, "_lock_out_readers", 0),
        (destination, "note", parts.MOST_CHANGED_ROWS),
    ],
)
def test_a_server_that_is_killed_has_the_old_tables_when_it_is_back(data_dir, module, step, most_changed, monkeypatch):
    from dev.postgresql_server import running

    monkeypatch.setattr(parts, "MOST_CHANGED_ROWS", most_changed)
    with running() as server:
        url = server.create_database("published")
        set_version(data_dir, 1)
        publish(data_dir, url)
        set_version(data_dir, 2)
        unpatched = getattr(module, step)
        with monkeypatch.context() as patched:
            patched.setattr(module, step, lambda *arguments: (server.kill(), unpatched(*arguments))[1])
            with pytest.raises(PublicationRefusedError, match="What was published before stays"):
                publish(data_dir, url)
        server.start()
        assert version(url) == 1
        publish(data_dir, url)
        assert version(url) == 2


def test_readers_never_see_half_of_a_publication(data_dir, url, monkeypatch):
    """Some read as a page does, in a transaction that begins with the time of the publication; one query by query.
    Tables are changed in place and written whole in turns."""
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
                monkeypatch.setattr(parts, "MOST_CHANGED_ROWS", number % 2 * 100)
                database.publish(warehouse, databases)
    finally:
        done.set()
        for reader in readers:
            reader.join()
    assert faults == []
    assert min(reads) > 200
