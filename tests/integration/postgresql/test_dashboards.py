"""Superset and /today on PostgreSQL show what they show on SQLite, and each manager their own rows only."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from dev.postgresql_server import Postgresql
from notify.episodes import current_episodes
from tests.conftest import ROOT
from tests.integration.access import crafted
from tests.serving import Client, Site

INSIDE = ("Store_B", "root:", "CREATE TABLE")
PAGES = [path for path in crafted.TODAY if "notifications" not in path]


@pytest.fixture(scope="module")
def url(postgresql: Postgresql) -> str:
    return postgresql.create_database("dashboards")


@pytest.fixture(scope="module")
def own(site: Site, built: Path, url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The same site, with the tables in PostgreSQL. Its start runs the query of every chart."""
    export = [ROOT / ".venv/bin/inventory", "export", "--data-dir", str(built), "--to", url]
    exported = subprocess.run(export, cwd=ROOT, capture_output=True, text=True, check=False)
    assert exported.returncode == 0, exported.stderr
    own = site.copy(tmp_path_factory.mktemp("on_postgresql"))
    own.start(INVENTORY_SERVING_DATABASE=url)
    yield own
    own.run("stop")


def charts(client: Client) -> dict[str, Any]:
    """The data of every chart, by its name."""
    found = client.ask("/api/v1/chart/?q=(page_size:100,columns:!(id,slice_name))").json()["result"]
    return {
        chart["slice_name"]: [
            result["data"] for result in client.ask(f"/api/v1/chart/{chart['id']}/data/?force=true").json()["result"]
        ]
        for chart in found
    }


def in_order(data: list[list[dict[str, Any]]]) -> list[str]:
    """The rows of a chart, sorted: those that are equal in what it sorts by may come in any order."""
    return sorted(
        repr(sorted((name, f"{value:.9g}" if isinstance(value, float) else value) for name, value in row.items()))
        for rows in data
        for row in rows
    )


@pytest.mark.parametrize("user", ["store_a", "regional", "admin"])
def test_every_chart_shows_the_same(site, own, user):
    on_sqlite, on_postgresql = charts(site.signed_in(user)), charts(own.signed_in(user))
    assert len(on_sqlite) > 30
    assert on_sqlite.keys() == on_postgresql.keys()
    different = {
        name: (on_sqlite[name], on_postgresql[name])
        for name in on_sqlite
        if in_order(on_sqlite[name]) != in_order(on_postgresql[name])
    }
    assert different == {}


@pytest.mark.parametrize("user", ["store_a", "regional", "admin"])
def test_today_shows_the_same(site, own, user):
    on_sqlite, on_postgresql = site.signed_in(user), own.signed_in(user)
    for path in PAGES:
        theirs, ours = on_sqlite.ask(path), on_postgresql.ask(path)
        assert (ours.status_code, theirs.status_code) == (200, 200), path
        if ".csv" in path:
            assert sorted(ours.text.splitlines()) == sorted(theirs.text.splitlines()), path


def test_an_action_is_shown_at_once_and_the_kept_answers_follow(own):
    episodes = current_episodes(own.data_dir)
    episode = next(each for each in episodes if each.needs_attention and not each.is_covered_by_region)
    client = own.signed_in("admin")
    chart = "/api/v1/chart/data"
    ids, queries = saved(own, "Open notifications")
    body = {"datasource": {"id": ids[1], "type": "table"}, "queries": queries, "form_data": {"slice_id": ids[0]}}
    before = client.ask(chart, "POST", json=body).json()["result"][0]["data"]
    acted = client.ask(f"/today/notifications/{episode.episode_id}", "POST", data={"action": "acknowledge"})
    assert acted.status_code == 200
    deadline = time.monotonic() + 30
    while (after := client.ask(chart, "POST", json=body).json()["result"][0]["data"]) == before:
        assert time.monotonic() < deadline
    assert after[0]["notifications"] == before[0]["notifications"] - 1


def saved(site: Site, name: str) -> tuple[tuple[int, int], list[dict[str, Any]]]:
    """The numbers of a chart and of its dataset, and its queries."""
    with closing(sqlite3.connect(site.data_dir / "superset/superset.db")) as file:
        chart, dataset, context = file.execute(
            "select id, datasource_id, query_context from slices where slice_name = ?", (name,)
        ).fetchone()
    return (chart, dataset), json.loads(context)["queries"]


def crafted_site(site: Site) -> crafted.Site:
    with closing(sqlite3.connect(site.data_dir / "superset/superset.db")) as file:
        (database,) = file.execute("select id from dbs where database_name = 'inventory_metrics'").fetchone()
        datasets = dict(file.execute("select table_name, id from tables").fetchall())
        names = [name for (name,) in file.execute("select slice_name from slices")]
    found = {name: saved(site, name) for name in names}
    return crafted.Site(database, datasets, {name: (*ids, queries) for name, (ids, queries) in found.items()}, {})


def test_no_crafted_request_shows_rows_of_others(own):
    client = own.signed_in("store_a")
    requests = [request for request in crafted.crafted(crafted_site(own)) if not request.saved]
    requests += [request for request in crafted.today(crafted_site(own)) if not request.saved]
    leaks, failures = [], []
    for request in requests:
        sent = {"json": request.json} if request.json is not None else {"data": request.form}
        answer = client.ask(request.path, request.method, **sent)
        if any(word in answer.text for word in INSIDE):
            leaks.append((request.name, answer.text[:300]))
        if answer.status_code >= 500:
            failures.append((request.name, answer.text[:300]))
    assert len(requests) > 150
    assert leaks == []
    assert failures == []
