"""The documented SQLite schema: what every reader of the published files may rely on."""

from __future__ import annotations

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

# SQLite's declared type for what a companion table holds in the warehouse
DECLARED_TYPES = {
    "VARCHAR": "TEXT",
    "BIGINT": "INTEGER",
    "INTEGER": "INTEGER",
    "DOUBLE": "FLOAT",
}
