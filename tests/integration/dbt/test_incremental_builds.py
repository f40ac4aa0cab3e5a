"""An incremental build gives the rows of a full refresh, whatever came in which batch and in which order."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
from datetime import datetime, timedelta

import duckdb
import pytest

from tests.integration.dbt.project import ROOT, Project, Tables, copy_project
from tests.integration.oracle import Event
from tests.integration.test_metrics import write_raw

START = datetime(2026, 1, 1)
TABLES = (
    "int_accepted_readings",
    "int_stock_dips",
    "int_store_closures",
    "int_suspect_readings",
    "int_suspect_prices",
    "int_stock_levels",
    "int_readings_for_rules",
    "int_quantity_jumps",
    "int_product_daily",
    "int_product_lifetimes",
    "int_days_for_rules",
    "int_stock_metrics",
    "int_daily_stock",
    "int_price_anomalies",
    "int_quantity_anomalies",
    "inventory",
    "metrics",
)
SELECTION = (
    *("--select", "+serving.*.metrics", "+serving.*.inventory", "+int_daily_stock", "+serving.*.late_events"),
    *("+int_price_anomalies", "+int_quantity_anomalies", "+int_product_lifetimes"),
)
# the Python models keep what they found in the first build
ALL_BUT_MODELS = ("--exclude", "int_forecasts", "int_product_forecasts", "int_panel_detections")
SERVED = (
    *TABLES,
    "anomalies",
    "current_stock",
    "daily_stock",
    "int_notifications",
    "lost_sales",
    "pipeline_status",
    "product_performance",
    "stock_ageing",
    "stock_performance",
)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return Project(tmp_path_factory.mktemp("incremental"))


@pytest.fixture(scope="module")
def impatient_project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The project with short windows and silences, so that a month of readings has many of both."""
    folder = tmp_path_factory.mktemp("impatient")
    copy_project(folder)
    settings = (folder / "dbt_project.yml").read_text()
    for setting in ("filled_silence: 366 days", "turnover_window: 30 days"):
        assert setting in settings
        settings = settings.replace(setting, f"{setting.partition(':')[0]}: 2 days")
    (folder / "dbt_project.yml").write_text(settings)
    return Project(tmp_path_factory.mktemp("impatient-data"), folder)


def start_anew(project: Project) -> None:
    """Forget all data; what dbt has parsed stays."""
    for folder in ("raw", "landing", "warehouse"):
        shutil.rmtree(project.data_dir / folder, ignore_errors=True)


def rows(project: Project, *names: str) -> Tables:
    with duckdb.connect(str(project.data_dir / "warehouse/inventory.duckdb"), read_only=True) as connection:
        return {name: connection.execute(f"select * from {name} order by all").fetchall() for name in names}


# Few products and timestamps, so that readings meet: repeats, conflicts, spikes that a later batch unmasks or explains,
# moves between categories, prices that are carried over several batches.
STORES = [f"{name} {number}" for number in range(5) for name in ("Store_A", "Store_B", "Store d'Or")]
PRODUCTS = ["P1", "P'2", "P3"]
STEPS = 27


def reading(
    store: str, product: str, quantity: int, step: float, category: str = "Toys", price: str | None = None
) -> Event:
    return Event(store, product, category, quantity, price, START + timedelta(hours=23 * step))


def single_reading(chance: random.Random) -> list[Event]:
    return [
        Event(
            store_location=chance.choice(STORES),
            product_id=chance.choice(PRODUCTS),
            category=chance.choice(["Toys", "Toys", "Toys", "Home"]),
            quantity=chance.choice([-3, 0, 0, 4, 5, 6, 7, 60, 70, 80, 4_006_381_333_931]),
            price=chance.choice([None, None, "1.50", "2.25", "999999999.99"]),
            timestamp=START + timedelta(hours=23 * chance.randrange(STEPS), seconds=chance.choice([0, 0, 0, 1, 1800])),
        )
    ]


