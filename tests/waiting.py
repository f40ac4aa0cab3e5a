"""Waiting for what another process or thread does."""

from __future__ import annotations

import time
from collections.abc import Callable


def wait_until(true: Callable[[], object], seconds: float = 60) -> None:
    """Ask again and again, until it is true. Raises AssertionError when that takes too long."""
    given_up = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < given_up, "it did not come about in time"
        time.sleep(0.05)
