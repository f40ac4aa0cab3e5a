"""Who may see what, as access.yml says."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml

from dashboards.access import access_file
from dashboards.access.access_file import Access, AccessError, published_stores, read_access
from dashboards.access.stores import stores_of
from dashboards.digests import to_apply
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def access() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "dashboards" / "access.yml").read_text())


def test_everybody_but_the_administrator_has_stores(access):
    for login, person in access["users"].items():
        assert person["roles"] == ["Admin"] or ("Manager" in person["roles"] and person["stores"]), login


def test_managers_and_analysts_change_nothing_but_their_own_settings(access):
    own = {
        "Manager": {
            ("can_write", "CurrentUserRestApi"),
            ("can_write", "DashboardFilterStateRestApi"),
            ("can_write", "DashboardPermalinkRestApi"),
        },
        "Analyst": {
            ("all_database_access", "all_database_access"),
            ("can_write", "ExploreFormDataRestApi"),
            # what is open in their own SQL editor
            ("can_delete", "TabStateView"),
            ("can_delete_query", "TabStateView"),
            ("can_delete", "TableSchemaView"),
        },
    }
    for role, permissions in access["permissions"].items():
        writing = {
            tuple(permission)
            for permission in permissions
            if any(word in permission[0] for word in ("write", "edit", "add", "delete", "save", "import", "all_"))
        }
        assert writing == own[role], role


def test_managers_have_no_sql(access):
    for action, target in access["permissions"]["Manager"]:
        assert "sql" not in f"{action} {target}".lower()
        assert action not in {"database_access", "schema_access", "all_database_access", "all_datasource_access"}
        # older ways to the data, and pages that ask for more than a chart shows
        assert (action, target) not in {
            ("can_explore_json", "Superset"),
            ("can_query", "Api"),
        }


def test_analysts_see_no_people(access):
    for _, target in access["permissions"]["Analyst"]:
        assert not any(word in target for word in ("User", "Role", "Group", "Security", "RowLevel", "Log")), target


# ------------------------------------------------------------------ roles from the data


REGIONS = {"Store_A": "North", "Store_C": "North", "Store_B": "South"}


@pytest.fixture
def export(tmp_path: Path) -> Path:
    publish(tmp_path, "Store_A", "Store_B")
    return tmp_path


def publish(export: Path, *stores: str | None) -> None:
    with closing(sqlite3.connect(export / "inventory_metrics.db")) as file, file:
        file.execute("create table if not exists stores (store_location text, region text)")
        file.executemany(
            "insert into stores values (?, ?)", [(store, REGIONS.get(store, "Unknown")) for store in stores]
        )


def read(monkeypatch: pytest.MonkeyPatch, export: Path, people: str, *, while_serving: bool = False) -> Access:
    file = export / "access.yml"
    file.write_text(f"permissions: {{Manager: []}}\n{people}")
    monkeypatch.setattr(access_file, "FILE", file)
    return access_file.read_access(export, while_serving=while_serving)


def test_each_published_store_has_a_role(export):
    publish(export, "O'Hara: 5 %", "N/A", None)
    assert read_access(export).stores == ["O'Hara: 5 %", "Store_A", "Store_B"]


def test_a_new_store_is_applied(export):
    before = to_apply(published_stores(export))
    assert to_apply(published_stores(export)) == before
    publish(export, "Store_C")
    assert to_apply(published_stores(export)) != before
    assert "Store_C" in read_access(export).stores


def test_the_demo_users_keep_their_stores(export):
    roles = {login: person["roles"] for login, person in read_access(export).users.items()}
    assert roles == {
        "admin": ["Admin"],
        "analyst": ["Manager", "Analyst", "All stores"],
        "regional": ["Manager", "All stores"],
        "store_a": ["Manager", "Store: Store_A"],
        "store_b": ["Manager", "Store: Store_B"],
    }


def test_a_person_sees_the_named_stores_and_those_of_a_region(export, monkeypatch):
    publish(export, "Store_C", "Store_D")
    listed = """
