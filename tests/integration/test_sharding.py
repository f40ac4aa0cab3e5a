"""A build in shards on a real Spark cluster gives the tables of a build on one machine, row by row."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from tests.conftest import ROOT
from tests.integration.spark_cluster import LOOPBACK, Cluster, running_cluster

INVENTORY = ROOT / ".venv/bin/inventory"
START = datetime(2026, 3, 1, 9)
DAYS = 80
# one store falls silent before the others: only all together know how long ago
STORES = {"Nord": DAYS, "Süd": DAYS, "O'Hare": DAYS, "West": DAYS - 12}
REGIONS = "store_location,region\nNord,One\nSüd,One\n*,Two\n"
OF_THE_BUILD = {"build_history", "anomaly_rules_history", "replenishment_policies_history"}  # when a build ran
OF_THIS_BUILD = {path.stem for path in (ROOT / "models/intermediate/this_build").glob("*.sql")}  # what it took in


# forecasts of stores and scores of series, here and in tasks: arguments are the master and the folder for results
SPREAD = """
import os, sys
from functools import partial
from pathlib import Path
import numpy as np
import pandas as pd
from cluster.fits import fits_in_tasks
from ingest.refining.spark_job import session
from ml.anomalies import detect, detection
from ml.forecasting.demand_first import roll_forward
from ml.parallel import spread

def read(store):
    chance = np.random.default_rng(len(store))
    flows = pd.DataFrame({"ds": pd.date_range("2026-03-01", periods=80), "unique_id": store, "category": "Toys"})
    flows["units_out"], flows["opening_level"] = chance.poisson(4.0, 80), chance.poisson(60.0, 80)
    return store, flows.assign(units_in=flows["units_out"]), flows.loc[::9, ["unique_id", "ds"]]

def run(name):
    folder = Path(sys.argv[2]) / name
    of_store = partial(roll_forward, cutoffs=[pd.Timestamp("2026-05-10")], horizon=28, seed=7, cache_dir=folder)
    spread(of_store, stores, read)
    panel = pd.concat([flows.assign(y=flows["units_out"]) for _, flows, _ in map(read, stores)])
    detectors = ["isolation_forest", "seasonal_smoothing"]
    found = detect(panel, detectors=detectors, season=7, seed=7, alert_budget=0.02, all_rows=True)
    found.to_parquet(folder / "found.parquet")

stores = ["S" * length for length in range(1, 10)]
detection.SERIES_AT_A_TIME = 1
run("here")
spark = session(sys.argv[1])
with fits_in_tasks(spark):
    run("there")
    print(*spread(lambda *_: os.getcwd(), stores, read), sep="\\n")
spark.stop()
"""


def write_events(path: Path) -> None:
    """Five products a store that sell and come in, with repeats, conflicts, spikes and one product that nobody has."""
    chance = random.Random(7)
    lines = []
    for store, days in STORES.items():
        for product in range(5):
            level = 60
            for day in range(days):
                level = max(level - chance.randrange(6), 0)
                if level < 10 and chance.random() < 0.5 and not (product == 4 and day > 50):
                    level += 60
                read_at = START + timedelta(days=day, minutes=chance.randrange(300))
                event = {
                    "product_id": f"P{product}",
                    # one store calls a product what no other does
                    "category": "Toyz" if (store, product) == ("Nord", 1) and day > 70 else "Toys",
                    "store_location": store,
                    "quantity": level * 100 if chance.random() < 0.004 else level,
                    "price": round(1 + product + chance.random() / 9, 2),
                    "event_timestamp": f"{read_at:%Y-%m-%dT%H:%M:%SZ}",
                }
                lines.append(event)
                if chance.random() < 0.02:
                    lines.append(event)
                if chance.random() < 0.01:
                    lines.append(event | {"quantity": level + 1})
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))


def write_later_readings(path: Path) -> None:
    """A reading of each product after those of `write_events`, and one that comes 20 days late."""
    lines = [
        {
            "product_id": f"P{product}",
            "category": "Toys",
            "store_location": store,
            "quantity": 30 + product,
            "price": 1.5 + product,
            "event_timestamp": f"{START + timedelta(days=DAYS - late, hours=6):%Y-%m-%dT%H:%M:%SZ}",
        }
        for product in range(5)
        for store in STORES
        for late in ([0, 20] if (store, product) == ("Nord", 0) else [0])
    ]
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))


def write_orders(data_dir: Path) -> None:
    """One supplier, whose deliveries take longer to each next store, and who has not delivered the latest orders."""
    (data_dir / "products.csv").write_text("product_id,supplier\n*,Wholesale\n")
    lines = ["order_id,product_id,store_location,quantity_ordered,ordered_at,received_at"]
    for usual, store in enumerate(STORES, start=2):
        for day in range(DAYS - 3):
            ordered_at = START + timedelta(days=day)
            received_at = ordered_at + timedelta(days=usual + day % 3) if day < DAYS - 20 else ""
            lines.append(f"{store} {day},P{day % 5},{store},{10 + day},{ordered_at},{received_at}")
    (data_dir / "orders.csv").write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder that one machine built."""
    data_dir = tmp_path_factory.mktemp("here")
    write_events(data_dir / "events.ndjson")
    (data_dir / "stores.csv").write_text(REGIONS)
    write_orders(data_dir)
    load(data_dir / "events.ndjson", data_dir)
    build(data_dir)
    with duckdb.connect(str(warehouse(data_dir)), read_only=True) as connection:
        assert connection.execute("select distinct lead_time_from from current_stock").fetchall() == [("orders",)]
    return data_dir


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with running_cluster(tmp_path_factory.mktemp("cluster"), workers=2, cores=1) as started:
        yield started


