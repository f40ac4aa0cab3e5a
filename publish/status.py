"""`inventory status`: what is landed, built, published and waiting, in a few lines or as JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from ingest.durable_files import lock_holder
from ingest.shared_sqlite import read_only
from notify.outbox import outbox_counts
from publish.lags import Lag, as_rows, lags
from publish.server_state import running_server

FOUND_BY_RULES = "select count(*) from anomalies where method = 'rule-based'"
FOUND_BY_MODELS = """
    select (select count(*) from anomalies where method = 'statistical') + (select count(*) from numerical_quantity)
"""
# a notification of a region counts once, not with those of its stores, as in the lists of who sees all stores
OPEN = "select count(*) from notification_episodes where status = 'open' and not is_covered_by_region"
NEED_ATTENTION = "select count(*) from notification_episodes where needs_attention and not is_covered_by_region"
FOUND_IN_NOTES = "select count(*) from anomalies where method = 'text'"


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object: the lines, and the lag of each stage.")
@click.option("--data-dir", type=click.Path(path_type=Path), envvar="INVENTORY_DATA_DIR", default="data")
def command(*, as_json: bool, data_dir: Path) -> None:
    """Summarise events, stages, tables, notifications and access."""
    now = datetime.now(UTC)
    stages = lags(data_dir, now)
    lines = [*_events(data_dir), *_waiting(data_dir), *_live(data_dir), *_stages(stages)]
    lines += [*_published(data_dir), *_access(data_dir)]
    if as_json:
        click.echo(json.dumps(dict(lines) | {"stages": as_rows(stages, now)}, indent=2))
        return
    for label, value in lines:
        click.echo(f"{label:<20} {value}")


def _live(data_dir: Path) -> Iterator[tuple[str, str]]:
    running = lock_holder(data_dir / "live")
    if running:
        yield "live", running


def _stages(stages: list[Lag]) -> Iterator[tuple[str, str]]:
    for lag in stages:
        waits = f"messages wait for up to {_age(lag.seconds)}" if lag.seconds else "nothing waits"
        yield f"to be {lag.stage}", waits


def _events(data_dir: Path) -> Iterator[tuple[str, str]]:
    import duckdb

    from ingest.landing.withdrawals import in_ranges, recorded, withdrawals

    # of what Spark reads directly from a topic, only rejected messages are landed, in quarantine
    patterns = [f"{folder}/publish_date=*/*.parquet" for folder in ("landing", "quarantine")]
    messages = [pattern for pattern in patterns if any(data_dir.glob(pattern))]
    if not messages:
        yield "events", f"none landed in {data_dir / 'landing'}; run `make pipeline`"
        return
    with duckdb.connect() as connection:

        def counts(query: str, *files: str) -> tuple[Any, ...]:
            row = connection.execute(query, [[str(data_dir / pattern) for pattern in files]]).fetchone()
            assert row is not None
            return row

        active = withdrawals(data_dir).ranges
        kept = f"not ({in_ranges(active)})"
        landed, quarantined, withdrawn, age = counts(
            f"select count(*) filter (error is null and {kept}), count(error) filter ({kept}), "
            f"count(*) filter (not {kept}), epoch(now()) - epoch(max(cast(publish_time as timestamptz))) "
            "from read_parquet(?)",
            *messages,
        )
        if any((data_dir / "landing").glob("publish_date=*/*.parquet")):
            yield "events landed", f"{landed:,}"
            yield "newest landed", f"{_age(age)} ago"
        yield "events quarantined", f"{quarantined:,}"
        waits = active != recorded(data_dir / "raw").ranges
        if active or waits:
            topics = ", ".join(sorted({range_.topic for range_ in active}))
            yield (
                "events withdrawn",
                f"{withdrawn:,}" + f" of {topics}" * bool(active) + "; the tables wait for `inventory land`" * waits,
            )
        if any((data_dir / "raw").glob("features/batch-*/*.parquet")):
            (refined,) = counts("select count(*) from read_parquet(?)", "raw/readings/batch-*/*/*.parquet")
            (late,) = counts(
                "select coalesce(sum(late_count), 0)::bigint from read_parquet(?)", "raw/features/batch-*/*.parquet"
            )
            yield "readings refined", f"{refined:,}, {late:,} of them too late for their five-minute window"


def _waiting(data_dir: Path) -> Iterator[tuple[str, str]]:
    """What the broker holds that is not landed, where one is named and messages are landed."""
    from ingest.refining.spark_job import LANDING, owner

    url = os.environ.get("PULSAR_URL")
    if not url or owner(data_dir / "raw") not in {None, LANDING}:
        return
    from ingest.pulsar.backlog import backlog
    from ingest.pulsar.connection import READINGS_TOPIC, PulsarError, settings

    try:
        waiting = backlog(data_dir / "landing", settings(url), os.environ.get("PULSAR_TOPIC", READINGS_TOPIC))
    except PulsarError as error:
        yield "waiting in Pulsar", f"unknown: {error}"
        return
    if waiting.oldest is None:
        yield "waiting in Pulsar", "nothing"
        return
    age = _age((datetime.now(UTC) - waiting.oldest).total_seconds())
    yield (
        "waiting in Pulsar",
        f"{'' if waiting.complete else 'more than '}{waiting.messages:,} messages, the oldest published {age} ago",
    )


def _age(seconds: float) -> str:
    """A duration in the unit that suits it."""
    for unit, length in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} seconds"


def _published(data_dir: Path) -> Iterator[tuple[str, str]]:
    path = data_dir / "export" / "inventory_metrics.db"
    if not path.exists():
        yield "tables", f"{path} is not published yet; run `make pipeline`"
        return
    with closing(read_only(path)) as database:
        database.execute("BEGIN")  # all figures of one publication

        def one(query: str) -> str:
            (value,) = database.execute(query).fetchone()
            return f"{value:,}" if isinstance(value, int) else str(value)

        yield "newest reading", f"{one('select as_of from pipeline_status')} UTC"
        yield "metrics rows", one("select count(*) from metrics")
        yield (
            "forecasts",
            f"{one('select count(*) from ml_metrics')}, "
            f"{one('select count(actual_quantity) from ml_metrics')} of them with their actual",
        )
        yield (
            "anomalies",
            f"{one(FOUND_BY_RULES)} by rules, {one(FOUND_BY_MODELS)} by models, {one(FOUND_IN_NOTES)} in notes",
        )
        yield "open notifications", f"{one(OPEN)}, {one(NEED_ATTENTION)} of them need attention today"
    counts = outbox_counts(data_dir)
    if counts:
        yield "messages to people", f"{counts[0]:,} sent, {counts[1]:,} waiting"
    yield "SQLite files", ", ".join(str(file) for file in sorted(path.parent.glob("*.db")))


def _access(data_dir: Path) -> Iterator[tuple[str, str]]:
    passwords = data_dir / "superset" / "passwords"
    if not passwords.is_dir():
        return
    server = running_server(data_dir / "superset")
    if server is None:
        yield "dashboards", "Superset is not running; `make run` starts it"
    elif server.answers():
        yield "dashboards", f"{server.url}/today/"
    else:
        yield "dashboards", f"Superset does not answer on {server.url}; `make stop` ends it, `make run` starts it"
    users = ", ".join(sorted(path.name for path in passwords.iterdir()))
    yield "users", f"{users} (passwords: {passwords}/<user>)"
