"""The SQL models on 1, 10 and 100 million readings: a full refresh, and an incremental build of 10,000 new ones.

`SIZES=1,10 make bench ONLY=dbt` measures some of the sizes (in millions). The readings are synthesised straight into
raw Parquet in the shape of the 100m profile, four a product and day over 400 days, with spikes, empty prices and
refills. The baseline, in the same run and with the same settings, is what nobody can do without: DuckDB finds each
product's previous reading and sums the differences per store, category and hour. It runs before and after the build
that it is compared with, and the mean counts: whether the files are in memory or not makes a quarter of its time. What
is measured is the models' time; dbt's own start is not SQL.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from bench import Figure

ROOT = Path(__file__).parents[1]
DAYS = 400
READINGS_PER_DAY = 4
CATEGORIES = 5
NEW_READINGS = 10_000
MEMORY_LIMIT = "8GB"
# everything that is computed from readings by SQL; forecasts and anomalies of models are Python
ON_MODELS = ("int_forecasts+", "int_panel_detections+", "int_unexplained_flows+", "int_text_detections+")
CORE = (
    *("int_accepted_readings", "int_stock_dips", "int_store_closures", "int_suspect_readings", "int_stock_levels"),
    *("int_as_of", "int_stock_metrics", "int_daily_stock", "int_late_readings"),
    *("int_build_limits", "int_new_readings", "int_touched_stores", "int_touched_products"),
)


class Size(NamedTuple):
    """How many stores, and products in each."""

    stores: int
    products: int


SIZES = {1: Size(5, 125), 10: Size(25, 250), 100: Size(100, 625)}


def run() -> Iterator[Figure]:
    """Measure each size in a process of its own, so that its peak memory is its own."""
    for millions in (int(size) for size in os.environ.get("SIZES", "1,10,100").split(",")):
        with tempfile.TemporaryDirectory(prefix="bench-dbt-") as folder:
            yield from _measure(millions, Path(folder))


def _measure(millions: int, data_dir: Path) -> Iterator[Figure]:
    size = SIZES[millions]
    (data_dir / "warehouse").mkdir()
    write_readings(data_dir, 0, history(size))
    name = f"{millions}M readings"

    before = _baseline(data_dir)
    whole = _build(data_dir, "--full-refresh")
    baseline = (before + _baseline(data_dir)) / 2
    yield _figure(f"{name}, full refresh of all SQL models", whole.seconds, baseline, "≤ 3")
    yield _figure(f"{name}, full refresh of levels and metrics", whole.core_seconds, baseline, "≤ 3")
    limit = int(MEMORY_LIMIT.removesuffix("GB")) * 1e9 / 2**30
    yield Figure(
        f"{name}, peak memory of that build",
        f"{whole.peak_gib:.1f} GiB",
        f"{limit:.1f} GiB, DuckDB's limit",
        whole.peak_gib / limit,
    )
    for batch_id, (kind, readings) in enumerate({"recent": _recent(size), "late": _late(size)}.items(), start=1):
        write_readings(data_dir, batch_id, readings)
        after = f"{name}, {NEW_READINGS:,} {kind} ones more"
        frequent = _build(data_dir, "--select", *_models("--selector", "frequent") - _models("--select", *ON_MODELS))
        yield _figure(f"{after}, frequent build", frequent.seconds, baseline, "≤ 5 s")
        yield _figure(f"{after}, all SQL models", _build(data_dir).seconds, baseline, "")


def _figure(name: str, seconds: float, baseline: float, goal: str) -> Figure:
    return Figure(name, f"{seconds:.1f} s", f"{baseline:.1f} s of plain DuckDB", seconds / baseline, goal)


def history(size: Size) -> str:
    """Readings of each product on each day: falling stock that is filled up every second week."""
    shift = 86400 // READINGS_PER_DAY
    return _readings(
        f"""
        select day, series, number, number * {shift} + hash(series, day, number) % {shift} as second
        from range({DAYS}) as days (day), range({READINGS_PER_DAY}) as numbers (number),
            range({size.stores * size.products}) as series (series)
        """,
        size,
    )


def _recent(size: Size) -> str:
    """Products anywhere, read in the hours after the history's end."""
    return _readings(_some_products(DAYS, size), size)