users:
  ann: {name: Ann A, roles: [Manager], regions: [North], stores: [Later]}
  bob: {name: Bob B, roles: [Manager]}
"""
    access = read(monkeypatch, export, listed)
    assert access.users["ann"]["roles"] == [
        *("Manager", "Store: Later", "Store: Store_A", "Store: Store_C", "Region: North")
    ]
    assert access.users["bob"]["roles"] == ["Manager"]
    # a store that is named has its role before its first reading
    assert access.stores == ["Later", "Store_A", "Store_B", "Store_C", "Store_D"]
    assert access.regions == ["North", "South"]


def test_no_region_has_the_name_that_marks_rows_of_the_company(export, monkeypatch):
    with closing(sqlite3.connect(export / "inventory_metrics.db")) as file, file:
        file.execute("update stores set region = 'N/A' where store_location = 'Store_B'")
    assert read_access(export).regions == ["North"]
    with pytest.raises(AccessError, match="ann has the region N/A, in which no store is"):
        read(monkeypatch, export, "users: {ann: {name: Ann A, roles: [Manager], regions: [N/A]}}")


def test_a_store_that_moves_to_another_region_is_applied(export):
    before = to_apply(published_stores(export))
    with closing(sqlite3.connect(export / "inventory_metrics.db")) as file, file:
        file.execute("update stores set region = 'West' where store_location = 'Store_B'")
    assert to_apply(published_stores(export)) != before


def test_a_new_store_is_seen_by_who_sees_all_stores_and_nobody_else(export):
    publish(export, "Store_New")
    for login, person in read_access(export).users.items():
        stores = stores_of(person["roles"])
        assert stores.every == (login in {"admin", "analyst", "regional"}), login
        assert "Store_New" not in stores.names


@pytest.mark.parametrize(
    ("people", "message"),
    [
        ("users: {ann: {name: Ann A, roles: [Manager], regions: [East]}}", "ann has the region East, .* North, South"),
        # nobody has said yet who manages those
        ("users: {ann: {name: Ann A, roles: [Manager], regions: [Unknown]}}", "ann has the region Unknown"),
        ("users: {ann: {name: Ann A, roles: [Manager], regions: North}}", "the regions of ann are 'North'"),
        ("users: {ann: {name: Ann A, roles: [Manager], stores: Store_A}}", "the stores of ann are 'Store_A'"),
        ("users: {ann: {name: Ann A, roles: [Manager], stores: [1]}}", "the stores of ann are"),
        ("users: {ann: {name: Ann A, roles: [Manager], stores: null}}", "the stores of ann are None"),
        ("users: {ann: {name: Ann A, roles: [Manager], stores: [N/A]}}", "ann has the store N/A"),
        ("users: {ann: {name: Ann A, roles: ['Store: N/A']}}", "ann has the role Store: N/A"),
    ],
)
def test_what_access_yml_says_wrongly_is_named(export, monkeypatch, people, message):
    with pytest.raises(AccessError, match=message):
        read(monkeypatch, export, people)


@pytest.mark.parametrize("region", ["East", "Unknown", "N/A"])
def test_a_region_opens_nothing_once_its_last_store_has_left_it(export, monkeypatch, region):
    publish(export, "Store_D")  # of no region
    people = f"users: {{ann: {{name: Ann A, roles: [Manager], regions: [{region}, North]}}}}"
    roles = read(monkeypatch, export, people, while_serving=True).users["ann"]["roles"]
    assert roles == ["Manager", "Store: Store_A", "Region: North"]


def test_a_file_that_names_no_stores_says_what_to_run(tmp_path):
    (tmp_path / "inventory_metrics.db").touch()
    with pytest.raises(AccessError, match="make pipeline"):
        published_stores(tmp_path)
