"""Texts as they may be shown: without contact details and control characters, and short."""

from __future__ import annotations

import re

from ml.text.rules.contact_details import masked

SHOWN = 60


def quoted(text: str) -> str:
    """A text in quotes: contact details masked, control and direction characters left out, cut where it is long."""
    short = re.sub(r" +", " ", masked(text)).strip()
    return f"“{short if len(short) <= SHOWN else short[: SHOWN - 1].rstrip() + '…'}”"