def _late(size: Size) -> str:
    """Products anywhere, read at more times of the day thirty days before the history's end."""
    return _readings(_some_products(DAYS - 30, size), size)


def _some_products(day: int, size: Size) -> str:
    # a step without a common divisor meets every product before one twice
    series = f"number * 7919 % {size.stores * size.products}"
    return f"""
        select {day} as day, {series} as series, number, hash(number, 'new') % 86400 as second
        from range({NEW_READINGS}) as numbers (number)
    """


def _readings(times: str, size: Size) -> str:
    """Readings of `times`: day, series (a product of a store), number (of the reading) and second of the day."""
    cycle = 14 * READINGS_PER_DAY
    return f"""
        select
            'events' as topic, 0 as partition, 1::bigint as ledger_id,
            (day * {READINGS_PER_DAY} + number) * 1000000::bigint + series as entry_id,
            -1 as batch_index, timestamptz '2025-01-01 00:00:00+00' + to_days(day::integer + 1) as publish_time,
            'Store_' || lpad((series // {size.products})::varchar, 3, '0') as store_location,
            'P' || lpad((series % {size.products})::varchar, 6, '0') as product_id,
            'Category_' || lpad((series % {size.products} % {CATEGORIES})::varchar, 2, '0') as category,
            case
                when hash(series, day, number, 'spike') % 4000 = 0 then 200000
                else
                    20 + hash(series) % 100
                    + ({cycle - 1} - ((day + series) * {READINGS_PER_DAY} + number) % {cycle}) * (1 + hash(series) % 5)
            end::bigint as quantity,
            case
                when hash(series, day, number, 'price') % 50 > 0 then round(1 + hash(series) % 5000 / 100.0, 2)
            end as price,
            timestamptz '2025-01-01 00:00:00+00' + to_days(day::integer) + to_seconds(second::bigint)
                as event_timestamp,
            null::varchar as extra
        from ({times})
    """


def write_readings(data_dir: Path, batch_id: int, readings: str) -> None:
    """One batch of raw Parquet, and the landing of its first day only: no model scans more of it.

    There are no features: they are a view that nothing reads here.
    """
    features = data_dir / "raw/features/batch-000000"
    features.mkdir(parents=True, exist_ok=True)
    batch = data_dir / f"raw/readings/batch-{batch_id:06d}"
    landing = data_dir / "landing/publish_date=2025-01-01"
    batch.mkdir(parents=True)
    landing.mkdir(parents=True, exist_ok=True)
    with _duckdb(data_dir) as connection:
        connection.execute(
            f"""
            copy (
                select
                    '' as store_location, '' as category, 0 as reading_count, 0 as units_out, 0 as units_in,
                    0 as restock_count, 0 as price_change_count, 0 as late_count,
                    timestamptz '2025-01-01 00:00:00+00' as window_end
                where false
            ) to '{features}/part.parquet'
            """
        )
        connection.execute(
            f"""
            copy (
                select *, {batch_id}::bigint as batch_id, strftime(event_timestamp, '%Y-%m') as event_month
                from ({readings})
            ) to '{batch}' (format parquet, partition_by (event_month), overwrite_or_ignore)
            """
        )
        connection.execute(
            f"""
            copy (
                select * exclude (batch_id), null::varchar as error, null::blob as raw
                from read_parquet('{batch}/*/*.parquet') limit 1000
            ) to '{landing}/events-{batch_id}.parquet'
            """
        )


