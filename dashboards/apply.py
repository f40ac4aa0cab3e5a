"""Bring Superset to what this folder says: its database, the assets, roles, row rules and users, in one process.

Runs in Superset's environment. Everything is named by uuid or name, so that it can be run again at any time.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from dashboards.access.access_file import read_access
from dashboards.assets.bundle import AssetError, read_assets
from dashboards.assets.queries import queries


def apply(home: Path, say: Callable[[str], None]) -> None:
    """Set up Superset's database in `home` and import everything.

    Raises AssetError where a chart's query fails, and AccessError where access.yml is wrong.
    """
    from superset.app import create_app

    from dashboards.access.people import admit, revoke
    from dashboards.removed_assets import remove_unlisted

    app = create_app()
    logging.disable(logging.INFO)
    with app.test_request_context():
        from flask import g

        say("preparing Superset's database")
        _migrate()
        from superset import appbuilder, security_manager

        appbuilder.add_permissions(update_perms=True)
        security_manager.sync_role_definitions()
        from dashboards.access.row_rules import set_roles, set_row_rules

        access = read_access(home.parent / "export")
        # first of all, so that a faulty chart keeps nobody in
        revoke(home, access.users, [*access.permissions, *access.row_roles], say)
        admit(home, {"admin": access.users["admin"]})
        g.user = security_manager.find_user("admin")

        say("importing dashboards")
        assets = read_assets()
        remove_unlisted(assets.values(), say)
        _import(assets)
        set_roles(access)
        set_row_rules(access)
        admit(home, access.users)
        say("running every chart")
        empty = _run_charts(assets)
        if empty:
            say(f"nothing to show yet in: {', '.join(empty)}")


def _migrate() -> None:
    from flask_migrate import upgrade
    from superset import migrations

    upgrade(directory=str(Path(next(iter(migrations.__path__)))))


def _import(assets: dict[str, dict[str, Any]]) -> None:
    from superset.commands.importers.v1.assets import ImportAssetsCommand

    contents = {}
    for path, asset in assets.items():
        content = asset | {"is_managed_externally": True} if "uuid" in asset else asset
        if path.startswith("charts/"):
            context = {
                "datasource": {"id": 0, "type": "table"},
                "force": False,
                "form_data": asset["params"],
                "queries": queries(asset["params"]),
                "result_format": "json",
                "result_type": "full",
            }
            content["query_context"] = json.dumps(context)
        contents[path] = yaml.safe_dump(content, sort_keys=False)
    try:
        ImportAssetsCommand(contents).run()
    except Exception as error:
        # Superset keeps what is wrong in the cause
        cause = error.__cause__ or error
        message = cause.normalized_messages() if hasattr(cause, "normalized_messages") else repr(cause)
        raise AssetError(f"Superset refused the assets: {message}") from error


def _run_charts(assets: dict[str, dict[str, Any]]) -> list[str]:
    """Run every chart's query and return the names of those without a row: a quiet store has no anomalies.

    Raises AssetError where a query fails.
    """
    from superset import db
    from superset.commands.chart.data.get_data_command import ChartDataCommand
    from superset.common.query_context_factory import QueryContextFactory
    from superset.models.slice import Slice

    faults, empty = [], []
    for path, asset in assets.items():
        if not path.startswith("charts/"):
            continue
        chart = db.session.query(Slice).filter_by(uuid=asset["uuid"]).one()
        context = QueryContextFactory().create(
            datasource={"id": chart.datasource_id, "type": "table"},
            queries=[query | {"row_limit": 5} for query in queries(asset["params"])],
            force=True,
        )
        try:
            results = ChartDataCommand(context).run()["queries"]
        except Exception as problem:
            results = [{"error": repr(problem)}]
        errors = [result["error"] for result in results if result.get("error")]
        faults += [f"{path}: {error}" for error in errors]
        if not errors and not any(result["data"] for result in results):
            empty.append(asset["slice_name"])
    if faults:
        raise AssetError("; ".join(faults))
    return empty
