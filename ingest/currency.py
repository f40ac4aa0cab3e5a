"""The currency of all prices: what files are read in, and what pages write."""

from __future__ import annotations

import os

VARIABLE, DEFAULT = "INVENTORY_CURRENCY", "EUR"


def currency() -> str:
    """The currency of all prices, as a code of ISO 4217."""
    return os.environ.get(VARIABLE, "").strip() or DEFAULT