def closure(chance: random.Random) -> list[Event]:
    """All of a store reads 0 once or several times, and then about as before."""
    store, step, level = chance.choice(STORES), chance.randrange(STEPS), chance.choice([2, 30, 60])
    return [
        reading(store, product, quantity, step + place)
        for place, quantity in enumerate([level, *[0] * chance.randint(1, 6), level - 1])
        for product in PRODUCTS
    ]


def long_history(chance: random.Random) -> list[Event]:
    """A product that is steady for long, or fresh goods for long, and then falls to 0, rises, or is read and priced far
    beyond its past, for one reading or for more than five days."""
    store, product, step = chance.choice(STORES), chance.choice(PRODUCTS), chance.randrange(STEPS)
    usual = chance.choice([[50, 48], [40, 0], [2, 40]])
    odd = (chance.choice([0, 600, 94_011]), chance.choice([None, "1.50", "39900.00"]))
    levels = [*[(level, "1.50") for level in usual] * 6, *[odd] * chance.choice([1, 1, 12])]
    levels += [(usual[0], "2.25"), (usual[1], None)]
    return [
        reading(store, product, quantity, (step + place) / 2, price=price)
        for place, (quantity, price) in enumerate(levels)
    ]


SCENES = [single_reading, single_reading, single_reading, closure, long_history]


def test_any_batches_give_the_tables_of_a_full_refresh(impatient_project):
    """Stores have their histories for themselves, so that one run of many stores tries as much as many runs of few."""
    project = impatient_project
    start_anew(project)
    chance = random.Random(7)
    events = [event for _ in range(250) for event in chance.choice(SCENES)(chance)]
    chance.shuffle(events)
    batches = [events[place::4] for place in range(4)]
    # arrival is one thing, the batch in which a reading is refined another: a partition may lag
    entries = list(range(sum(map(len, batches))))
    chance.shuffle(entries)
    for batch_id, batch in enumerate(batches):
        arrivals = [entries.pop() for _ in batch]
        write_raw(project.data_dir, batch, batch_id=batch_id, entries=arrivals)
        project.build(*SELECTION, with_seeds=batch_id == 0)
    incremental = rows(project, *TABLES)
    assert rows(project, "late_events")["late_events"] == []
    # each product is a part of its own
    project.build("--full-refresh", *SELECTION, "--vars", "readings_at_once: 1", with_seeds=False)
    parts = rows(project, "build_audit.product_parts")["build_audit.product_parts"]
    assert parts == sorted({(event.store_location, event.product_id) for batch in batches for event in batch})
    whole = rows(project, *TABLES)
    for table in TABLES:
        assert incremental[table] == whole[table], table


def test_long_histories_are_judged_from_where_they_changed(project):
    """A product read twice a day has its last twenty readings within days, one that is read now and then in years.

    One stands still for longer than an incremental build looks back, one has trickled away week by week.
    """
    start_anew(project)
    chance = random.Random(5)
    history = [
        event(chance.choice([20, 21, 25, 30, 31]), day / 2 if product == "often" else 7 * day, product=product)
        for product, count in {"often": 240, "seldom": 17, "untouched": 17}.items()
        for day in range(count)
    ]
    history += [event(max(150 - 3 * day, 30), day, product="stuck") for day in range(119)]
    history += [event(600 - 2 * week**2, 7 * week, product="trickling") for week in range(17)]
    write_raw(project.data_dir, history)
    project.build()
    for batch_id in range(1, 4):
        batch = [
            event(30, 118 + batch_id / 10, product="stuck"),
            event(60 - batch_id, 118 + batch_id / 10, product="trickling"),
        ]
        batch += [
            event(
                chance.choice([-2, 9, 24, 120, 190, 400]), 118 - chance.uniform(-1, 30), product=chance.choice(products)
            )
            for products in [["often", "seldom"]] * 6
        ]
        write_raw(project.data_dir, batch, batch_id=batch_id, entries=[1000 * batch_id + n for n in range(len(batch))])
        project.build(*ALL_BUT_MODELS, with_seeds=False)
    incremental = rows(project, *SERVED)
    found = str(incremental["anomalies"])
    assert all(rule in found for rule in ("quantity_jump", "quantity_drop", "returned_spike", "flat_line"))
    days = str(incremental["int_days_for_rules"])
    assert all(f"'{product}', 'Toys', datetime.date(2026, 4, 29)" in days for product in ("stuck", "trickling"))
    project.build("--full-refresh", *ALL_BUT_MODELS)
    whole = rows(project, *SERVED)
    for table in SERVED:
        assert incremental[table] == whole[table], table


