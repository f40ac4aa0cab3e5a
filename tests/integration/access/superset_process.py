"""Asks Superset the crafted requests, in one process of its environment, with all layers of access or some.

`python -m tests.integration.access.superset_process DATA` prints what came of each request as JSON. DATA is a folder
with published files and an applied Superset. The requests go to a copy with two stores more; nobody may see Store_C.
"""

from __future__ import annotations

import io
import json
import logging
import os
import re
import shutil
import sqlite3
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, redirect_stdout
from pathlib import Path
from typing import Any
from unittest import mock

from dashboards.access.stores import region_role, row_role
from tests.integration.access.crafted import SET_OPERATIONS, Request, Site, crafted, malformed, today

ROOT = Path(__file__).parents[3]
ODD = "O'Hara: 5 %"  # each of these characters means something to what stands between a row rule and SQLite
# what only the people of a region may read; "regional" is of the north
NORTH, SOUTH = "a notification of the whole north", "a notification of the whole south"
STORES = {"store_a": {"Store_A"}, "regional": {"Store_A", "Store_B", ODD, NORTH}, "anonymous": set()}
NAMES = {"admin": r"\bAda\b", "store_a": r"\bAnna\b", "regional": r"\bRita\b", "store_b": r"\bBen\b"}


def main(data_dir: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="it's 5 % ") as folder:
        copy = Path(folder)
        for part in ("export", "superset"):
            shutil.copytree(data_dir / part, copy / part, ignore=shutil.ignore_patterns("*.log", "server*", "sessions"))
        _add_stores(copy / "export" / "inventory_metrics.db")
        _add_regions(copy / "export" / "inventory_metrics.db")
        os.environ["INVENTORY_DATA_DIR"] = str(copy)
        os.environ["SUPERSET_CONFIG_PATH"] = str(ROOT / "dashboards" / "superset_config.py")
        logging.disable(logging.CRITICAL)
        with redirect_stdout(sys.stderr):
            from superset.app import create_app

            app = create_app()
        app.config["WTF_CSRF_ENABLED"] = False
        with redirect_stdout(io.StringIO()):  # Superset's log of events
            answers = Asked(app, copy).everything()
        json.dump(answers, sys.stdout)


