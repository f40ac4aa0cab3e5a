"""The README's command, from a file of events to the published SQLite files."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import textwrap
from collections import Counter, defaultdict
from contextlib import closing
from pathlib import Path
from shutil import copytree

import duckdb
import pytest

from tests.conftest import ROOT, make
from tests.integration.dbt.project import Project, copy_project
from tests.integration.test_refinement import load, refine

DOCUMENTED = {
    "inventory.db": {
        "inventory": "product_id TEXT, category TEXT, store_location TEXT, quantity INTEGER, price FLOAT, "
        "event_timestamp TEXT",
    },
    "inventory_metrics.db": {
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


def rows(path: Path, query: str) -> list[tuple]:
    with closing(sqlite3.connect(path)) as database:
        return database.execute(query).fetchall()


def digests(folder: Path, pattern: str) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob(pattern)
    }


def dumps(export: Path) -> dict[str, list[str]]:
    """What the published files hold, as SQL, whatever the order of their rows."""
    dumped = {}
    for path in export.glob("*.db"):
        with closing(sqlite3.connect(path)) as database:
            dumped[path.name] = sorted(database.iterdump())
    return dumped


@pytest.mark.parametrize("database", DOCUMENTED)
def test_the_schema_is_the_documented_one(built, database):
    stored = dict(rows(built / "export" / database, "select name, sql from sqlite_master where type = 'table'"))
    indexed = {
        name for (name,) in rows(built / "export" / database, "select tbl_name from sqlite_master where type = 'index'")
    }
    for table, columns in DOCUMENTED[database].items():
        assert stored[table] == f"CREATE TABLE {table} ({columns})"
        assert table not in indexed
    if database == "inventory.db":
        assert list(stored) == ["inventory"]


def test_every_table_has_rows_that_fit_together(built, tiny_events):
    metrics = built / "export" / "inventory_metrics.db"
    messages = sum(1 for _ in tiny_events.open("rb"))
    ((landed, quarantined),) = rows(metrics, "select landed_count, quarantined_count from pipeline_status")
    assert landed + quarantined == messages
    assert quarantined == 13
    for database, tables in DOCUMENTED.items():
        for table in tables:
            ((count,),) = rows(built / "export" / database, f"select count(*) from {table}")
            assert count > 0 or table == "numerical_quantity", table
    models = {model for (model,) in rows(metrics, "select distinct model_name from ml_metrics")}
    assert models == {"ARIMA", "XGBoost", "Prophet", "Seasonal naive", "Ensemble"}
    doubled = rows(
        metrics,
        "select 1 from ml_metrics group by model_name, store_location, category, forecast_timestamp "
        "having count(*) > 1",
    )
    assert not doubled


def test_actuals_are_the_metrics_at_their_timestamp_and_the_future_has_none(built):
    metrics = built / "export" / "inventory_metrics.db"
    ((as_of,),) = rows(metrics, "select replace(as_of, ' ', 'T') || 'Z' from pipeline_status")
    wrong = rows(
        metrics,
        """
        select f.*, m.total_quantity from ml_metrics as f left join metrics as m
            on f.store_location = m.store_location and f.category = m.category
            and f.forecast_timestamp = m.event_timestamp
        where f.actual_quantity is not null and f.actual_quantity <> m.total_quantity
        """,
    )
    assert not wrong
    ((due, filled, early),) = rows(
        metrics,
        f"""
        select
            sum(forecast_timestamp <= '{as_of}'),
            sum(forecast_timestamp <= '{as_of}' and actual_quantity is not null),
            sum(forecast_timestamp > '{as_of}' and actual_quantity is not null)
        from ml_metrics
        """,
    )
    assert due > 0
    assert filled == due
    assert early == 0


def test_notifications_say_what_where_and_what_to_do(built):
    notifications = rows(
        built / "export" / "inventory_metrics.db",
        "select notification, store_location, product_id, category, type from dashboard_notifications",
    )
    per_store = Counter(store for _, store, *_ in notifications)
    assert max(per_store.values()) <= 11  # ten, and a digest of the others
    known = {"pipeline", "numerical", "stock", "forecast", "text", "data_quality"}
    for notification, store, product, category, kind in notifications:
        severity, place, *_ = notification.split(" · ")
        assert severity in {"CRITICAL", "HIGH", "MEDIUM", "INFO"}
        assert store == "N/A" or place.startswith(store)
        assert product in {"N/A", *notification.split()}
        assert category != ""
        assert kind in known


def test_others_on_the_machine_read_no_data(built):
    assert not [path for path in built.rglob("*") if path.stat().st_mode & 0o007]


def test_again_changes_nothing(built, tiny_events):
    patterns = ("landing/**/*.parquet", "raw/readings/**/*.parquet", "export/*.db")
    before = {pattern: digests(built, pattern) for pattern in patterns}
    assert all(before.values())
    result = make("pipeline", built, INVENTORY_EVENTS=str(tiny_events))
    assert result.returncode == 0, result.stdout + result.stderr
    assert "nothing is new since the last build" in result.stdout
    assert {pattern: digests(built, pattern) for pattern in patterns} == before


def test_the_example_of_each_model_runs(built):
    """The description of a model ends with a query of it, to be run in DuckDB on the warehouse."""
    manifest = json.loads((built / "dbt/target/manifest.json").read_text())
    faults = []
    with duckdb.connect(str(built / "warehouse/inventory.duckdb"), read_only=True) as connection:
        for node in manifest["nodes"].values():
            if node["resource_type"] != "model" or node["package_name"] != "inventory":
                continue
            example = re.search(r"```sql\n(.+)\n```$", node["description"], re.DOTALL)
            if example is None:
                faults.append(f"{node['name']}: no example at the end of its description")
            elif not re.search(rf"\bfrom {node['name']}\b", example[1]):
                faults.append(f"{node['name']}: the example reads something else")
            else:
                try:
                    connection.execute(example[1]).fetchall()
                except duckdb.Error as error:
                    faults.append(f"{node['name']}: {error}")
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("events", ["missing.ndjson", "empty.ndjson"])
def test_a_bad_file_stops_the_pipeline_with_its_name(tmp_path, events):
    (tmp_path / "empty.ndjson").touch()
    result = make("pipeline", tmp_path / "data", INVENTORY_EVENTS=str(tmp_path / events))
    assert result.returncode != 0
    assert events in result.stderr


def export(data_dir: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ROOT / ".venv/bin/inventory", "export"],
        env={**os.environ, "INVENTORY_DATA_DIR": str(data_dir), "DBT_TARGET_PATH": str(data_dir / "dbt/target")},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            "insert into build_audit.node_results select invocation_id, node_id, 'fail', 'Got 3 results', now() "
            "from build_audit.node_results where node_id like 'test.%' limit 1",
            "Got 3 results",
        ),
        (
            "insert into build_audit.invocations (invocation_id, command, started_at) values ('x', 'build', now())",
            "did not end",
        ),
        ("drop view main.numerical_anomalies; drop view main.metrics", "metrics"),
    ],
    ids=["failed test", "unfinished build", "missing table"],
)
def test_a_bad_build_is_not_published(built, tmp_path, spoil, message):
    copytree(built, tmp_path / "data")
    with duckdb.connect(str(tmp_path / "data/warehouse/inventory.duckdb")) as connection:
        for statement in spoil.split("; "):
            connection.execute(statement)
    before = digests(tmp_path / "data/export", "*.db")
    result = export(tmp_path / "data")
    assert result.returncode == 1
    assert "not published" in result.stderr
    assert message in result.stderr
    assert digests(tmp_path / "data/export", "*.db") == before


@pytest.mark.parametrize("step", ["sqlite_whole._copy", "sqlite_whole._audit", "sqlite_whole._show"])
def test_killed_while_publishing_readers_see_a_whole_file(built, tmp_path, step):
    data_dir = tmp_path / "data"
    copytree(built, data_dir)
    before, tables = digests(data_dir / "export", "*.db"), dumps(data_dir / "export")
    for note in (data_dir / "export").glob("*.parts-*"):
        note.unlink()  # as if there were news
    killer = textwrap.dedent(f"""
        import os, signal, sys
        from publish import export
        from publish.destinations import sqlite_whole

        {step} = lambda *arguments: os.kill(os.getpid(), signal.SIGKILL)
        export.command(["--data-dir", sys.argv[1]])
    """)
    environment = {**os.environ, "DBT_TARGET_PATH": str(data_dir / "dbt/target")}
    killed = subprocess.run([sys.executable, "-c", killer, data_dir], env=environment, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert digests(data_dir / "export", "[!.]*.db") == before
    assert export(data_dir).returncode == 0
    assert dumps(data_dir / "export") == tables


# model: its faults, as (name of the file, right, wrong); those in the same place of their lists are planted together
MUTANTS = {
    "int_stock_metrics": [
        (
            "int_stock_metrics",
            "greatest(previous_level - stock_level, 0)",
            "abs(previous_level - stock_level)",
        ),
        ("int_stock_metrics", "where not is_suspect", "where true"),
        ("bucket_of", " - interval '1 microsecond'", ""),
    ],
    "int_accepted_readings": [
        ("int_accepted_readings", "arg_max(quantity, arrival)", "arg_min(quantity, arrival)"),
        ("int_accepted_readings", "then -product else product end", "then product else product end"),
        ("int_accepted_readings", "row_number() over series_readings - 1", "row_number() over series_readings"),
    ],
    "int_stock_dips": [
        ("int_stock_dips", "3 * falls_before", "2 * falls_before"),
        ("int_stock_dips", "else reading_number <= 3", "else reading_number <= 4"),
    ],
    "int_store_closures": [
        ("int_store_closures", "fallen_count >= 2", "fallen_count >= 1"),
        ("int_store_closures", "2 * as_before_count >= fallen_count", "true"),
        ("suspect_readings", "emptied_at + interval '1 day'", "emptied_at + interval '2 days'"),
    ],
    "int_suspect_readings": [
        ("int_suspect_readings", "2 * largest_fall < units_fallen", "largest_fall < units_fallen"),
        ("int_suspect_readings", "greatest(recent_falls.usual_fall, 4)", "greatest(recent_falls.usual_fall, 5)"),
        ("int_suspect_readings", "order by reason = 'out of range'", "order by reason <> 'out of range'"),
    ],
    "int_suspect_prices": [
        ("suspect_readings", "having count(*) >= 10", "having count(*) >= 9"),
        ("suspect_readings", "limits.jumped_to > limits", "limits.jumped_to >= limits"),
    ],
    "int_stock_levels": [
        ("int_stock_levels", "then -numbers.product else", "then numbers.product else"),
        ("int_stock_levels", "and abs(readings.reported_price) <= {{ var('accepted_price') }}", ""),
        ("int_stock_levels", "existing_rows.event_timestamp < products.changed_from", "true"),
    ],
    "int_readings_for_rules": [
        ("int_readings_for_rules", "rows between 20 preceding", "rows between 21 preceding"),
        ("int_readings_for_rules", "quantity >= 0 and not is_suspect then", "not is_suspect then"),
        ("int_readings_for_rules", "counts_before // 100 % 100", "counts_before % 100"),
    ],
    "int_product_daily": [
        ("int_product_daily", "filter (where units_in > 0)", "filter (where units_out > 0)"),
        ("int_product_daily", "anti join jumps as themselves", "left join jumps as themselves"),
    ],
    "int_quantity_jumps": [
        ("int_quantity_jumps", ">= rules.threshold", "> rules.threshold"),
        ("int_quantity_jumps", "product_id, jump_row", "product_id, event_timestamp"),
    ],
    "int_days_for_rules": [
        ("int_days_for_rules", "rows between 37 preceding", "rows between 38 preceding"),
        ("int_days_for_rules", "range between 27 preceding", "range between 28 preceding"),
        ("flat_line", "still_days >= 5\n{%- endmacro", "still_days >= 4\n{%- endmacro"),
    ],
    "int_product_lifetimes": [
        ("int_product_lifetimes", "filter (where units_in > 0)", ""),
    ],
    "int_product_windows": [
        ("int_product_windows", "- lengths.window_days + 1", "- lengths.window_days"),
        ("int_product_windows", "closing_quantity - units_in + units_out", "closing_quantity"),
        (
            "int_product_windows",
            "units_out - opening_units_out * coalesce(before_us",
            "units_out - 0 * coalesce(before_us",
        ),
    ],
    "int_product_demand": [
        ("int_product_demand", "case when in_stock_us > 86400e6", "case when in_stock_us > 0"),
        ("int_product_demand", "greatest(pace_count - 1, 1)", "greatest(pace_count, 1)"),
    ],
    "int_current_stock": [
        ("int_current_stock", "supply.service_z * sqrt(", "supply.service_z * ("),
        ("int_current_stock", "days_without_out >= dead_after_days", "days_without_out > dead_after_days"),
    ],
    "int_product_supply": [
        ("int_product_supply", "store_location = '*', policies", "store_location <> '*', policies"),
        ("int_product_supply", "    where order_lines.is_open\n", ""),
    ],
    "int_supplier_lead_times": [
        ("int_supplier_lead_times", "quantile_disc(lead_time_seconds, 0.95)", "max(lead_time_seconds)"),
        ("int_supplier_lead_times", "ordered_seconds_ago >= limits", "ordered_seconds_ago >= 0 * limits"),
        ("int_supplier_lead_times", "order_lines.received_at <= as_of.as_of", "true"),
    ],
    "fct_product_performance": [
        ("fct_product_performance", "out_value_before >= 0.8", "out_value_before + out_value >= 0.8"),
        ("fct_product_performance", "weekly_variation < 0.5", "weekly_variation <= 0.5"),
        ("fct_product_performance", "turnover_us >= 7 *", "turnover_us >= 0 *"),
    ],
    "fct_stock_performance": [
        (
            "fct_stock_performance",
            "out_of_stock_hours / nullif(tracked_hours, 0) as stock_out_rate",
            "out_of_stock_count / product_count as stock_out_rate",
        ),
    ],
    "fct_stock_ageing": [
        ("fct_stock_ageing", "order by product_daily.event_date desc", "order by product_daily.event_date"),
        ("fct_stock_ageing", "<= 180", "< 180"),
    ],
    "fct_lost_sales": [
        ("fct_lost_sales", "coalesce(empty_intervals.next_reading_at, days.as_of),", "days.as_of,"),
        ("fct_lost_sales", "range(14)", "range(13)"),
        ("fct_lost_sales", "where stock_level = 0 and not is_suspect", "where stock_level = 0"),
    ],
    "int_stock_anomalies": [
        ("negative_stock", "where quantity < 0", "where quantity <= -3"),
        ("excess_stock", "greatest(current_stock.order_up_to_level, 4)", "current_stock.order_up_to_level"),
    ],
    "int_quantity_anomalies": [
        ("flat_line", "still_days >= 5\n        and", "still_days >= 4\n        and"),
        ("slow_leak", "        and ten_days_in = 0", "        and ten_days_in >= 0"),
        ("returned_dip", "and event_timestamp = suspect_from", ""),
    ],
    "int_price_anomalies": [
        ("negative_price", "reported_price < 0\n        and", "reported_price <= 0\n        and"),
        ("price_outlier", "prices_before >= 10", "prices_before >= 9"),
        ("absurd_price", "abs(reported_price) / ", "reported_price / "),
    ],
    "int_feed_anomalies": [
        ("stale_store", "< {{ rule_threshold", "<= {{ rule_threshold"),
        ("stale_product", "silent_us > epoch_us", "silent_us >= epoch_us"),
    ],
    "int_root_causes": [
        ("int_root_causes", "> count(*) / 2\n\n),\n\ncategory_sizes", ">= count(*) / 2\n\n),\n\ncategory_sizes"),
        ("int_root_causes", "and method <> 'text'", ""),
        ("int_root_causes", ">= silent_categories.since_date", ">= silent_categories.since_date - 1"),
    ],
    "int_notification_episodes": [
        ("int_notification_episodes", "where closes_at >= last_seen_at", "where true"),
        ("int_notification_episodes", "when ranked_value >= severe_from then", "when ranked_value > severe_from then"),
        ("int_notification_episodes", "seen_at <= max(returns_until)", "seen_at < max(returns_until)"),
    ],
    "int_known_episodes": [
        (
            "int_known_episodes",
            "known.known_until >= episodes.first_seen_at",
            "known.began_at >= episodes.first_seen_at",
        ),
        ("int_known_episodes", "            order by began_at\n", "            order by began_at desc\n"),
        ("int_known_episodes", "when as_of.as_of > known.counted_at then", "when true then"),
    ],
    "fct_notification_episodes": [
        ("fct_notification_episodes", "reopened_times[-1], returned_times[-1]", "returned_times[-1]"),
        ("fct_notification_episodes", "snoozed_until > {{ build_time() }}", "snoozed_until >= {{ build_time() }}"),
        ("fct_notification_episodes", "order by type_rank = 1 desc, severity", "order by severity"),
    ],
}


@pytest.mark.parametrize("place", range(max(map(len, MUTANTS.values()))))
def test_a_wrong_formula_fails_its_unit_tests(built, tmp_path, place):
    """A unit test reads nothing but its own rows, so that faults in several models are each its own models' affair."""
    copy_project(tmp_path)
    copytree(built / "warehouse", tmp_path / "data/warehouse")
    copytree(built / "raw/readings", tmp_path / "data/raw/readings")
    planted = {model: faults[place] for model, faults in MUTANTS.items() if place < len(faults)}
    for name, right, wrong in planted.values():
        (path,) = [path for folder in ("models", "macros") for path in (tmp_path / folder).rglob(f"{name}.sql")]
        text = path.read_text()
        assert right in text, (name, right)
        path.write_text(text.replace(right, wrong))
    with pytest.raises(AssertionError):
        Project(tmp_path / "data", tmp_path).build(
            "--select", *(f"{model},test_type:unit" for model in planted), steps="test", with_seeds=False
        )
    results = [
        entry
        for entry in json.loads((tmp_path / "data/dbt/run_results.json").read_text())["results"]
        if entry["unique_id"].startswith("unit_test.")
    ]
    # found by a test that ran, not by SQL that does not run
    assert {entry["status"] for entry in results} <= {"pass", "fail"}, results
    assert {entry["unique_id"].split(".")[2] for entry in results if entry["status"] == "fail"} == set(planted)