def test_a_silent_store_keeps_the_days_after_its_readings_and_the_last_ones(impatient_project):
    """Its last days move with the clock, and a late reading falls into the days that it has no rows for."""
    project = impatient_project
    start_anew(project)

    def read(store: str, *days: float) -> list[Event]:
        return [Event(store, "P1", "Toys", round(90 - day), "2.00", START + timedelta(days=day)) for day in days]

    batches = [
        read("Store_A", 0) + read("Store_B", *range(12)),
        read("Store_A", 6.2, 9.9) + read("Store_B", 13),
        read("Store_B", 25),
        read("Store_B", 40),
    ]
    for batch_id, batch in enumerate(batches):
        write_raw(project.data_dir, batch, batch_id=batch_id, entries=[100 * batch_id + n for n in range(len(batch))])
        project.build(*SELECTION, with_seeds=batch_id == 0)
    incremental = rows(project, *TABLES)
    days = {row[0].toordinal() - START.toordinal() for row in incremental["int_daily_stock"] if row[1] == "Store_A"}
    # a day holds its end at midnight: the first reading is of the day before
    assert days == {-1, 0, 1, 6, 7, 8, 9, 10, 11, 37, 38, 39}
    project.build("--full-refresh", *SELECTION, with_seeds=False)
    whole = rows(project, *TABLES)
    for table in TABLES:
        assert incremental[table] == whole[table], table


def test_a_frequent_build_tells_the_shelf_and_the_next_whole_one_the_rest(project):
    start_anew(project)
    write_raw(project.data_dir, [event(100 - day, day) for day in range(50)])
    project.build()
    planned = rows(project, "product_performance")
    write_raw(project.data_dir, [event(7, 49.5)], batch_id=1, entries=[100])
    project.build("--selector", "frequent", steps="build", with_seeds=False)
    assert rows(project, "product_performance") == planned
    with duckdb.connect(str(project.data_dir / "warehouse/inventory.duckdb"), read_only=True) as connection:
        shelf = connection.execute("select quantity, last_reading_at, planned_at from current_stock").fetchall()
    assert shelf == [(7, datetime(2026, 2, 19, 12), datetime(2026, 2, 19))]

    # a shop may add and remove its files between two whole builds
    files = {
        "stores.csv": "store_location,region\n*,North\n",
        "products.csv": "product_id,supplier\n*,Toys Ltd\n",
        "orders.csv": "order_id,product_id,store_location,quantity_ordered,ordered_at\nO1,P1,Store_A,5,2026-02-19\n",
    }
    for name, content in files.items():
        (project.data_dir / name).write_text(content)
    project.build("--selector", "frequent", with_seeds=False)
    assert rows(project, "int_order_lines")["int_order_lines"][0][:4] == ("O1", "Store_A", "P1", "Toys Ltd")
    for name in files:
        (project.data_dir / name).unlink()
    project.build("--selector", "frequent", with_seeds=False)
    assert not rows(project, "int_order_lines")["int_order_lines"]

    write_raw(project.data_dir, [event(90, 40.5), event(500, 50)], batch_id=2, entries=[101, 102])
    project.build(*ALL_BUT_MODELS, with_seeds=False)
    whole = rows(project, *SERVED)
    project.build("--full-refresh", *ALL_BUT_MODELS, with_seeds=False)
    assert rows(project, *SERVED) == whole