def _duckdb(data_dir: Path) -> Any:
    import duckdb

    connection = duckdb.connect(str(data_dir / "baseline.duckdb"))
    connection.execute(
        f"set TimeZone = 'UTC'; set threads = 2; set memory_limit = '{MEMORY_LIMIT}'; "
        "set preserve_insertion_order = false"
    )
    return connection


def _baseline(data_dir: Path) -> float:
    """Seconds to find each product's previous reading and to sum the differences per store, category and hour."""
    with _duckdb(data_dir) as connection:
        started = time.perf_counter()
        connection.execute(
            f"""
            create or replace table sums as
            with steps as (
                select
                    store_location, category, event_timestamp, quantity, cast(price as decimal(18, 9)) as price,
                    lag(quantity) over product_readings as previous_quantity,
                    lag(cast(price as decimal(18, 9))) over product_readings as previous_price
                from read_parquet('{data_dir}/raw/readings/*/*/*.parquet')
                window product_readings as (partition by store_location, product_id order by event_timestamp)
            )
            select
                store_location, category, time_bucket(interval '1 hour', event_timestamp) as hour,
                sum(quantity - previous_quantity) as quantity_change,
                sum(quantity * price - previous_quantity * previous_price) as value_change,
                sum(greatest(previous_quantity - quantity, 0)) as units_out
            from steps
            group by all
            """
        )
        return time.perf_counter() - started


class Build(NamedTuple):
    """Seconds that the models took, and those of the core alone; the build's peak of resident memory."""

    seconds: float
    core_seconds: float
    peak_gib: float


def _build(data_dir: Path, *arguments: str) -> Build:
    """Run dbt as its users do, in a process of its own."""
    import json

    target = data_dir / "dbt"
    subprocess.run(
        [
            *(sys.executable, "-m", "bench.dbt", "build", "--quiet", "--threads", "1"),
            *("--exclude", *ON_MODELS, "--exclude-resource-type", "test", "--exclude-resource-type", "unit_test"),
            *("--project-dir", ROOT, "--profiles-dir", ROOT, "--target-path", target, "--log-path", target),
            *arguments,
        ],
        cwd=ROOT,
        env=os.environ | {"INVENTORY_DATA_DIR": str(data_dir), "DBT_SEND_ANONYMOUS_USAGE_STATS": "false"},
        check=True,
    )
    results = json.loads((target / "run_results.json").read_text())["results"]
    seconds = {
        result["unique_id"].split(".")[-1]: result["execution_time"]
        for result in results
        if result["unique_id"].startswith(("model.", "operation."))
    }
    core = sum(time for name, time in seconds.items() if name in CORE or name.startswith("inventory-on-run"))
    return Build(sum(seconds.values()), core, float((target / "peak_gib").read_text()))


@cache
def _models(*selection: str) -> frozenset[str]:
    """The paths of the models that dbt selects: `inventory` names a model and the whole project."""
    with tempfile.TemporaryDirectory(prefix="bench-dbt-") as target:
        listed = subprocess.run(
            [
                *(Path(sys.executable).with_name("dbt"), "--quiet", "list", "--resource-type", "model"),
                *("--output", "path", "--profiles-dir", ROOT, "--target-path", target, "--log-path", target),
                *selection,
            ],
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
        )
    return frozenset(listed.stdout.split())


def _run_dbt(arguments: list[str]) -> None:
    from dbt.cli.main import dbtRunner

    outcome = dbtRunner().invoke(arguments)
    target = Path(arguments[arguments.index("--target-path") + 1])
    (target / "peak_gib").write_text(str(_peak_gib()))
    sys.exit(0 if outcome.success else 1)


def _peak_gib() -> float:
    """The peak of resident memory since this program began."""
    import re
    import resource

    try:
        status = Path("/proc/self/status").read_text()
    except FileNotFoundError:
        # not Linux, where this would count the peak of the process that started this one, too
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**30
    return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) / 2**20


if __name__ == "__main__":
    _run_dbt(sys.argv[1:])