def unbuilt(here: Path, data_dir: Path) -> Path:
    """The same data folder before its build; what was fitted to the same data is not fitted again."""
    return shutil.copytree(here, data_dir, ignore=shutil.ignore_patterns("warehouse", "export", "dbt"))


def environment(data_dir: Path) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if name != "PYSPARK_PYTHON"}
    return inherited | {"INVENTORY_DATA_DIR": str(data_dir), "SPARK_LOCAL_IP": LOOPBACK}


def inventory(*arguments: object, data_dir: Path) -> subprocess.CompletedProcess[str]:
    command = [INVENTORY, *map(str, arguments)]
    return subprocess.run(command, env=environment(data_dir), capture_output=True, text=True, check=False)


def load(events: Path, data_dir: Path) -> None:
    result = inventory("load", "--source", events, data_dir=data_dir)
    assert result.returncode == 0, result.stdout + result.stderr


def build(data_dir: Path, *arguments: str) -> None:
    result = inventory("build", *arguments, data_dir=data_dir)
    assert result.returncode == 0, result.stdout + result.stderr


def executors(cluster: Cluster) -> list[int]:
    """The processes of the cluster's executors."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            line = (process / "cmdline").read_bytes()
            folder = (process / "cwd").readlink()
        except OSError:  # it has ended
            continue
        if b"CoarseGrainedExecutorBackend" in line and folder.is_relative_to(cluster.work):
            found.append(int(process.name))
    return found


def warehouse(data_dir: Path) -> Path:
    return data_dir / "warehouse/inventory.duckdb"


def differences(one: Path, other: Path) -> dict[str, int]:
    """The tables and views of two warehouses that differ, and by how many rows."""
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        for name, path in {"one": one, "other": other}.items():
            connection.execute(f"attach '{warehouse(path)}' as {name} (read_only)")
        tables = {
            name: {table for (table,) in connection.execute(
                "select table_name from information_schema.tables where table_catalog = ? and table_schema = 'main'",
                [name],
            ).fetchall()}
            for name in ("one", "other")
        }  # fmt: skip
        assert tables["one"] == tables["other"]
        found = {}
        # a view names its tables without their warehouse
        stored = connection.execute(
            "select table_name from duckdb_tables() where database_name = 'one' and schema_name = 'main'"
        )
        for (table,) in stored.fetchall():
            (count,) = connection.execute(
                f"""
                select count(*) from (
                    (from one.main.{table} except all from other.main.{table})
                    union all
                    (from other.main.{table} except all from one.main.{table})
                )
                """
            ).fetchone() or (0,)
            if count and table not in OF_THE_BUILD:
                found[table] = count
        return found


def published(data_dir: Path) -> dict[str, list[tuple[object, ...]]]:
    found = {}
    for path in sorted((data_dir / "export").glob("*.db")):
        with closing(sqlite3.connect(path)) as database:
            for (table,) in database.execute("select name from sqlite_master where type = 'table'").fetchall():
                if table not in OF_THE_BUILD:
                    rows = database.execute(f"select * from {table}").fetchall()
                    found[f"{path.name} {table}"] = sorted(rows, key=repr)
    return found


def checkpoint(data_dir: Path) -> list[tuple[object, ...]]:
    """What incremental builds go on from, and the results that publication asks for."""
    with duckdb.connect(str(warehouse(data_dir)), read_only=True) as connection:
        return [
            *connection.execute("select * exclude (invocation_id) from build_audit.checkpoints").fetchall(),
            *connection.execute(
                "select distinct node_id, status from build_audit.node_results order by all"
            ).fetchall(),
        ]


@pytest.fixture(scope="module")
def there(here: Path, cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same readings, built in shards on a cluster of which an executor is killed meanwhile."""
    there = unbuilt(here, tmp_path_factory.mktemp("there") / "data")
    building = subprocess.Popen(
        [INVENTORY, "build", "--master", cluster.master, "--shards", "3"],
        env=environment(there),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    while building.poll() is None and not any(cluster.temporary.glob("inventory-shard-*/warehouse/*.duckdb")):
        time.sleep(0.1)
    killed = executors(cluster)[:1]
    for process in killed:
        os.kill(process, signal.SIGKILL)
    output, _ = building.communicate()
    assert building.returncode == 0, output
    assert killed, "no shard was building"
    return there


@pytest.mark.timeout(1800)
def test_a_build_in_shards_is_the_build_of_one_machine_though_an_executor_dies(here, there):
    assert not differences(here, there)
    assert published(here) == published(there)
    assert checkpoint(here) == checkpoint(there)
    assert not list(there.glob("warehouse/.tmp-*"))


def test_what_joblib_spreads_runs_in_tasks_and_comes_to_the_same(cluster, tmp_path):
    python = INVENTORY.with_name("python")
    result = subprocess.run(
        [python, "-c", SPREAD, cluster.master, tmp_path],
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    worked_in = {Path(line) for line in result.stdout.splitlines()}
    assert worked_in
    assert all(folder.is_relative_to(cluster.work) for folder in worked_in)
    here, there = ({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("here", "there"))
    assert len(here) == 10
    assert here == there


@pytest.mark.timeout(1800)
def test_a_build_goes_on_from_shards_and_shards_follow_a_build(there, tmp_path):
    """Neither leaves anything behind that the other does not expect: both end with the tables of the same readings."""
    goes_on, follows = shutil.copytree(there, tmp_path / "goes_on"), tmp_path / "follows"
    write_later_readings(tmp_path / "later.ndjson")
    load(tmp_path / "later.ndjson", goes_on)
    build(goes_on)
    shutil.copytree(goes_on, follows)
    build(follows, "--shards", "2")
    assert differences(goes_on, follows).keys() <= OF_THIS_BUILD
    assert published(goes_on) == published(follows)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--shards", "0"], "0 is not in the range x>=1"),
        (["--shards", "2", "--frequent"], "leave out --shards, or --frequent"),
        (
            ["--shards", "2", "--master", "spark://127.0.0.1:9"],
            "no Spark master answers at spark://127.0.0.1:9. Start it,",
        ),
        (["--shards", "2", "--master", "spark://nowhere"], "no Spark master answers at spark://nowhere. Start it,"),
    ],
)
def test_what_cannot_be_done_is_refused_at_once(tmp_path, arguments, message):
    landing = tmp_path / "landing/publish_date=2026-06-30"
    landing.mkdir(parents=True)
    (landing / "events.parquet").write_text("landed")
    result = inventory("build", *arguments, data_dir=tmp_path)
    assert result.returncode != 0
    assert message in result.stderr
    assert not (tmp_path / "warehouse").exists()


def test_a_failed_shard_fails_the_build_in_its_own_words(here, tmp_path):
    data_dir = unbuilt(here, tmp_path / "data")
    (data_dir / "promotions.csv").write_text("start_date,end_date\n2026-03-02,2026-03-01\n")
    result = inventory("build", "--shards", "2", data_dir=data_dir)
    assert result.returncode == 1
    assert "row 1 ends on '2026-03-01', before its start" in result.stderr
    assert not (data_dir / "export").exists()


def shard_models(data_dir: Path) -> dict[str, set[str]]:
    """The tables that shards build, with their tags: no model that reads several stores lies before them."""
    nodes = json.loads((data_dir / "dbt/target/manifest.json").read_text())["nodes"]

    def reads_several_stores(node_id: str) -> bool:
        node = nodes.get(node_id, {})
        if "across_stores" in node.get("tags", []):
            return True
        return any(map(reads_several_stores, node.get("depends_on", {}).get("nodes", [])))

    return {
        node["alias"]: set(node["tags"])
        for node_id, node in nodes.items()
        if node["resource_type"] == "model"
        and node["config"]["materialized"] != "view"
        and not reads_several_stores(node_id)
    }


def test_each_row_of_a_shard_says_which_store_it_is_of(here):
    """Else the shards' tables would not be apart, and together they would hold rows twice."""
    with duckdb.connect(str(warehouse(here)), read_only=True) as connection:
        columns = connection.execute(
            "select table_name, list(column_name) from duckdb_columns() group by all"
        ).fetchall()
    known = dict(columns)
    nowhere = {
        table
        for table, tags in shard_models(here).items()
        if "same_in_every_shard" not in tags and not {"store_location", "unique_id"} & set(known[table])
    }
    assert not nowhere


def test_what_grows_with_the_history_is_built_in_shards(here):
    nodes = json.loads((here / "dbt/target/manifest.json").read_text())["nodes"].values()
    by_batch = {node["alias"] for node in nodes if "by_batch" in node["tags"]}
    assert by_batch
    assert by_batch <= shard_models(here).keys()