def event(quantity: int, day: float, *, product: str = "P1", category: str = "Toys") -> Event:
    return Event("Store_A", product, category, quantity, "2.00", START + timedelta(days=day))


def test_a_reading_too_late_waits_until_it_is_backfilled(project):
    start_anew(project)
    history = [event(100 - day, day) for day in range(50)]
    write_raw(project.data_dir, history)
    project.build(*SELECTION)
    before = rows(project, *TABLES)

    # the newest reading is of day 49; 35 days before it is day 14
    on_time, too_late = event(40, 14.5), event(40, 13.5)
    write_raw(project.data_dir, [too_late], batch_id=1, entries=[100])
    project.build(*SELECTION, with_seeds=False)
    assert rows(project, *TABLES) == before
    waiting = rows(project, "late_events")["late_events"]
    assert [row[:6] for row in waiting] == [("P1", "Toys", "Store_A", 40, 2.0, datetime(2026, 1, 14, 12))]

    write_raw(project.data_dir, [on_time], batch_id=2, entries=[101])
    project.build(*SELECTION, with_seeds=False)
    assert rows(project, "late_events")["late_events"] == waiting
    assert len(rows(project, "inventory")["inventory"]) == len(history) + 1

    project.build(*SELECTION, "--vars", "backfill_from: '2026-01-10'", with_seeds=False)
    backfilled = rows(project, *TABLES, "late_events")
    assert backfilled["late_events"] == []
    project.build("--full-refresh", *SELECTION)
    assert rows(project, *TABLES, "late_events") == backfilled


def test_what_rests_on_levels_that_were_built_whole_is_built_whole(project):
    start_anew(project)
    write_raw(project.data_dir, [event(100 - day, day) for day in range(50)])
    project.build(*SELECTION)
    write_raw(project.data_dir, [event(40, 2.5)], batch_id=1, entries=[100])
    project.build(*SELECTION, with_seeds=False)
    project.build("--full-refresh", "--select", "int_accepted_readings", with_seeds=False)
    project.build(*SELECTION, with_seeds=False)
    mended = rows(project, *TABLES, "late_events")
    assert mended["late_events"] == []
    project.build("--full-refresh", *SELECTION, with_seeds=False)
    assert rows(project, *TABLES, "late_events") == mended


def test_a_model_that_is_new_is_built_whole_beside_the_others(project):
    start_anew(project)
    write_raw(project.data_dir, [event(100 - day, day) for day in range(50)])
    project.build(*SELECTION)
    with duckdb.connect(str(project.data_dir / "warehouse/inventory.duckdb")) as connection:
        for name in ("int_stock_levels", "int_product_lifetimes"):
            connection.execute(f"drop table {name}")
            connection.execute("delete from build_audit.node_results where node_id = ?", [f"model.inventory.{name}"])
    write_raw(project.data_dir, [event(40, 20.5)], batch_id=1, entries=[100])
    project.build(*SELECTION, with_seeds=False)
    with duckdb.connect(str(project.data_dir / "warehouse/inventory.duckdb"), read_only=True) as connection:
        assert connection.execute("select after_batch_id from int_build_limits").fetchall() == [(0,)]
    mended = rows(project, *TABLES)
    project.build("--full-refresh", *SELECTION, with_seeds=False)
    assert rows(project, *TABLES) == mended


def test_a_model_built_alone_still_takes_in_what_the_models_before_it_lacked(project):
    start_anew(project)
    write_raw(project.data_dir, [event(100 - day, day) for day in range(10)])
    project.build(*SELECTION)
    write_raw(project.data_dir, [event(40, 9.5)], batch_id=1, entries=[100])
    project.build("--full-refresh", "--select", "int_stock_metrics", with_seeds=False)
    project.build("--select", "+int_stock_levels", "tag:this_build", with_seeds=False)
    with pytest.raises(AssertionError, match="tag:this_build"):
        project.build("--select", "int_stock_metrics", with_seeds=False)
    project.build("--select", "int_stock_metrics", "tag:this_build", "int_as_of", with_seeds=False)
    alone = rows(project, "int_stock_metrics")
    project.build("--full-refresh", *SELECTION, with_seeds=False)
    assert rows(project, "int_stock_metrics") == alone


