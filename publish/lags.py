"""How far behind its readers each stage is, from the files that the stages leave.

The lag of a stage is the age of the oldest message that is landed (or waits in the outbox) and that the stage has not
passed on; 0 where nothing waits. Each includes the lags of the stages before it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from ingest.refining.raw import batch_id_of
from notify.outbox import oldest_waiting, outbox_counts
from publish.progress import progress

FILES_READ = 20  # of those that wait, the oldest; a long backlog is not read whole to find its age


class Lag(NamedTuple):
    """The lag of a stage in seconds, and the publish time of the newest message that it has passed on, if known."""

    stage: str
    seconds: float
    newest_at: datetime | None


def landing_lag(data_dir: Path, url: str | None, topic: str, now: datetime) -> list[Lag]:
    """The lag of landing behind a topic; nothing where no broker is named or none answers."""
    if not url:
        return []
    from ingest.pulsar.backlog import backlog
    from ingest.pulsar.connection import PulsarError, settings

    try:
        waiting = backlog(data_dir / "landing", settings(url), topic)
    except PulsarError:
        return []
    newest = (path for _, path in reversed(_landed(data_dir / "landing", now.timestamp())))
    return [_lag("landed", waiting.oldest, _newest(newest), now)]


def as_rows(found: Iterable[Lag], now: datetime) -> list[dict[str, Any]]:
    """Lags as they are shown, in a row for each stage."""
    return [
        {
            "stage": lag.stage,
            "lag_seconds": round(lag.seconds, 1),
            "newest_message_at": lag.newest_at and lag.newest_at.isoformat(),
            "measured_at": now.isoformat(),
        }
        for lag in found
    ]


def lags(data_dir: Path, now: datetime) -> list[Lag]:
    """The lags of the stages after landing, in their order. Stages that have never run are left out."""
    batches = sorted((batch_id_of(folder), folder) for folder in (data_dir / "raw" / "readings").glob("batch-*"))
    found, waiting_before = [], None
    listed_at = _listed_at(data_dir / "raw" / "_checkpoint")
    if listed_at is not None and (landed := _landed(data_dir / "landing", listed_at)):
        waiting_before = _oldest(path for at, path in landed if at > listed_at)
        newest = _newest(path for at, path in reversed(landed) if at <= listed_at)
        found.append(_lag("refined", waiting_before, newest, now))
    starts = progress(data_dir)
    for stage in ("built", "published", "served"):
        if stage in starts:
            last = starts[stage].batch_id
            waiting = _oldest(_files(folder for id_, folder in batches if id_ > last))
            waiting_before = min(filter(None, [waiting, waiting_before]), default=None)
            newest = _newest(_files(folder for id_, folder in reversed(batches) if id_ <= last))
            found.append(_lag(stage, waiting_before, newest, now))
    if outbox_counts(data_dir) is not None:
        found.append(_lag("delivered", oldest_waiting(data_dir), None, now))
    return found


def _lag(stage: str, waiting_since: datetime | None, newest_at: datetime | None, now: datetime) -> Lag:
    return Lag(stage, max((now - waiting_since).total_seconds(), 0.0) if waiting_since else 0.0, newest_at)


def _landed(landing: Path, since: float) -> list[tuple[float, Path]]:
    """The landed files by their dates: those of the two newest days, and of days that have changed since.

    The folders of earlier days are not listed: they may be as many as the history has days.
    """
    days = sorted(landing.glob("publish_date=*"))
    changed = [*(day for day in days[:-2] if _modified_at(day) > since), *days[-2:]]
    return sorted((_modified_at(path), path) for day in changed for path in day.glob("*.parquet"))


def _modified_at(path: Path) -> float:
    return path.stat().st_mtime


def _listed_at(checkpoint: Path) -> float | None:
    """When Spark listed the files of its last committed micro-batch; later files wait. None before the first."""
    committed = [int(path.name) for path in (checkpoint / "commits").glob("[0-9]*")]
    if not committed:
        return None
    try:
        return (checkpoint / "offsets" / str(max(committed))).stat().st_mtime
    except FileNotFoundError:  # Spark removes old ones
        return None


def _files(folders: Iterable[Path]) -> Iterable[Path]:
    return (path for folder in folders for path in folder.glob("*/*.parquet"))


def _oldest(paths: Iterable[Path]) -> datetime | None:
    """The first publish time in files, the oldest file first."""
    return min((published[0] for path in islice(paths, FILES_READ) if (published := _published(path))), default=None)


def _newest(paths: Iterable[Path]) -> datetime | None:
    """The last publish time in the first of the files that has one, the newest file first."""
    return next((published[1] for path in paths if (published := _published(path))), None)


def _published(path: Path) -> tuple[datetime, datetime] | None:
    """The first and the last publish time in a file; None where it is gone or says nothing."""
    import pyarrow.parquet as pq

    try:
        metadata = pq.read_metadata(path)
    except FileNotFoundError:  # compaction took it
        return None
    column = metadata.schema.names.index("publish_time")
    groups = [metadata.row_group(number).column(column).statistics for number in range(metadata.num_row_groups)]
    bounds = [(group.min, group.max) for group in groups if group is not None and group.has_min_max]
    return (min(first for first, _ in bounds), max(last for _, last in bounds)) if bounds else None
