"""What a start brings to a server that is serving: people, roles, charts and settings that have changed."""

from __future__ import annotations

import csv
import io
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from ingest.shared_sqlite import shared_sqlite, transaction
from tests.serving import Client, Site

REMOVED = "store_b"
CHART, DATASET = "data_freshness", "pipeline_status"


@dataclass
class Before:
    """Who was signed in, and what there was, before the change."""

    site: Site
    removed: Client
    token: str
    password: str
    demoted: Client
    reported: str


@pytest.fixture(scope="module")
def before(applied_site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Before]:
    own = applied_site.copy(tmp_path_factory.mktemp("changed"))
    own.start()
    password = own.password(REMOVED)
    removed, demoted, admin = own.signed_in(REMOVED), own.signed_in("regional"), own.signed_in("admin")
    body = {"username": REMOVED, "password": password, "provider": "db"}
    token = removed.post(f"{own.url}/api/v1/security/login", json=body).json()["access_token"]
    assert bearer(own, token) == 200
    make_by_hand(admin)
    change(own.project / "dashboards")
    yield Before(own, removed, token, password, demoted, own.start())
    own.run("stop")


def make_by_hand(admin: Client) -> None:
    """A chart, and a user with a role, as an administrator makes them in Superset's pages."""
    dataset = {"datasource_id": 1, "datasource_type": "table"}
    chart = {"slice_name": "Made by hand", "viz_type": "table", "params": "{}"} | dataset
    assert admin.ask("/api/v1/chart/", "POST", json=chart).status_code == 201
    role = admin.ask("/api/v1/security/roles/", "POST", json={"name": "By hand"}).json()["id"]
    user = {"username": "by_hand", "first_name": "B", "last_name": "H", "email": "b@example.invalid", "active": True}
    user |= {"password": "By-hand-Passw00rd", "roles": [role]}
    assert admin.ask("/api/v1/security/users/", "POST", json=user).status_code == 201


def change(dashboards: Path) -> None:
    access = yaml.safe_load((dashboards / "access.yml").read_text())
    del access["users"][REMOVED]
    access["users"]["regional"]["stores"] = ["Store_A"]
    (dashboards / "access.yml").write_text(yaml.safe_dump(access))
    (dashboards / "charts" / f"{CHART}.yaml").unlink()
    (dashboards / "datasets" / f"{DATASET}.yaml").unlink()
    for path in (dashboards / "pages").glob("*.yaml"):
        page = yaml.safe_load(path.read_text())
        for row in page["rows"]:
            row.pop(CHART, None)
        path.write_text(yaml.safe_dump(page, sort_keys=False))
    with (dashboards / "superset_config.py").open("a") as configuration:
        configuration.write('APP_NAME = "Other name"\n')


def bearer(site: Site, token: str) -> int:
    return site.client().get(f"{site.url}/api/v1/me/", headers={"Authorization": f"Bearer {token}"}).status_code


def rows(site: Site, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(site.data_dir / "superset/superset.db")) as database:
        return database.execute(query).fetchall()


@pytest.mark.parametrize("user", [REMOVED, "by_hand"])
def test_whoever_is_not_listed_is_out(before, user):
    assert f"{user} is not in access.yml" in before.reported
    assert rows(before.site, f"select active from ab_user where username = '{user}'") == [(0,)]
    assert not rows(
        before.site, f"select 1 from ab_user_role join ab_user u on u.id = user_id where u.username = '{user}'"
    )
    assert not before.site.client().sign_in(user, before.password)
    assert not before.site.client().sign_in(user, "By-hand-Passw00rd")


def test_sessions_and_tokens_of_a_removed_user_end_at_once(before):
    assert not before.removed.is_signed_in()
    assert before.removed.ask("/api/v1/dashboard/overview").status_code in {401, 403, 404}
    assert bearer(before.site, before.token) in {401, 422}
    assert not (before.site.data_dir / "superset/passwords" / REMOVED).exists()


def test_roles_that_are_not_listed_are_removed(before):
    assert "role By hand is not in access.yml" in before.reported
    assert not rows(before.site, "select 1 from ab_role where name = 'By hand'")


def test_a_changed_role_takes_effect_in_a_session_that_goes_on(before):
    roles = before.demoted.ask("/api/v1/me/roles/").json()["result"]["roles"]
    assert roles == before.site.signed_in("store_a").ask("/api/v1/me/roles/").json()["result"]["roles"]


