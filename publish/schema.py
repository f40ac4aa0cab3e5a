"""The documented schema, and how a destination writes what the warehouse holds: what every reader of the published
tables may rely on."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from publish.parts import part_number
from publish.publication import EXPOSURE, PublicationRefusedError, PublishedTable

DOCUMENTED: dict[str, dict[str, dict[str, str]]] = {
    "inventory": {
        "inventory": {
            "product_id": "TEXT",
            "category": "TEXT",
            "store_location": "TEXT",
            "quantity": "INTEGER",
            "price": "FLOAT",
            "event_timestamp": "TEXT",
        },
    },
    "inventory_metrics": {
        "metrics": {
            "store_location": "TEXT",
            "category": "TEXT",
            "total_quantity": "INTEGER",
            "avg_price": "FLOAT",
            "total_stock_value": "FLOAT",
            "turnover_rate": "FLOAT",
            "event_timestamp": "TEXT",
        },
        "ml_metrics": {
            "model_name": "TEXT",
            "store_location": "TEXT",
            "category": "TEXT",
            "predicted_quantity": "FLOAT",
            "actual_quantity": "FLOAT",
            "forecast_timestamp": "TEXT",
        },
        "anomalies": {
            "description": "TEXT",
            "method": "TEXT",
            "store_location": "TEXT",
            "category": "TEXT",
            "event_timestamp": "TEXT",
        },
        "numerical_quantity": {
            "model_name": "TEXT",
            "anomaly_type": "TEXT",
            "anomaly_description": "TEXT",
            "store_location": "TEXT",
            "category": "TEXT",
            "forecast_timestamp": "TEXT",
        },
        "dashboard_notifications": {
            "type": "TEXT",
            "notification": "TEXT",
            "store_location": "TEXT",
            "event_timestamp": "TEXT",
            "product_id": "TEXT",
            "category": "TEXT",
        },
    },
}

DOCUMENTED_TYPES = {
    (table, column): kind
    for tables in DOCUMENTED.values()
    for table, columns in tables.items()
    for column, kind in columns.items()
}

# Of companion tables. What pages ask most: the rows of a store, and sums over all stores, which an index that has all
# their columns answers alone.
INDEXES: dict[str, list[tuple[str, ...]]] = {
    "daily_stock": [
        ("store_location", "event_date"),
        (
            "event_date",
            "total_quantity",
            "total_stock_value",
            "units_out",
            "units_in",
            "product_count",
            "out_of_stock_count",
        ),
    ],
    "current_stock": [
        ("store_location", "category", "status", "is_stale"),
        ("product_id",),
        ("status", "value_at_risk"),
    ],
    "product_performance": [("store_location", "product_id")],
    "anomaly_events": [("store_location", "event_date"), ("event_date", "is_state", "severity", "rule_id")],
    "notification_episodes": [("store_location", "status"), ("status", "severity", "value_at_risk")],
    "forecast_bands": [("store_location", "is_chosen", "event_date")],
    "forecast_accuracy": [("store_location", "model_name")],
    "lost_sales": [("store_location", "event_date")],
}

# A row's id begins with its part. So the rows of a part lie together, and are found without an index.
ROW_BITS = 35

# what a column of the warehouse becomes: its documented type, and the SQL that makes its values in DuckDB
FORMS = {
    "VARCHAR": ("TEXT", "{}"),
    "BIGINT": ("INTEGER", "{}"),
    "INTEGER": ("INTEGER", "{}"),
    "BOOLEAN": ("INTEGER", "cast({} as integer)"),
    "DOUBLE": ("FLOAT", "{}"),
    "DECIMAL": ("FLOAT", "cast({} as double)"),
    "DATE": ("TEXT", "strftime({}, '%Y-%m-%d')"),
    "TIMESTAMP": ("TEXT", "strftime({}, '%Y-%m-%d %H:%M:%S')"),
}
# The documented tables write times as events do, with a fraction only where there is one, and so does the companion
# that shows events as they came. The others write them as the dashboards' datasets read them.
ISO_8601 = (
    "case when date_part('microsecond', {0}) % 1000000 = 0 then strftime({0}, '%Y-%m-%dT%H:%M:%SZ') "
    "else strftime({0}, '%Y-%m-%dT%H:%M:%S.%fZ') end"
)
AS_IN_EVENTS = {*DOCUMENTED_TYPES, ("late_events", "event_timestamp")}


@dataclass(frozen=True)
class PublishedColumn:
    """A column of a published table: its documented type, and the SQL that makes its values in DuckDB."""

    declared: str
    expression: str


def published_column(table: str, name: str, kind: str) -> PublishedColumn | None:
    """The column for a type of the warehouse; None where no documented type can hold it."""
    kind = re.sub(r"^DECIMAL\(\d+,\s*\d+\)$", "DECIMAL", kind)
    if kind not in FORMS:
        return None
    declared, form = FORMS[kind]
    if kind == "TIMESTAMP" and (table, name) in AS_IN_EVENTS:
        form = ISO_8601
    if declared == "INTEGER" and DOCUMENTED_TYPES.get((table, name)) == "FLOAT":
        declared, form = FORMS["DECIMAL"]  # a whole number is a number, too
    return PublishedColumn(declared, form.format(name))


def published_columns(table: PublishedTable) -> dict[str, PublishedColumn]:
    """The columns of a table as readers are to find them, by name."""
    columns = {name: published_column(table.name, name, kind) for name, kind in table.columns.items()}
    return {name: column for name, column in columns.items() if column}


def converted(table: PublishedTable) -> str:
    """The table as readers are to find it, as a relation of the warehouse."""
    return f"(select {_values(table)} from {table.relation}) as converted"


def rows_by_part(table: PublishedTable, condition: str = "true") -> str:
    """The rows of a table, each with its part, as a relation of the warehouse."""
    return (
        f"(select {part_number(table)} as part, {_values(table)} from {table.relation} where {condition}) as converted"
    )


def _values(table: PublishedTable) -> str:
    return ", ".join(f"{column.expression} as {name}" for name, column in published_columns(table).items())


def definition(table: PublishedTable) -> str:
    """The statement that creates a table, or the view that it is."""
    if table.view_of is not None:
        return f"CREATE VIEW {table.name} AS SELECT * FROM {table.view_of}"
    columns = ", ".join(f"{name} {column.declared}" for name, column in published_columns(table).items())
    return f"CREATE TABLE {table.name} ({columns})"


def index_definitions(table: PublishedTable) -> list[str]:
    """The statements that create a table's indexes."""
    return [
        f"CREATE INDEX {table.name}_{number} ON {table.name} ({', '.join(columns)})"
        for number, columns in enumerate(INDEXES.get(table.name, []), 1)
        if set(columns) <= table.columns.keys()
    ]