def _add_stores(path: Path) -> None:
    """Publish rows of two further stores."""
    with closing(sqlite3.connect(path)) as file, file:
        tables = [name for (name,) in file.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            columns = [column[1] for column in file.execute(f"PRAGMA table_info({table})")]
            for store in ("Store_C", ODD) if "store_location" in columns else ():
                named = ", ".join(f"replace({column}, 'Store_B', :store)" for column in columns)
                rows = f"SELECT {named} FROM {table} WHERE store_location = 'Store_B'"
                file.execute(f"INSERT INTO {table} {rows}", {"store": store})
        file.execute("INSERT INTO late_events (store_location, product_id) VALUES ('Store_C', 'late')")


def _add_regions(path: Path) -> None:
    """Publish a notification of each of two regions, and one of each of its stores that says the same."""
    with closing(sqlite3.connect(path)) as file, file:
        file.execute("UPDATE stores SET region = iif(store_location = 'Store_C', 'South', 'North')")
        file.row_factory = sqlite3.Row
        episode = dict(file.execute("SELECT * FROM notification_episodes WHERE store_location = 'Store_A'").fetchone())
        shared = {
            "severity": "critical",
            "severity_rank": 1,
            "status": "open",
            "is_found_open": 1,
            "needs_attention": 1,
        }
        rows = [("N/A", "North", NORTH), ("N/A", "South", SOUTH), ("Store_C", "South", "Store_C as in the region")]
        rows += [(store, "North", f"{store} as in the region") for store in ("Store_A", "Store_B", ODD)]
        for number, (store, region, text) in enumerate(rows):
            changed = {"episode_id": f"region-{number}", "store_location": store, "region": region}
            changed |= {"is_covered_by_region": store != "N/A"}
            changed |= {"notification": f"CRITICAL · {store} · {text}", "headline": text}
            row = episode | shared | changed
            file.execute(f"INSERT INTO notification_episodes VALUES ({', '.join('?' * len(row))})", tuple(row.values()))


class Asked:
    """A Superset and who asks it."""

    def __init__(self, app: Any, data_dir: Path) -> None:
        self.app, self.data_dir = app, data_dir
        # the machine's folders, the tables' definitions, the accounts of the machine
        self.inside = (str(data_dir), str(ROOT), "site-packages", "sqlite:///", "CREATE TABLE", "CREATE VIEW", "root:")
        with app.app_context():
            self._let_regional_see_three_stores()
            self.site = _site(data_dir)
        self.requests = list(crafted(self.site))
        self.clients = {}
        for user in ("admin", "store_a", "regional"):
            client = app.test_client()
            password = (data_dir / "superset" / "passwords" / user).read_text().strip()
            client.post("/login/", data={"username": user, "password": password})
            assert client.get("/api/v1/me/").status_code == 200, user
            self.clients[user] = client
        self.clients["anonymous"] = app.test_client()

    def _let_regional_see_three_stores(self) -> None:
        from superset import db, security_manager

        from dashboards.access.access_file import read_access
        from dashboards.access.row_rules import set_roles, set_row_rules

        access = read_access(self.data_dir / "export")
        set_roles(access)
        set_row_rules(access)
        roles = ["Manager", *map(row_role, STORES["regional"] - {NORTH}), region_role("North")]
        security_manager.find_user("regional").roles = [security_manager.find_role(role) for role in roles]
        db.session.commit()

    def everything(self) -> dict[str, Any]:
        """What came of the requests by the layers that stood."""
        queries = {"saved charts", "one table"}
        saved = [request for request in self.requests if request.saved]
        # all layers together are asked for each chart in every form; alone, one form of it says enough
        once = [request for request in saved if request.name.endswith(" as json")]
        unsaved = [request for request in self.requests if not request.saved]
        combined = [request for request in self.requests if request.name.startswith(SET_OPERATIONS)]
        tricks = [request for request in self.requests if request.name.endswith(("as metric", "as column"))]
        store_a, managers = ("store_a",), ("store_a", "regional")
        return {
            "all": self.answers(set(), self.requests, ("anonymous", *managers)),
            "every address": self.every_address(),
            "malformed": self.answers(set(), list(malformed(self.site)), ("store_a", "admin")),
            "too large": self.too_large(),
            "files and statements": self.files_and_statements(),
            "connection": self.answers({"row rules", *queries}, self.requests, store_a)
            + self.answers({"row rules", *queries}, tricks, ("regional",)),
            "saved charts": self.answers({"row rules", "connection", "one table"}, once + unsaved, store_a),
            "one table": self.answers({"row rules", "connection", "saved charts"}, combined, store_a),
            "row rules": self.answers({"connection", *queries}, saved, managers),
            "connection without authorizer": self.answers({"authorizer", "row rules", *queries}, tricks, store_a),
            "connection without conditions": self.answers({"conditions", "row rules", *queries}, tricks, store_a),
            "row rules alone against tricks": self.answers({"connection", *queries}, tricks, store_a),
            "nothing": self.answers({"connection", "row rules", *queries}, once, store_a),
            "kept answers": self.kept_answers({"row rules"}),
            "kept answers of anybody": self.kept_answers({"row rules", "own answers"}),
            "time limit": self.time_limit(),
            # last, since actions change what the pages show
            "today": self.answers(set(), list(today(self.site)), ("anonymous", *managers)),
        }

    def answers(self, missing: set[str], requests: list[Request], users: tuple[str, ...]) -> list[dict[str, Any]]:
        with self.without(missing):
            return [self.ask(user, request) for user in users for request in requests]

    def ask(self, user: str, request: Request) -> dict[str, Any]:
        answer = self.clients[user].open(request.path, method=request.method, json=request.json, data=request.form)
        asked = {"user": user, "name": request.name, "saved": request.saved, "data": None}
        if request.saved and answer.is_json and answer.status_code == 200:
            asked["data"] = [result.get("data") for result in _results(answer.json)]
        return asked | self.seen(user, answer)

    def seen(self, user: str, answer: Any) -> dict[str, Any]:
        """The status of an answer, its beginning, and what it shows that its user is not to see."""
        text = _text(answer)
        shown = [part for part in ("Store_A", "Store_B", "Store_C", ODD, NORTH, SOUTH) if part in text]
        return {
            "status": answer.status_code,
            "own": sorted(set(shown) & STORES[user]) if user in STORES else [],
            "stores": sorted(set(shown) - STORES.get(user, set(shown))),
            "shares": text.count("as in the region"),
            "inside": [word for word in self.inside if word in text],
            "people": [
                name
                for login, name in NAMES.items()
                if login != user and (re.search(name, text) or f"{login}@" in text)
            ],
            "text": text[:400],
        }

    def every_address(self) -> list[dict[str, Any]]:
        """Each address of Superset, with the numbers of things that exist."""
        values = {"pk": "1", "id_or_uuid": "1", "id_or_slug": "overview", "dashboard_id_or_slug": "overview"}
        values |= {"datasource_type": "table", "column_name": "owners", "table_name": "metrics", "schema_name": "main"}
        found = []
        leaving = {"/logout/", "/login/logout/", "/lang/<string:locale>"}
        rules = sorted({rule.rule for rule in self.app.url_map.iter_rules() if "GET" in rule.methods} - leaving)
        for user in ("anonymous", "store_a"):
            for rule in rules:
                if not rule.startswith("/static"):
                    path = re.sub(r"<(?:\w+:)?(\w+)>", lambda part: values.get(part[1], "1"), rule)
                    found.append(self.ask(user, Request(path, "GET", path)))
        writing = {"POST", "PUT", "DELETE"}
        for rule in sorted(self.app.url_map.iter_rules(), key=str):
            for method in sorted(writing & rule.methods):
                path = re.sub(r"<(?:\w+:)?(\w+)>", lambda part: values.get(part[1], "999"), rule.rule)
                found.append(self.ask("store_a", Request(f"{method} {path}", method, path, json={})))
        return found

    def too_large(self) -> list[dict[str, Any]]:
        """What would fill the memory if enough people sent it, signed in or not."""
        text = "x" * 20_000_000
        return [
            self.ask(user, request)
            for user in ("anonymous", "store_a")
            for request in (
                Request("a large query", "POST", "/api/v1/chart/data", json={"queries": [text]}),
                Request("a large comment", "POST", "/today/notifications/x", form={"comment": text}),
            )
        ]

    def files_and_statements(self) -> list[dict[str, Any]]:
        """A file of Superset's own, then statements of an administrator that the database refuses."""
        statements = [
            "SELECT printf('%.*c', 999999999, 'x')",
            "SELECT randomblob(5)",
            "SELECT 1 FROM nothing",
            "DROP TABLE metrics",
        ]
        return [
            self.ask("store_a", Request("translations", "GET", "/superset/language_pack/de/")),
            *(
                self.ask("admin", Request(sql, "POST", "/api/v1/sqllab/execute/", self._in_sql_lab(sql)))
                for sql in statements
            ),
        ]

    def _in_sql_lab(self, sql: str) -> dict[str, Any]:
        return {"database_id": self.site.database, "sql": sql, "schema": "main", "runAsync": False}

    def kept_answers(self, missing: set[str]) -> list[dict[str, Any]]:
        """Somebody who sees more asks first, and the answer is kept."""
        request = next(request for request in self.requests if request.saved and "attention" in request.name)
        kept = Request(request.name, request.method, request.path, request.json | {"force": False}, saved=True)
        with self.without(missing):
            return [self.ask(user, kept) for user in ("regional", "store_a")]

    def time_limit(self) -> list[dict[str, Any]]:
        """A chart that takes too long, and the same when there is time; then a query of an administrator."""
        request = next(request for request in self.requests if request.saved and "attention" in request.name)
        endless = "SELECT count(*) FROM daily_stock AS a, daily_stock AS b, daily_stock AS c, daily_stock AS d"
        with self.without({"time"}):
            late = [
                self.ask("store_a", request),
                self.ask("admin", Request("SQL Lab", "POST", "/api/v1/sqllab/execute/", self._in_sql_lab(endless))),
            ]
        return [*late, self.ask("store_a", request)]

    @contextmanager
    def without(self, missing: set[str]) -> Iterator[None]:
        """Superset with parts of access taken out."""
        from superset.extensions import cache_manager
        from superset.security import SupersetSecurityManager

        from dashboards import kept_answers
        from dashboards.access import connection
        from dashboards.access.query_guard import QueryGuard
        from dashboards.access.stores import Stores

        configured, execute = self.app.config["DB_CONNECTION_MUTATOR"], connection.Cursor.execute

        def see_all(*arguments: Any) -> tuple[Any, dict[str, Any]]:
            url, params = configured(*arguments)
            params["connect_args"]["factory"] = connection.opener(None)
            return url, params

        def execute_late(cursor: Any, sql: str, *rest: Any) -> Any:
            # not what SQLAlchemy asks when it connects
            with mock.patch.object(connection, "SECONDS_PER_QUERY", 0 if "FROM" in sql else 10):
                return execute(cursor, sql, *rest)

        patches = {
            "connection": [mock.patch.dict(self.app.config, DB_CONNECTION_MUTATOR=see_all)],
            "authorizer": [mock.patch.object(connection, "_authorizer", return_value=lambda *_: sqlite3.SQLITE_OK)],
            "conditions": [mock.patch.object(Stores, "condition", return_value="1 = 1")],
            "saved charts": [
                mock.patch.object(QueryGuard, "raise_for_access", SupersetSecurityManager.raise_for_access)
            ],
            "one table": [mock.patch.dict(self.app.config, SQL_QUERY_MUTATOR=lambda sql, **_: sql)],
            "row rules": [mock.patch.object(SupersetSecurityManager, "get_rls_filters", return_value=[])],
            "own answers": [mock.patch.object(kept_answers, "rows_of_viewer", return_value="")],
            "time": [
                mock.patch.object(connection.Cursor, "execute", execute_late),
                mock.patch.object(connection, "OPERATIONS_BETWEEN_CHECKS", 1),
            ],
        }
        with ExitStack() as stack:
            for part in missing:
                for patch in patches[part]:
                    stack.enter_context(patch)
            with self.app.app_context():
                cache_manager.data_cache.clear()
            yield


def _site(data_dir: Path) -> Site:
    from superset import db
    from superset.connectors.sqla.models import SqlaTable
    from superset.models.slice import Slice

    datasets = db.session.query(SqlaTable).all()
    return Site(
        datasets[0].database_id,
        {dataset.table_name: dataset.id for dataset in datasets},
        {
            chart.slice_name: (chart.id, chart.datasource_id, json.loads(chart.query_context)["queries"])
            for chart in db.session.query(Slice)
        },
        _episodes(data_dir / "export" / "inventory_metrics.db"),
    )


def _episodes(path: Path) -> dict[str, str]:
    """The id of one notification of each store."""
    with closing(sqlite3.connect(path)) as file:
        query = "SELECT store_location, min(episode_id) FROM notification_episodes GROUP BY store_location"
        return dict(file.execute(query).fetchall())


def _text(answer: Any) -> str:
    """The text of an answer, without the query, which repeats what was asked."""
    if answer.data[:2] == b"PK":
        with zipfile.ZipFile(io.BytesIO(answer.data)) as parts:
            return " ".join(parts.read(name).decode(errors="replace") for name in parts.namelist())
    if not answer.is_json:
        return answer.get_data(as_text=True)
    content = answer.json
    for result in _results(content):
        if isinstance(result, dict):
            result.pop("query", None)
    return json.dumps(content)


def _results(content: Any) -> list[Any]:
    """What an answer holds: charts have several results, the rows behind a number one."""
    result = content.get("result") if isinstance(content, dict) else None
    return result if isinstance(result, list) else [result]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
