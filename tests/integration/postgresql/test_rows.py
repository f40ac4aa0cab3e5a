"""Whatever SQL a person sends to PostgreSQL, they see their own rows and no others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import psycopg2
import pytest

from dashboards.access import database_roles
from dashboards.access.access_file import Access, AccessError
from dashboards.access.database_roles import COMPANY, sign_in_settings, write_roles
from dashboards.access.stores import EVERY_STORE, Stores, postgresql_literal, region_role, row_role
from dev.postgresql_server import Postgresql
from notify.episodes import COVERED
from publish import export
from publish.destinations.postgresql import PostgresqlDatabase
from serving_database import PUBLISHED_AT, ServingDatabase, ServingDatabaseError
from tests.integration.access.crafted import STATEMENTS
from tests.unit.publish import warehouse

STORES = ("Store_A", "Store_B", "O'Hara: 5 %")
WITH_REGION = {"store_location": "varchar", "region": "varchar"}
COMPANIONS = {
    "notification_episodes": WITH_REGION | {"notification": "varchar", "comment": "varchar", COVERED: "boolean"},
    "stores": WITH_REGION,
    "pipeline_status": {"as_of": "timestamp"},
    "secret_sources": {"path": "varchar"},
}
PEOPLE = {
    "admin": {"Admin"},
    "regional": {"Manager", EVERY_STORE},
    "north": {"Manager", row_role("Store_A"), row_role("Store_B"), region_role("North")},
    "store_b": {"Manager", row_role("Store_B")},
    "store_a": {"Manager", row_role("Store_A")},
    "odd": {"Manager", row_role("O'Hara: 5 %")},
    "newcomer": {"Manager"},
}


class Served:
    """A database with rows of three stores and the roles of several people."""

    def __init__(self, database: ServingDatabase, home: Path) -> None:
        self.database, self.home = database, home

    def run(self, login: str | None, statement: str) -> str:
        """All that comes back, errors and notices included."""
        with closing(self.connect(login)) as connection, connection.cursor() as cursor:
            cursor.execute("SET transaction_read_only = off")  # who attacks does that first
            try:
                if statement.startswith("COPY") and "STDOUT" in statement:
                    shown = (self.home / "copied").open("w+")
                    cursor.copy_expert(statement, shown)
                    shown.seek(0)
                    return shown.read()
                cursor.execute(statement)
                rows = cursor.fetchall() if cursor.description else []
            except psycopg2.Error as error:
                return f"{error} {connection.notices}"
            return f"{rows} {connection.notices}"

    def connect(self, login: str | None) -> Any:
        settings = sign_in_settings(self.database, self.home, login)
        return self.database.connect(**settings, options="-csearch_path=inventory_metrics")

    def stores(self, login: str | None, table: str = "notification_episodes") -> list[str]:
        with closing(self.connect(login)) as connection, connection.cursor() as cursor:
            cursor.execute(f"SELECT store_location FROM {table} ORDER BY 1")
            return [store for (store,) in cursor.fetchall()]


@pytest.fixture(scope="module")
def served(postgresql: Postgresql, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("rows")
    with pytest.MonkeyPatch.context() as patched:
        for name, columns in COMPANIONS.items():
            patched.setitem(warehouse.COMPANIONS, name, columns)
        warehouse.write_warehouse(folder)
        _give_stores_rows(folder)
        database = ServingDatabase.of_url(postgresql.create_database("rows"))
        export.publish(folder, PostgresqlDatabase(database))
    (folder / "secret_key").write_text("secret")
    write_roles(database, folder, access(PEOPLE))
    return Served(database, folder)


def _give_stores_rows(folder: Path) -> None:
    """A row of each store in every table, and notifications of two regions."""
    with duckdb.connect(str(folder / "warehouse" / "inventory.duckdb")) as connection:
        for table, columns in [*warehouse.tables().items(), *COMPANIONS.items()]:
            if "store_location" in columns:
                connection.execute(f"delete from {table}")
                for store in STORES:
                    connection.execute(f"insert into {table} (store_location) values (?)", [store])
        connection.execute(
            "update notification_episodes set region = 'North', notification = 'of ' || store_location, "
            f"{COVERED} = store_location = 'Store_B'"
        )
        for region in ("North", "South"):
            connection.execute(
                f"insert into notification_episodes (store_location, region, notification, {COVERED}) "
                "values ('N/A', ?, ?, false)",
                [region, f"of all in {region}"],
            )


def access(people: dict[str, set[str]]) -> Access:
    return Access({}, [], [], {login: {"name": login, "roles": sorted(roles)} for login, roles in people.items()})


@pytest.mark.parametrize(
    ("login", "stores"),
    [
        ("admin", sorted([*STORES, "N/A", "N/A"])),
        ("regional", ["N/A", "N/A", "O'Hara: 5 %", "Store_A"]),  # what is said of Store_B is said of its region, too
        (COMPANY, ["N/A", "N/A", "O'Hara: 5 %", "Store_A"]),
        ("north", ["N/A", "Store_A"]),
        ("store_a", ["Store_A"]),
        ("store_b", ["Store_B"]),
        ("odd", ["O'Hara: 5 %"]),
        ("newcomer", []),
        (None, []),
    ],
)
def test_each_person_sees_the_rows_of_his_stores(served, login, stores):
    assert served.stores(login) == stores


def test_a_view_shows_what_its_table_shows(served):
    assert served.stores("store_a", "numerical_anomalies") == ["Store_A"]
    assert served.stores("regional", "numerical_anomalies") == sorted(STORES)


def test_facts_about_the_intake_are_for_all_who_see_a_store(served):
    counts = {
        login: served.run(login, "SELECT count(*) FROM pipeline_status")
        for login in ("store_a", "regional", "newcomer")
    }
    assert counts == {"store_a": "[(2,)] []", "regional": "[(2,)] []", "newcomer": "[(0,)] []"}
    for login in ("store_a", "regional"):
        assert "permission denied" in served.run(login, "SELECT * FROM secret_sources")
    assert served.run("admin", "SELECT count(*) FROM secret_sources") == "[(2,)] []"


@pytest.mark.parametrize("name", STATEMENTS)
def test_no_statement_shows_rows_of_others(served, name):
    statement = STATEMENTS[name].replace("{database}", served.database.name)
    with closing(served.connect("admin")) as other, other.cursor() as cursor:
        cursor.execute("SELECT 'Store_B', * FROM notification_episodes")  # seen by whoever reads what others ask
        shown = served.run("store_a", statement)
    for secret in ("Store_B", "O'Hara", "all in", "root:", "SCRAM"):
        assert secret not in shown, shown


def test_these_statements_show_rows_where_they_may(served):
    """The attacks do run: with the rights of an administrator, most of them show what others may not see."""
    shown = [name for name, statement in STATEMENTS.items() if "Store_B" in served.run("admin", statement)]
    assert {"union", "all columns", "own view", "cheap function", "copy", "block", "xml"} <= set(shown)


def test_the_rows_stay_apart_after_the_next_export(served):
    warehouse.change(served.home, "insert into notification_episodes (store_location) values ('Store_A')")
    export.publish(served.home, PostgresqlDatabase(served.database))
    assert served.stores("store_a") == ["Store_A", "Store_A"]


def test_who_is_no_longer_listed_cannot_sign_in(served):
    write_roles(served.database, served.home, access(PEOPLE | {"leaving": {"Manager", EVERY_STORE}}))
    assert len(served.stores("leaving")) > 3
    write_roles(served.database, served.home, access(PEOPLE | {"regional": {"Manager", row_role("Store_B")}}))
    assert served.stores("regional") == ["Store_B"]
    with pytest.raises(Exception, match="password authentication failed"):
        served.connect("leaving")
    write_roles(served.database, served.home, access(PEOPLE))


def test_who_owns_something_in_the_database_is_removed_as_well(served):
    """PostgreSQL drops no role that owns something, and anybody may make large objects."""
    with_leaving = access(PEOPLE | {"leaving": {"Manager", row_role("Store_B")}})
    write_roles(served.database, served.home, with_leaving)
    assert "[" in served.run("leaving", "SELECT lo_create(0); COMMIT")
    table = "SELECT count(*) FROM inventory_metrics.stores"
    with closing(served.connect("leaving")) as still_open, still_open.cursor() as cursor:
        cursor.execute(table)
        still_open.commit()
        write_roles(served.database, served.home, access(PEOPLE))
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            cursor.execute(table)
    with pytest.raises(Exception, match=r"not permitted to log in|password authentication failed"):
        served.connect("leaving")
    write_roles(served.database, served.home, with_leaving)
    assert served.stores("leaving") == ["Store_B"]
    write_roles(served.database, served.home, access(PEOPLE))


@pytest.mark.parametrize("login", ["*", "-"])
def test_nobody_has_the_login_of_a_role_of_the_server_itself(served, login):
    with pytest.raises(AccessError, match="taken by the server itself"):
        write_roles(served.database, served.home, access(PEOPLE | {login: {"Manager"}}))


@pytest.mark.parametrize("store", STORES)
def test_superset_s_row_rules_name_stores_as_postgresql_reads_them(served, store):
    condition = Stores(frozenset({store})).condition(literal=postgresql_literal)
    assert set(served.stores("admin", f"notification_episodes WHERE {condition}")) == {store}


def test_who_leaves_a_transaction_open_keeps_no_export_waiting(served, monkeypatch):
    monkeypatch.setattr(database_roles, "SECONDS_IDLE_IN_TRANSACTION", 1)
    write_roles(served.database, served.home, access(PEOPLE))
    warehouse.change(served.home, "insert into notification_episodes (store_location) values ('Store_B')")
    with closing(served.connect("admin")) as idle, idle.cursor() as cursor:
        cursor.execute(PUBLISHED_AT)
        export.publish(served.home, PostgresqlDatabase(served.database))
        with pytest.raises(psycopg2.OperationalError):
            cursor.execute(PUBLISHED_AT)


def test_a_name_by_which_two_databases_could_have_the_same_roles_is_refused():
    with pytest.raises(ServingDatabaseError, match="the name of the database holds a ':'"):
        ServingDatabase.of_url("postgresql://inventory@db/shop:store_a")