def test_raw_that_was_rebuilt_is_not_added_to(project):
    start_anew(project)
    write_raw(project.data_dir, [event(10, 0), event(9, 1)])
    project.build(*SELECTION)
    shutil.rmtree(project.data_dir / "raw")
    write_raw(project.data_dir, [event(10, 0)])
    write_raw(project.data_dir, [event(9, 1)], batch_id=1)
    with pytest.raises(AssertionError, match="raw was rebuilt"):
        project.build(*SELECTION)
    project.build("--full-refresh", *SELECTION)
    assert len(rows(project, "inventory")["inventory"]) == 2


def test_tables_are_not_added_to_under_other_settings(project):
    start_anew(project)
    write_raw(project.data_dir, [event(10, 0), event(9, 1)])
    project.build(*SELECTION)
    with pytest.raises(AssertionError, match="full-refresh"):
        project.build(*SELECTION, "--vars", "metrics_grain: 1 day")


def test_tables_of_another_version_are_not_added_to(project):
    start_anew(project)
    write_raw(project.data_dir, [event(10, 0), event(9, 1)])
    project.build(*SELECTION)
    with duckdb.connect(str(project.data_dir / "warehouse/inventory.duckdb")) as connection:
        connection.execute("alter table int_stock_metrics drop column priced_count")
    write_raw(project.data_dir, [event(8, 2)], batch_id=1, entries=[10])
    with pytest.raises(AssertionError, match=r"int_stock_metrics was .* without priced_count. Run .*--full-refresh"):
        project.build(*SELECTION, with_seeds=False)
    project.build("--full-refresh", *SELECTION, with_seeds=False)
    assert len(rows(project, "inventory")["inventory"]) == 3


def test_a_killed_build_is_taken_up_where_it_was(project):
    """Killed when the levels stand and the metrics do not: the next build brings both to what a full refresh gives."""
    start_anew(project)
    # a spike that only the second batch unmasks, and a product that leaves its category there
    write_raw(project.data_dir, [event(10, 0), event(200, 1), event(5, 0, product="P2")])
    project.build(*SELECTION)
    write_raw(
        project.data_dir,
        [event(9, 1.5), event(5, 0.5, product="P2", category="Home"), event(1, 40)],
        batch_id=1,
        entries=[10, 11, 12],
    )
    kill_when(project, "OK created sql incremental model main.int_stock_levels")
    assert len(rows(project, "int_stock_levels")["int_stock_levels"]) == 6
    assert len({row[0] for row in rows(project, "int_daily_stock")["int_daily_stock"]}) == 2
    # what came meanwhile and is late by the newest reading was not late when the killed build began
    write_raw(project.data_dir, [event(7, 2)], batch_id=2, entries=[13])
    project.build(*SELECTION, with_seeds=False)
    resumed = rows(project, *TABLES, "late_events")
    assert resumed["late_events"] == []
    project.build("--full-refresh", *SELECTION)
    assert rows(project, *TABLES, "late_events") == resumed


def kill_when(project: Project, line: str) -> None:
    """Start `dbt run` in a process of its own and kill it as soon as it has printed the line."""
    data_dir = project.data_dir
    process = subprocess.Popen(
        [
            *(ROOT / ".venv/bin/dbt", "run", *SELECTION, "--threads", "1", "--no-use-colors"),
            *("--profiles-dir", ROOT, "--target-path", data_dir / "killed", "--log-path", data_dir / "killed"),
        ],
        cwd=ROOT,
        env=os.environ | {"INVENTORY_DATA_DIR": str(data_dir)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    seen = []
    for printed in process.stdout:
        seen.append(printed)
        if line in printed:
            process.send_signal(signal.SIGKILL)
            break
    process.stdout.close()
    assert process.wait() == -signal.SIGKILL, "".join(seen)
