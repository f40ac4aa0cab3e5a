"""`inventory live`: load, refine, build, publish and notify, continuously."""

from __future__ import annotations

import os
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import click

from ingest.load import KINDS
from ingest.pulsar.connection import READINGS_TOPIC, PulsarError, settings
from ingest.stopping import stop_signals, take_over
from live.compacting import compaction
from live.monitoring import Monitor
from live.report import report
from live.supervisor import Stage, Supervisor
from notify.settings import FILE as PEOPLE
from serving_database import ServingDatabaseError, serving_database

FOLDER = "live"


@click.command()
@click.option(
    "--source",
    type=click.Choice(["landing", "pulsar"]),
    default="landing",
    show_default=True,
    help="What Spark reads: what the loader has landed, or the topic itself.",
)
@click.option("--url", envvar="PULSAR_URL", help="Service URL of the Pulsar broker  [default: PULSAR_URL]")
@click.option("--topic", envvar="PULSAR_TOPIC", default=READINGS_TOPIC, show_default=True)
@click.option(
    "--full-every",
    type=click.FloatRange(min=0, min_open=True),
    default=24.0,
    show_default=True,
    metavar="HOURS",
    help="How often rules, planning, forecasts and detectors run; counted from 00:05 UTC.",
)
@click.option(
    "--compact-after",
    type=click.IntRange(min=3),
    default=1_000,  # half an hour of them; their small files add a quarter of a second to each batch and build
    show_default=True,
    metavar="BATCHES",
    help="Merge small files when refinement has made so many micro-batches.",
)
@click.option("--metrics-port", type=click.IntRange(1, 65535), help="Serve Prometheus metrics on loopback.")
@click.option("--data-dir", type=click.Path(path_type=Path), envvar="INVENTORY_DATA_DIR", default="data")
def command(
    source: str,
    url: str | None,
    topic: str,
    full_every: float,
    compact_after: int,
    metrics_port: int | None,
    data_dir: Path,
) -> None:
    """Load, refine, build, publish and notify, until SIGTERM or SIGINT.

    A second one on the same data folder waits until the first ends, and takes over.
    """
    data_dir = data_dir.resolve()
    try:
        settings(url)
        serving_database()
    except (PulsarError, ServingDatabaseError) as error:
        raise click.ClickException(str(error)) from error
    os.environ.update(PULSAR_URL=url or "", PULSAR_TOPIC=topic)
    with stop_signals() as stop, ExitStack() as held:
        doing = f"running `inventory live` since {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"
        if not take_over(data_dir / FOLDER, doing, held, stop):
            return
        stages = _stages(data_dir, source, full_every, compact_after)
        supervisor = Supervisor(data_dir, stages, stop)
        monitor = Monitor(data_dir, stages, url if source == "landing" else None, topic)
        if metrics_port:
            try:
                monitor.serve(metrics_port)
            except OSError as error:
                raise click.ClickException(
                    f"metrics cannot be served on port {metrics_port} ({error.strerror}). Choose another one."
                ) from error
        supervisor.start()
        try:
            monitor.run(stop)
        finally:  # no stage outlives the lock
            stop.set()
            report("ending; what is under way is finished or begun again by the next one")
            supervisor.join()


def _stages(data_dir: Path, source: str, full_every: float, compact_after: int) -> list[Stage]:
    def has(pattern: str) -> bool:
        return any(data_dir.glob(pattern))

    loading = [Stage("load", ["load"])] if source == "landing" else []
    loading += [
        Stage(f"load {kind}", ["load", f"--{kind}"])
        for kind in ("notes", "actions")
        if os.environ.get(KINDS[kind].variable)
    ]
    refining = Stage(
        "land",
        ["land", "--source", source],
        lambda: source == "pulsar" or has("landing/publish_date=*/*.parquet"),
    )
    serving = [Stage("serve", ["serve"], lambda: has("export/inventory_metrics.db"))] if serving_database() else []
    return [
        *loading,
        refining,
        compaction(data_dir, compact_after, paused=[*loading, refining]),
        Stage("build", ["follow", "--full-every", str(full_every)], lambda: has("raw/readings/batch-*/*/*.parquet")),
        *serving,
        Stage("deliver", ["deliver"], lambda: has(PEOPLE) and has("export/inventory_metrics.db")),
    ]
