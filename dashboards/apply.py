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

HERE = Path(__file__).parent
ASSETS = HERE / "assets"


class AssetError(ValueError):
    """An asset that cannot work; the message names the file."""


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
        assets = read_assets(ASSETS)
        _import(assets)
        remove_unlisted(assets.values(), say)
        set_roles(access)
        set_row_rules(access)
        admit(home, access.users)
        say("running every chart")
        empty = _run_charts(assets)
        if empty:
            say(f"nothing to show yet in: {', '.join(empty)}")


def read_assets(folder: Path) -> dict[str, dict[str, Any]]:
    """The assets by their path below the folder, checked against each other: uuids, datasets, columns and metrics.

    Raises AssetError that lists all faults.
    """
    assets = {
        str(path.relative_to(folder)): yaml.safe_load(path.read_text()) for path in sorted(folder.rglob("*.yaml"))
    }
    faults: list[str] = []
    by_uuid: dict[str, tuple[str, dict[str, Any]]] = {}
    for path, asset in assets.items():
        if path == "metadata.yaml":
            continue
        if asset["uuid"] in by_uuid:
            faults.append(f"{path}: has the uuid of {by_uuid[asset['uuid']][0]}")
        by_uuid[asset["uuid"]] = (path, asset)
    for path, asset in assets.items():
        if path.startswith("charts/"):
            faults += _chart_faults(path, asset, by_uuid)
        if path.startswith("datasets/") and asset["database_uuid"] not in by_uuid:
            faults.append(f"{path}: its database is in no file")
        if path.startswith("dashboards/"):
            faults += [
                f"{path}: {name} shows a chart that is in no file"
                for name, part in asset["position"].items()
                if name.startswith("CHART") and part["meta"]["uuid"] not in by_uuid
            ]
    if faults:
        raise AssetError("; ".join(faults))
    return assets


def _chart_faults(path: str, chart: dict[str, Any], by_uuid: dict[str, tuple[str, dict[str, Any]]]) -> list[str]:
    if chart["dataset_uuid"] not in by_uuid:
        return [f"{path}: its dataset is in no file"]
    dataset_path, dataset = by_uuid[chart["dataset_uuid"]]
    metrics = {metric["metric_name"] for metric in dataset["metrics"]}
    columns = {column["column_name"] for column in dataset["columns"]}
    used_metrics, used_columns = _used(chart["params"])
    return [f"{path}: {dataset_path} has no metric {name}" for name in used_metrics if name not in metrics] + [
        f"{path}: {dataset_path} has no column {name}" for name in used_columns if name not in columns
    ]


def _used(params: dict[str, Any]) -> tuple[list[str], list[str]]:
    """The metrics and the columns that a chart's parameters name."""
    metrics = [params["metric"]] if "metric" in params else list(params.get("metrics", []))
    groupby = params.get("groupby", [])
    columns = [
        *([params["x_axis"]] if "x_axis" in params else []),
        *([groupby] if isinstance(groupby, str) else groupby),
        *params.get("all_columns", []),
        *(condition["subject"] for condition in params.get("adhoc_filters", [])),
    ]
    return metrics, columns


def _query(params: dict[str, Any]) -> dict[str, Any]:
    """The query of a chart, for the server: the browser writes one only when somebody saves the chart by hand."""
    metrics, _ = _used(params)
    groupby = params.get("groupby", [])
    columns: list[Any] = list(params.get("all_columns", []))
    if "x_axis" in params and "time_grain_sqla" in params:
        columns.append(
            {
                "timeGrain": params["time_grain_sqla"],
                "columnType": "BASE_AXIS",
                "sqlExpression": params["x_axis"],
                "label": params["x_axis"],
                "expressionType": "SQL",
            }
        )
    elif "x_axis" in params:
        columns.append(params["x_axis"])
    columns += [groupby] if isinstance(groupby, str) else groupby
    return {
        "columns": columns,
        "metrics": metrics or None,
        "filters": [
            {"col": condition["subject"], "op": condition["operator"], "val": condition["comparator"]}
            for condition in params.get("adhoc_filters", [])
        ],
        "orderby": [json.loads(order) for order in params.get("order_by_cols", [])],
        "row_limit": params.get("row_limit", 10_000),
    }


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
                "queries": [_query(asset["params"])],
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
        query = _query(asset["params"]) | {"row_limit": 5}
        context = QueryContextFactory().create(
            datasource={"id": chart.datasource_id, "type": "table"}, queries=[query], force=True
        )
        try:
            result = ChartDataCommand(context).run()["queries"][0]
        except Exception as problem:
            result = {"error": repr(problem)}
        if result.get("error"):
            faults.append(f"{path}: {result['error']}")
        elif not result["data"]:
            empty.append(asset["slice_name"])
    if faults:
        raise AssetError("; ".join(faults))
    return empty
