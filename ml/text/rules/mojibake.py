"""Text that was written in one encoding and read in another."""

from __future__ import annotations

import ftfy
from ftfy.badness import is_bad


def find(text: str) -> str | None:
    """See `Rule`."""
    if text.isascii():
        return None
    broken = "\ufffd" in text or (is_bad(text) and ftfy.fix_encoding(text) != text)
    return "was read in the wrong encoding; type it again" if broken else None