def layout(tables: list[PublishedTable], *others: str) -> str:
    """A digest of how tables are written, and of what else the destination makes of them. Where it is the same as
    before, the parts can be compared."""
    import duckdb

    written = [duckdb.__version__, *others]  # another version may have other hashes
    for table in tables:
        written.append(definition(table))
        if table.view_of is None:
            written += [part_number(table), converted(table), *index_definitions(table)]
    return hashlib.sha256("\n".join(written).encode()).hexdigest()


def check_schema(databases: dict[str, list[PublishedTable]]) -> None:
    """Refuse unless the documented tables are all there, as documented, and the others can be published."""
    for database, tables in databases.items():
        for table in tables:
            strange = {
                column: kind for column, kind in table.columns.items() if not published_column(table.name, column, kind)
            }
            if strange:
                raise PublicationRefusedError(
                    f"{table.name} has types that nobody publishes ({strange}). Cast them in the model."
                )
            documented = DOCUMENTED.get(database, {}).get(table.name)
            columns = {name: column.declared for name, column in published_columns(table).items()}
            if documented and list(documented.items()) != list(columns.items()):
                raise PublicationRefusedError(f"{table.name} has the columns {columns}; documented are {documented}.")
    missing = [
        f"{database}.{name}"
        for database, names in DOCUMENTED.items()
        for name in names
        if name not in {table.name for table in databases.get(database, [])}
    ]
    if missing:
        raise PublicationRefusedError(f"the exposure {EXPOSURE} does not list {', '.join(missing)}. Add it.")
