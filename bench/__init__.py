"""Benchmarks that anyone can run: `make bench`, or `make bench ONLY=loader` for one of them.

One file a subject. Each has a function `run()` that yields `Figure`s as they are measured. Speed is reported as a ratio
to a baseline that ran within the same minutes, since absolute times say more about the machine than about the code.
"""

from __future__ import annotations

from typing import NamedTuple


class Figure(NamedTuple):
    """One measured figure: what was measured, its value with its unit, and what it is to be compared with."""

    name: str
    value: str
    baseline: str = ""
    ratio: float | None = None
    goal: str = ""
