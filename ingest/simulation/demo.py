"""The demo: synthetic events that fill a data folder until a user's own events replace them.

`python -m ingest.simulation.demo` lands what INVENTORY_EVENTS names, or else the demo.
"""

from __future__ import annotations

import re
import shutil
from contextlib import ExitStack
from pathlib import Path

import click

from ingest import load
from ingest.durable_files import FolderBusyError, file_lock
from ingest.landing.commit import landed_files, landed_topics
from ingest.simulation import generate_data, generate_text_data
from ingest.simulation.event_files import truth_folder

# what `generate-data`, `introduce-actual-quantity` and the notes call their files
DEMO_NAME = re.compile(r"demo(\.actuals-[-\d]+|\.notes)?\.ndjson")
# about two anomalous notes a store and week
NOTES, NOTE_DAYS, ANOMALY_SHARE = 3000, 60, 0.035
# what a shop says of itself, in the data folder beside its events
MASTERS = ("stores.csv", "promotions.csv", "products.csv", "orders.csv")
BUILT = ("raw", "warehouse", "forecast_cache", "detection_cache", "text_cache", "dbt", "export")


@click.command()
@click.option("--source", type=click.Path(path_type=Path), envvar="INVENTORY_EVENTS", help="File of your own events")
@click.option("--data-dir", type=click.Path(path_type=Path), envvar="INVENTORY_DATA_DIR", default="data")
def command(source: Path | None, data_dir: Path) -> None:
    """Land a file of events, which the demo makes way for, or else the demo."""
    land_events(data_dir, source)


def land_events(data_dir: Path, source: Path | None) -> None:
    """Land a file of events, then remove the demo. Without a file, land the demo if it is there or nothing is landed.

    The file lands first: one that cannot be read leaves the demo as it was. Raises click.ClickException.
    """
    events = data_dir / "events"
    demo = events / "demo.ndjson"
    folder = ["--data-dir", str(data_dir)]
    wants_demo = source is None
    if source is None:
        if not demo.exists():
            if (data_dir / "landing").exists():
                return
            generate_data.command.main(["--profile", "demo", *folder], standalone_mode=False)
            for master in demo_masters(data_dir):
                if not (data_dir / master.name).exists():
                    shutil.copy(master, data_dir / master.name)
        source = demo
    is_demo = source.resolve().parent == events.resolve() and DEMO_NAME.fullmatch(source.name)
    makes_way = demo.exists() and not is_demo
    if makes_way and DEMO_NAME.fullmatch(source.name):
        raise click.ClickException(f"{source}: the demo in {data_dir} has a file of this name. Rename yours.")
    load.command.main(["--source", str(source), *folder], standalone_mode=False)
    if makes_way:
        click.echo(f"the demo data set makes way for {source}")
        remove_demo(data_dir)
    if wants_demo:
        _land_notes(data_dir, demo)


def _land_notes(data_dir: Path, demo: Path) -> None:
    """Land notes about the demo's latest readings, some of them labelled anomalies."""
    notes, folder = demo.with_suffix(".notes.ndjson"), ["--data-dir", str(data_dir)]
    if not notes.exists():
        about = ["--events", str(demo), "--days", str(NOTE_DAYS), "--count", str(NOTES)]
        options = ["--anomaly-share", str(ANOMALY_SHARE), "--out", str(notes), *folder]
        generate_text_data.command.main([*about, *options], standalone_mode=False)
    load.command.main(["--notes", "--source", str(notes), *folder], standalone_mode=False)


def demo_masters(data_dir: Path) -> list[Path]:
    """What the demo says of its stores, products and orders; empty where an earlier version made the demo."""
    truth = truth_folder(data_dir / "events" / "demo.ndjson")
    return [truth / name for name in MASTERS if (truth / name).exists()]


def remove_demo(data_dir: Path) -> None:
    """Remove the demo's events and truth, what was landed from them, and everything built on it.

    The events go last, since they are what says that there is a demo to remove. Raises click.ClickException.
    """
    events = data_dir / "events"
    landings = [data_dir / "landing", *filter(Path.exists, [data_dir / "landing_notes"])]
    try:
        with ExitStack() as locks:
            for folder in (*landings, data_dir / "raw"):
                locks.enter_context(file_lock(folder, "removing the demo"))
            for landing in landings:
                for topic in filter(DEMO_NAME.fullmatch, landed_topics(landing)):
                    for landed in landed_files(landing, topic):
                        landed.path.unlink()
            for folder in filter(Path.exists, (data_dir / name for name in BUILT)):
                shutil.rmtree(folder)
    except FolderBusyError as error:
        raise click.ClickException(str(error)) from error
    for master in demo_masters(data_dir):
        used = data_dir / master.name
        if used.exists() and used.read_bytes() == master.read_bytes():
            used.unlink()
    demo = events / "demo.ndjson"
    for file in (demo, demo.with_suffix(".notes.ndjson")):
        shutil.rmtree(truth_folder(file), ignore_errors=True)
    for file in sorted(events.iterdir()):
        if DEMO_NAME.fullmatch(file.name):
            file.unlink()


if __name__ == "__main__":
    command()
