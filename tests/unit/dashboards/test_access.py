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
from dashboards.digests import to_apply
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def access() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "dashboards" / "access.yml").read_text())


def test_everybody_but_the_administrator_has_stores(access):
    for login, person in access["users"].items():
        assert person["roles"] == ["Admin"] or (person["roles"] == ["Manager"] and person["stores"]), login


def test_managers_change_nothing_but_their_own_settings(access):
    own = {
        ("can_write", "CurrentUserRestApi"),
        ("can_write", "DashboardFilterStateRestApi"),
        ("can_write", "DashboardPermalinkRestApi"),
    }
    for role, permissions in access["permissions"].items():
        writing = {
            tuple(permission)
            for permission in permissions
            if any(word in permission[0] for word in ("write", "edit", "add", "delete", "save", "import", "all_"))
        }
        assert writing == own, role


def test_managers_have_no_sql(access):
    for permissions in access["permissions"].values():
        for action, target in permissions:
            assert "sql" not in f"{action} {target}".lower()
            assert action not in {"database_access", "schema_access", "all_database_access", "all_datasource_access"}
            # older ways to the data, and pages that ask for more than a chart shows
            assert (action, target) not in {
                ("can_explore_json", "Superset"),
                ("can_query", "Api"),
                ("can_drill", "Dashboard"),
            }


# ------------------------------------------------------------------ roles from the data


@pytest.fixture
def export(tmp_path: Path) -> Path:
    publish(tmp_path, "Store_A", "Store_B")
    return tmp_path


def publish(export: Path, *stores: str | None) -> None:
    with closing(sqlite3.connect(export / "inventory_metrics.db")) as file, file:
        file.execute("create table if not exists current_stock (store_location text)")
        file.executemany("insert into current_stock values (?)", [(store,) for store in stores])


def read(monkeypatch: pytest.MonkeyPatch, export: Path, people: str) -> Access:
    file = export / "access.yml"
    file.write_text(f"permissions: {{Manager: []}}\n{people}")
    monkeypatch.setattr(access_file, "FILE", file)
    return access_file.read_access(export)


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
        "regional": ["Manager", "All stores"],
        "store_a": ["Manager", "Store: Store_A"],
        "store_b": ["Manager", "Store: Store_B"],
    }


def test_a_person_sees_stores_and_groups(export, monkeypatch):
    listed = """
groups: {North: [Store_A, Later]}
users: {ann: {name: Ann A, roles: [Manager], stores: [North, Store_B]}, bob: {name: Bob B, roles: [Manager]}}
"""
    access = read(monkeypatch, export, listed)
    assert access.users["ann"]["roles"] == ["Manager", "Store: Later", "Store: Store_A", "Store: Store_B"]
    assert access.users["bob"]["roles"] == ["Manager"]
    assert access.stores == [
        "Later",
        "Store_A",
        "Store_B",
    ]  # a store that is named has its role before its first reading


@pytest.mark.parametrize(
    ("people", "message"),
    [
        ("groups: {Store_A: [Store_B]}\nusers: {}", "Store_A names a group and a store"),
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


def test_a_file_that_names_no_stores_says_what_to_run(tmp_path):
    (tmp_path / "inventory_metrics.db").touch()
    with pytest.raises(AccessError, match="make pipeline"):
        published_stores(tmp_path)
