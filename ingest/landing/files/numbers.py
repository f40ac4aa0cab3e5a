"""Numbers as people write them: with a point or a comma before the decimals, and marks between the thousands.

1.000 is a thousand or one. Such a number is not guessed: the other numbers of its file decide, or the user does.
"""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache

from ingest.landing.files.rows import DecimalMark

_THOUSANDS = {"point": "[,'\u2019\\s]", "comma": "[.'\u2019\\s]"}
_MARK = {"point": r"\.", "comma": ","}
_NUMBER = {
    mark: re.compile(
        rf"""
        (?P<sign>[+\-\u2212]?) \s*
        (?P<whole> [1-9]\d{{0,2}} (?P<between>{_THOUSANDS[mark]}) \d{{3}} (?: (?P=between) \d{{3}} )* | \d* )
        (?: {_MARK[mark]} (?P<decimals>\d*) )?
        (?: [eE] (?P<exponent> [+-]?\d{{1,3}} ) )?
        """,
        re.VERBOSE | re.ASCII,
    )
    for mark in ("point", "comma")
}
# how bookkeeping (12) and SAP 12- write -12
_NEGATIVE = re.compile(r"\((?P<in_brackets>[\d.,'\u2019\s]+)\)|(?P<before_sign>[\d.,'\u2019\s]+)[-\u2212]", re.ASCII)


@lru_cache(maxsize=65_536)
def decimal_mark(text: str) -> str | None:
    """What a number proves about the decimal mark of its file: "point", "comma", or "either" where both give a number,
    and not the same one. None where it proves nothing."""
    point, comma = read_number(text, "point"), read_number(text, "comma")
    if point is None or comma is None:
        return "point" if point is not None else "comma" if comma is not None else None
    return None if point == comma else "either"


@lru_cache(maxsize=65_536)
def read_number(text: str, mark: DecimalMark) -> Decimal | None:
    """The number that a text writes with this decimal mark; None where it writes none."""
    text = text.strip().replace("\u00a0", " ").replace("\u202f", " ")
    negative = _NEGATIVE.fullmatch(text)
    if negative:
        text = f"-{(negative['in_brackets'] or negative['before_sign']).strip()}"
    match = _NUMBER[mark].fullmatch(text)
    if match is None or not (match["whole"] or match["decimals"]):
        return None
    whole = re.sub(r"\D", "", match["whole"])
    sign = "-" if match["sign"] in ("-", "\u2212") else ""
    return Decimal(f"{sign}{whole or 0}.{match['decimals'] or 0}E{match['exponent'] or 0}")
