"""Whether the last build failed, for the pages: what is published stays as it was, and looks as good as ever."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

FILE = "warehouse/last_build_failed"


@contextmanager
def failure_noted(data_dir: Path, *, frequent: bool) -> Iterator[None]:
    """Note that a build fails. After a whole one that failed, a frequent one is not enough: forecasts are still old."""
    path, kind = data_dir / FILE, "frequent" if frequent else "whole"
    try:
        yield
    except Exception:
        with suppress(OSError):  # on a full disk the failure itself is what to report
            path.write_text(kind)
        raise
    if path.exists() and (kind == "whole" or path.read_text() == kind):
        path.unlink()


def failed_at(data_dir: Path) -> datetime | None:
    """When the last build failed; None where it was good."""
    try:
        return datetime.fromtimestamp((data_dir / FILE).stat().st_mtime, UTC)
    except FileNotFoundError:
        return None
