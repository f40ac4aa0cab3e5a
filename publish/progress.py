"""How far the warehouse and the published tables have got, noted after each build.

A mark is the newest batch of raw that a build took in and when that build began. It stays where it is while nobody
builds, so what arrives after it waits.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from ingest.durable_files import atomic_write
from ingest.refining.raw import batch_ids

FILE = "warehouse/progress.json"
STEPS = ("built", "published", "judged")  # the last is a whole build, with rules, forecasts and notifications


@dataclass(frozen=True)
class Mark:
    """The newest batch that was there when a build began (-1: none), and when that was (seconds since 1970)."""

    batch_id: int
    at: float

    @property
    def time(self) -> datetime:
        return datetime.fromtimestamp(self.at, UTC)


def mark_now(data_dir: Path) -> Mark:
    """What a build that begins now takes in, at the least."""
    return Mark(max(batch_ids(data_dir / "raw" / "readings"), default=-1), datetime.now(UTC).timestamp())


def note(data_dir: Path, mark: Mark, *steps: str) -> None:
    """Note that the steps have taken in what a mark names. The caller holds the warehouse."""
    noted = progress(data_dir) | dict.fromkeys(steps, mark)
    with atomic_write(data_dir / FILE) as temporary:
        temporary.write_text(json.dumps({step: asdict(each) for step, each in noted.items()}))


def progress(data_dir: Path) -> dict[str, Mark]:
    """The marks of the steps that were ever done."""
    try:
        return {step: Mark(**mark) for step, mark in json.loads((data_dir / FILE).read_text()).items()}
    except FileNotFoundError:
        return {}
