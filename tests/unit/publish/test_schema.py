"""What is published: every serving model, and the documented schema, written out once more, since other people's
queries rely on it."""

from __future__ import annotations

import yaml

from publish.publication import EXPOSURE
from publish.schema import DOCUMENTED
from tests.conftest import ROOT

EXPECTED = {
    "inventory": {
        "inventory": "product_id TEXT, category TEXT, store_location TEXT, quantity INTEGER, price FLOAT, "
        "event_timestamp TEXT",
    },
    "inventory_metrics": {
        "metrics": "store_location TEXT, category TEXT, total_quantity INTEGER, avg_price FLOAT, "
        "total_stock_value FLOAT, turnover_rate FLOAT, event_timestamp TEXT",
        "ml_metrics": "model_name TEXT, store_location TEXT, category TEXT, predicted_quantity FLOAT, "
        "actual_quantity FLOAT, forecast_timestamp TEXT",
        "anomalies": "description TEXT, method TEXT, store_location TEXT, category TEXT, event_timestamp TEXT",
        "numerical_quantity": "model_name TEXT, anomaly_type TEXT, anomaly_description TEXT, store_location TEXT, "
        "category TEXT, forecast_timestamp TEXT",
        "dashboard_notifications": "type TEXT, notification TEXT, store_location TEXT, event_timestamp TEXT, "
        "product_id TEXT, category TEXT",
    },
}


def test_columns_order_and_types_are_the_documented_ones():
    written_out = {
        database: {
            table: ", ".join(f"{name} {kind}" for name, kind in columns.items()) for table, columns in tables.items()
        }
        for database, tables in DOCUMENTED.items()
    }
    assert written_out == EXPECTED


def test_every_serving_model_is_published():
    exposures = yaml.safe_load((ROOT / "models/serving/_serving__exposures.yml").read_text())["exposures"]
    (publication,) = (exposure for exposure in exposures if exposure["name"] == EXPOSURE)
    models = {f"ref('{path.stem}')" for path in (ROOT / "models/serving").rglob("*.sql")}
    assert set(publication["depends_on"]) == models
