"""What managers learn of other people: neither names nor what they filtered for."""

from __future__ import annotations

import pytest
import yaml

from tests.conftest import ROOT

PATHS = [
    *(
        f"/api/v1/{kind}/{path}"
        for kind in ("chart", "dashboard", "dataset")
        for path in (
            "",
            "1",
            "related/owners",
            "related/changed_by",
            "related/created_by",
            "_info?q=(keys:!(edit_columns))",
        )
    ),
    "/api/v1/dashboard/overview/charts",
    "/api/v1/dashboard/overview/datasets",
    "/api/v1/css_template/",
    "/api/v1/css_template/related/changed_by",
    "/api/v1/dataset/1/drill_info/",
    "/api/v1/dataset/1/related_objects",
    "/api/v1/explore/?slice_id=1",
    "/api/v1/log/",
    "/api/v1/log/recent_activity/",
    "/api/v1/security/users/",
    "/api/v1/theme/",
    "/api/v1/theme/related/changed_by",
    "/api/v1/user/1/avatar.png",
    "/datasource/get/table/1",
    "/superset/welcome/",
    "/superset/dashboard/overview/",
    "/users/list/",
    "/users/show/1",
    "/users/userinfo/",
]


@pytest.mark.parametrize("user", ["store_a", "analyst"])
def test_who_is_no_administrator_learns_no_names_of_others(site, user):
    people = yaml.safe_load((ROOT / "dashboards/access.yml").read_text())["users"]
    viewer, admin = site.signed_in(user), site.signed_in("admin")
    others = [word for login, person in people.items() if login != user for word in (f"{login}@", person["name"])]
    first_names = [f'"{person["name"].split()[0]}"' for login, person in people.items() if login != user]
    shown_to_admin = 0
    for path in PATHS:
        answer = viewer.ask(path)
        assert answer.status_code < 500, path
        assert not [name for name in [*others, *first_names] if name in answer.text], path
        shown_to_admin += any(name in admin.ask(path).text for name in [*others, *first_names])
    assert shown_to_admin > 15


def test_lists_of_people_are_closed_to_managers(site):
    manager = site.signed_in("regional")
    for path in PATHS:
        if "/related/" in path or "avatar" in path:
            assert manager.ask(path).status_code == 403, path
    assert manager.ask("/api/v1/user/999/avatar.png").status_code == 403
    assert site.client().ask("/api/v1/chart/related/owners").status_code == 401


def filter_state(client) -> str:
    key = client.ask("/api/v1/dashboard/1/filter_state", "POST", json={"value": '{"store": "Store_B"}'}).json()["key"]
    return f"/api/v1/dashboard/1/filter_state/{key}"


def explore_form(client) -> str:
    body = {"datasource_id": 1, "datasource_type": "table", "form_data": '{"store": "Store_B"}'}
    return f"/api/v1/explore/form_data/{client.ask('/api/v1/explore/form_data', 'POST', json=body).json()['key']}"


def permalink(client) -> str:
    state = {"dataMask": {"NATIVE_FILTER-store": {"filterState": {"value": ["Store_B"]}}}}
    key = client.ask("/api/v1/dashboard/overview/permalink", "POST", json=state).json()["key"]
    return f"/api/v1/dashboard/permalink/{key}"


@pytest.mark.parametrize(
    ("store", "makers"),
    # managers have no explore page; the administrator's forms are not for them either
    [
        (filter_state, ["admin", "regional", "store_b"]),
        (explore_form, ["admin"]),
        (permalink, ["admin", "regional", "store_b"]),
    ],
)
def test_a_key_opens_nothing_of_others(site, store, makers):
    manager = site.signed_in("store_a")
    for maker in makers:
        client = site.signed_in(maker)
        path = store(client)
        assert "Store_B" in client.ask(path).text
        answer = manager.ask(path)
        assert answer.status_code in {403, 404}, maker
        assert "Store_B" not in answer.text
        if store is permalink:
            page = manager.ask(
                path.replace("/api/v1/dashboard/permalink", "/superset/dashboard/p"), allow_redirects=False
            )
            assert "Store_B" not in page.text + page.headers.get("Location", "")


def test_a_permalink_opens_for_whoever_sees_as_much(site):
    path = permalink(site.signed_in("store_a"))
    for user in ("admin", "regional", "store_a"):
        assert site.signed_in(user).ask(path).status_code == 200


def test_no_other_origin_may_read_answers(site):
    answer = site.client().get(f"{site.url}/health", headers={"Origin": "https://tile.openstreetmap.org"})
    assert "Access-Control-Allow-Origin" not in answer.headers
