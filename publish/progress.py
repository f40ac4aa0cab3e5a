"""How far the warehouse and the published tables have got, recorded after each build.

Each step has the start of the last build that did it. What arrives later waits for the next build. The steps are
`built`, `published`, `judged` (a whole build, with rules, forecasts and notifications) and `served`: published to the
serving database by `inventory live`.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from ingest.durable_files import atomic_write
from ingest.refining.raw import batch_ids

FILE = "warehouse/progress.json"


@dataclass(frozen=True)
class BuildStart:
    """The newest batch that was there when a build began (-1: none), and when that was (seconds since 1970)."""

    batch_id: int
    at: float

    @property
    def time(self) -> datetime:
        return datetime.fromtimestamp(self.at, UTC)


def start_now(data_dir: Path) -> BuildStart:
    """The start of a build that begins now: it takes in this batch and those before, at the least."""
    return BuildStart(max(batch_ids(data_dir / "raw" / "readings"), default=-1), datetime.now(UTC).timestamp())


def record(data_dir: Path, start: BuildStart, *steps: str) -> None:
    """Record that a build has done these steps. The caller holds the warehouse."""
    recorded = progress(data_dir) | dict.fromkeys(steps, start)
    with atomic_write(data_dir / FILE) as temporary:
        temporary.write_text(json.dumps({step: asdict(each) for step, each in recorded.items()}))


def progress(data_dir: Path) -> dict[str, BuildStart]:
    """The start of the last build that did each step; nothing for steps that no build has done."""
    try:
        return {step: BuildStart(**start) for step, start in json.loads((data_dir / FILE).read_text()).items()}
    except FileNotFoundError:
        return {}
