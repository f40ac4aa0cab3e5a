"""Names of stores, products and categories: names that look the same are spelled the same."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

LONGEST_NAME = 256

# zero-width characters, soft hyphens, controls of writing direction: invisible, and yet they make two names of one
_INVISIBLE = re.compile("[\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]")
_CONTROL = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f]")


def tidy(name: str) -> str:
    """The name without invisible characters, in Unicode's composed form (NFC), each run of spaces and line breaks one
    space, none at its ends. Upper and lower case stay."""
    return " ".join(unicodedata.normalize("NFC", _INVISIBLE.sub("", name)).split())


def is_tidy(name: str) -> bool:
    """Whether a name is as `tidy` leaves it and passes `problem`."""
    return 0 < len(name) <= LONGEST_NAME and _is_tidy(name)


@lru_cache(maxsize=65_536)
def _is_tidy(name: str) -> bool:
    return name.isprintable() and name == tidy(name)


def problem(name: str) -> tuple[str, str] | None:
    """Why a name is rejected, as one word and what to look at; None where it is valid. `name` is as it was sent."""
    control = _CONTROL.search(name)
    if control:
        return "control_character", f"U+{ord(control[0]):04X} at character {control.start() + 1}"
    tidied = tidy(name)
    if not tidied:
        return "blank_name", "no visible character"
    if len(tidied) > LONGEST_NAME:
        return "name_too_long", f"{len(tidied):,} characters, {LONGEST_NAME} at most"
    return None