def test_units_out_of_the_real_sample_are_the_ledgers_sales(spark, tmp_path, sample):
    """Units out per store and category against the till's own movements. Readings of one product in one second have
    no order among themselves, so only the last of them counts: what was sold and refilled within it cancels out. And
    a level that comes back within its second reads as a repeat: series where that happens are left out."""
    load(tmp_path, sample / "complete_journey_readings.ndjson")
    refine(spark, tmp_path)
    (tmp_path / "warehouse").mkdir()
    Project(tmp_path).build("--select", "+fct_stock_metrics")
    with duckdb.connect(str(tmp_path / "warehouse/inventory.duckdb"), read_only=True) as connection:
        measured = {
            (store, category): (units_out, units_in)
            for store, category, units_out, units_in in connection.execute(
                "select store_location, category, sum(units_out), sum(units_in) from fct_stock_metrics group by all"
            ).fetchall()
        }
    sold: dict[tuple[str, str], int] = defaultdict(int)
    visible: dict[tuple[str, str], int] = defaultdict(int)
    seconds: dict[tuple[str, str, str, str], int] = defaultdict(int)
    contents: Counter[tuple[str, ...]] = Counter()
    with (sample / "complete_journey_ledger.csv").open() as file:
        for row in csv.DictReader(file):
            series = (row["store_location"], row["category"])
            contents[*series, row["product_id"], row["event_timestamp"], row["quantity_on_hand"], row["price"]] += 1
            if row["event_type"] == "sale":
                sold[series] -= int(row["quantity_delta"])
            if row["event_type"] != "opening":
                seconds[*series, row["product_id"], row["event_timestamp"]] += int(row["quantity_delta"])
    for (store, category, _, _), change in seconds.items():
        visible[store, category] += max(-change, 0)
    returning = {(store, category) for (store, category, *_), times in contents.items() if times > 1}
    assert len(returning) <= 3
    for series, units in visible.items():
        assert series in returning or measured[series][0] == units, series
    assert sum(visible.values()) >= 0.98 * sum(sold.values())