def test_what_has_left_the_folder_leaves_superset_and_what_was_made_by_hand_stays(before):
    charts = {name for (name,) in rows(before.site, "select slice_name from slices")}
    assert "How fresh the data are" not in charts
    assert "Made by hand" in charts
    files = before.site.project / "dashboards"
    assert len(charts) == len(list((files / "charts").glob("*.yaml"))) + 1
    tables = {name for (name,) in rows(before.site, "select table_name from tables")}
    assert tables == {path.stem for path in (files / "datasets").glob("*.yaml")}


def test_a_changed_configuration_is_served(before):
    assert "the configuration has changed" in before.reported
    assert "Other name" in before.site.signed_in("admin").ask("/superset/welcome/").text


def test_a_user_who_is_listed_again_starts_afresh(before):
    """Neither the old password nor the old session opens anything, even though the account is the old one."""
    project = before.site.project / "dashboards"
    access = yaml.safe_load((project / "access.yml").read_text())
    access["users"][REMOVED] = {"name": "Ben Again", "roles": ["Manager"], "stores": ["Store_B"]}
    (project / "access.yml").write_text(yaml.safe_dump(access))
    before.site.start()
    assert before.site.password(REMOVED) != before.password
    assert not before.site.client().sign_in(REMOVED, before.password)
    assert not before.removed.is_signed_in()
    assert before.site.signed_in(REMOVED).ask("/api/v1/me/").json()["result"]["last_name"] == "Again"


# ------------------------------------------------------------------ new stores, without another start


def publish_stores(site: Site, regions: dict[str, str]) -> None:
    """Publish these stores as an export does. New ones have the rows of Store_B."""
    with shared_sqlite(site.data_dir / "export/inventory_metrics.db") as file, transaction(file):
        known = {store for (store,) in file.execute("select store_location from stores")}
        for table in ("stores", "current_stock"):
            columns = [column[1] for column in file.execute(f"pragma table_info({table})")]
            selected = ", ".join(":store" if column == "store_location" else column for column in columns)
            for store in regions.keys() - known:
                query = f"insert into {table} select {selected} from {table} where store_location = 'Store_B'"
                file.execute(query, {"store": store})
        file.executemany("update stores set region = ? where store_location = ?", [(r, s) for s, r in regions.items()])


def stores_seen(client: Client, site: Site) -> set[str]:
    """In a chart and in a list of Today, which are the same."""
    ((chart,),) = rows(site, "select id from slices where slice_name = 'What to order'")
    ordered = client.ask(f"/api/v1/chart/{chart}/data/?force=true").json()["result"][0]["data"]
    listed = csv.DictReader(io.StringIO(client.ask("/today/list/order.csv").text))
    stores = {row["store_location"] for row in ordered}
    assert {row["Store"] for row in listed} == stores
    return stores


def test_a_new_store_is_seen_by_who_sees_all_or_its_region_as_soon_as_it_is_published(applied_site, tmp_path):
    own = applied_site.copy(tmp_path)
    access_file = own.project / "dashboards/access.yml"
    access = yaml.safe_load(access_file.read_text())
    access["users"]["nora"] = {"name": "Nora North", "roles": ["Manager"], "regions": ["North"]}
    access_file.write_text(yaml.safe_dump(access))
    publish_stores(own, {"Store_A": "North", "Store_B": "South"})
    own.start()
    try:
        people = {login: own.signed_in(login) for login in ("nora", "regional", "store_a")}
        seen = {login: stores_seen(client, own) for login, client in people.items()}
        assert seen == {"nora": {"Store_A"}, "regional": {"Store_A", "Store_B"}, "store_a": {"Store_A"}}
        publish_stores(own, {"Store_New": "North", "Store_Far": "West", "Store_B": "North"})
        seen = {login: stores_seen(client, own) for login, client in people.items()}
        every = {"Store_A", "Store_B", "Store_New", "Store_Far"}
        assert seen == {"nora": every - {"Store_Far"}, "regional": every, "store_a": {"Store_A"}}
        publish_stores(own, {"Store_A": "West"})
        assert stores_seen(people["nora"], own) == {"Store_B", "Store_New"}
        assert rows(own, "select 1 from ab_role where name = 'Region: West'")
    finally:
        own.run("stop")
