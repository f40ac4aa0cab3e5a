"""Who may see what, as access.yml says."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from tests.conftest import ROOT


@pytest.fixture(scope="module")
def access() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "dashboards" / "access.yml").read_text())


def test_everybody_but_the_administrator_has_a_row_role(access):
    for login, person in access["users"].items():
        roles = set(person["roles"])
        assert roles == {"Admin"} or (roles & set(access["rows"]) and roles & set(access["permissions"])), login


def test_roles_are_known(access):
    known = {"Admin", *access["permissions"], *access["rows"]}
    for login, person in access["users"].items():
        assert set(person["roles"]) <= known, login


def test_only_one_row_role_opens_every_store(access):
    assert [role for role, clause in access["rows"].items() if clause is None] == ["All stores"]


def test_a_store_role_opens_its_own_store(access):
    for role, clause in access["rows"].items():
        if clause is not None:
            assert clause == f"store_location = '{role.replace(' ', '_')}'"


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
