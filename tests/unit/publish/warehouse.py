"""A small warehouse as a build leaves it: the documented tables, some companions, one view, and the build's records."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb

from publish.schema import DOCUMENTED

COMPANIONS = {
    "daily_stock": {"store_location": "varchar", "event_date": "date", "total_quantity": "bigint"},
    "current_stock": {"store_location": "varchar", "last_reading_at": "timestamp", "is_stale": "boolean"},
    "notification_episodes": {"store_location": "varchar", "status": "varchar"},
    "late_events": {"store_location": "varchar", "event_timestamp": "timestamp", "published_at": "timestamp"},
}
VIEWS = {"numerical_anomalies": "numerical_quantity"}
WAREHOUSE_TYPES = {"TEXT": "varchar", "INTEGER": "bigint", "FLOAT": "double"}
OTHER_TYPES = {
    "event_timestamp": "timestamp",
    "forecast_timestamp": "timestamp",
    "price": "decimal(18, 9)",
    "actual_quantity": "bigint",
}
VALUES = {
    "varchar": "'Größe · 2'",
    "bigint": "9007199254740993",
    "double": "0.1",
    "decimal(18, 9)": "0.1",
    "boolean": "true",
    "date": "'2026-06-30'",
    "timestamp": "'2026-06-30 10:00:00.25'",
}


def tables() -> dict[str, dict[str, str]]:
    """The types of every table's columns in the warehouse, by its name."""
    documented = {
        name: {column: OTHER_TYPES.get(column, WAREHOUSE_TYPES[kind]) for column, kind in columns.items()}
        for group in DOCUMENTED.values()
        for name, columns in group.items()
    }
    return documented | COMPANIONS


def model_id(table: str) -> str:
    return f"model.inventory.{table}"


def write_warehouse(data_dir: Path) -> None:
    """Write the warehouse and dbt's manifest below `data_dir`; every table has two rows, the first mostly of nulls."""
    path = data_dir / "warehouse" / "inventory.duckdb"
    path.parent.mkdir(parents=True)
    with duckdb.connect(str(path)) as connection:
        for table, columns in tables().items():
            declared = ", ".join(f"{name} {kind}" for name, kind in columns.items())
            connection.execute(f"create table {table} ({declared})")
            nulls = ", ".join("null" for _ in columns)
            connection.execute(
                f"insert into {table} values ({nulls}), ({', '.join(VALUES[kind] for kind in columns.values())})"
            )
        for view, table in VIEWS.items():
            connection.execute(f"create view {view} as select * from {table}")
        connection.execute("create schema build_audit")
        connection.execute(
            "create table build_audit.invocations "
            "(invocation_id varchar, command varchar, started_at timestamptz, finished_at timestamptz)"
        )
        connection.execute(
            "create table build_audit.node_results "
            "(invocation_id varchar, node_id varchar, status varchar, message varchar, finished_at timestamptz)"
        )
    build(data_dir, {model_id(table): "success" for table in [*tables(), *VIEWS]} | {"test.inventory.unique": "pass"})
    write_manifest(data_dir, [*tables(), *VIEWS])


def build(data_dir: Path, results: dict[str, str], *, ended: bool = True) -> None:
    """Record a later build with the status of each node."""
    with duckdb.connect(str(data_dir / "warehouse" / "inventory.duckdb")) as connection:
        (number,) = connection.execute("select count(*) from build_audit.invocations").fetchone() or (0,)
        built_at = f"2026-11-{number + 1:02d} 08:00:00+00"
        connection.execute(
            "insert into build_audit.invocations values (?, 'build', ?, ?)",
            [str(number), built_at, built_at if ended else None],
        )
        for node_id, status in results.items():
            connection.execute(
                "insert into build_audit.node_results values (?, ?, ?, 'message from dbt', ?)",
                [str(number), node_id, status, built_at],
            )


def change(data_dir: Path, *statements: str) -> None:
    """Run statements on the warehouse."""
    with duckdb.connect(str(data_dir / "warehouse" / "inventory.duckdb")) as connection:
        for statement in statements:
            connection.execute(statement)


def write_manifest(data_dir: Path, listed: list[str]) -> None:
    target = data_dir / "dbt" / "target"
    target.mkdir(parents=True, exist_ok=True)
    databases = {name: database for database, group in DOCUMENTED.items() for name in group}
    nodes = {
        model_id(table): {
            "resource_type": "model",
            "schema": "main",
            "alias": table,
            "fqn": ["inventory", "serving", databases.get(table, "inventory_metrics"), table],
            "config": {"enabled": True, "meta": {"view_of": VIEWS[table]} if table in VIEWS else {}},
        }
        for table in [*tables(), *VIEWS]
    }
    nodes["test.inventory.unique"] = {"resource_type": "test", "config": {"enabled": True}}
    manifest = {
        "nodes": nodes,
        "unit_tests": {"unit_test.inventory.worked": {}},
        "exposures": {
            "exposure.inventory.publication": {
                "name": "publication",
                "depends_on": {"nodes": [model_id(table) for table in listed]},
            },
            "exposure.inventory.page": {"name": "page", "depends_on": {"nodes": [model_id("anomalies")]}},
        },
    }
    (target / "manifest.json").write_text(json.dumps(manifest))
