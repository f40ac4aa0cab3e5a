"""What the pages read: which publication it is now, and until when its readings go."""

from __future__ import annotations

from contextlib import closing
from datetime import date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from time import monotonic
from typing import Any

from ingest.shared_sqlite import read_only, state_of
from serving_database import serving_database


def publication(data_dir: Path) -> str:
    """A text that is another one after each publication, and after each action that is shown."""
    if serving_database():
        return _published_at(data_dir, int(monotonic()))
    return ":".join(state_of(data_dir / "export" / f"{name}.db") for name in ("inventory", "inventory_metrics"))


@lru_cache(maxsize=1)
def _published_at(data_dir: Path, _second: int) -> str:
    from dashboards.access.database_connection import published_at

    database = serving_database()
    return published_at(database, data_dir / "superset") if database else ""


def day_after_newest_reading(path: Path) -> date:
    """The end of all periods that count back from now. For a shop's old readings, now is when they end."""
    return _day_after_newest_reading(path, state_of(path))


@lru_cache(maxsize=4)
def _day_after_newest_reading(path: Path, _state: str) -> date:
    with closing(read_only(path)) as file:
        (as_of,) = file.execute("SELECT max(as_of) FROM pipeline_status").fetchone()
    return (date.fromisoformat(as_of[:10]) if as_of else date.today()) + timedelta(days=1)


def count_back_from_newest_reading(path: Path) -> None:
    """Let `Last 30 days` and the like end with the newest reading in the file, not today."""
    from superset.common.utils import time_range_utils
    from superset.utils.date_parser import get_since_until
    from superset.views import api

    def counted_back(**asked: Any) -> tuple[datetime | None, datetime | None]:
        end = day_after_newest_reading(path).isoformat()
        return get_since_until(**asked | {"relative_start": end, "relative_end": end})

    for module in (time_range_utils, api):
        module.get_since_until = counted_back
