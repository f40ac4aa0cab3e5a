"""Numbers as people write them: with a point or a comma before the decimals, and marks between the thousands.

1.000 is a thousand or one. Such a number is not guessed: the other numbers of its file decide, or the user does.
"""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache

from ingest.landing.files.rows import DecimalMark

LONGEST_NUMBER = 64  # characters; Python reads no integer of thousands of digits, and patterns would take their time
_THOUSANDS = {"point": "[,'\u2019\\s]", "comma": "[.'\u2019\\s]"}
_LAKHS = {"point": r"| [1-9]\d? (?: ,\d\d )+ ,\d{3}", "comma": ""}  # 1,23,456 in India
_MARK = {"point": r"\.", "comma": ","}
_NUMBER = {
    mark: re.compile(
        rf"""
        (?P<sign>[+\-\u2212]?) \s*
        (?P<whole>
            [1-9]\d{{0,2}} (?P<between>{_THOUSANDS[mark]}) \d{{3}} (?: (?P=between) \d{{3}} )* {_LAKHS[mark]} | \d*
        )
        (?: {_MARK[mark]} (?P<decimals>\d*) )?
        (?: [eE] (?P<exponent> [+-]?\d{{1,3}} ) )?
        """,
        re.VERBOSE | re.ASCII,
    )
    for mark in ("point", "comma")
}
# how bookkeeping (12) and SAP 12- write -12
_NEGATIVE = re.compile(r"\((?P<in_brackets>[\d.,'\u2019\s]+)\)|(?P<before_sign>[\d.,'\u2019\s]+)[-\u2212]", re.ASCII)

# which currencies a sign stands for
_SIGNS = {
    "$": ("USD", "CAD", "AUD", "NZD", "SGD", "HKD", "TWD", "MXN", "ARS", "CLP", "COP"),
    "US$": ("USD",),
    "R$": ("BRL",),
    "€": ("EUR",),
    "£": ("GBP", "EGP"),
    "¥": ("JPY", "CNY"),
    "₹": ("INR",),
    "₩": ("KRW",),
    "₺": ("TRY",),
    "kr": ("DKK", "NOK", "SEK", "ISK"),
    "zł": ("PLN",),
    "Kč": ("CZK",),
    "Fr.": ("CHF",),
}
_MARK_OF_CURRENCY = "|".join([*map(re.escape, _SIGNS), "[A-Z]{3}"])
_WITH_CURRENCY = re.compile(
    rf"(?P<sign>-?)(?P<before>{_MARK_OF_CURRENCY})\s*(?P<then>.*\d.*)|(?P<first>.*\d.*?)\s*(?P<after>{_MARK_OF_CURRENCY})"
)


@lru_cache(maxsize=65_536)
def split_currency(text: str) -> tuple[str, str]:
    """A price without the sign or code of a currency, and that; the text and nothing where it has none."""
    match = _WITH_CURRENCY.fullmatch(text.strip()) if len(text) <= LONGEST_NUMBER else None
    if match is None:
        return text, ""
    return match["first"] or match["sign"] + match["then"], match["before"] or match["after"]


def is_currency(mark: str, code: str) -> bool:
    """Whether a mark beside a price, or none, means the currency of this code."""
    return mark in ("", code) or code in _SIGNS.get(mark, ())


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
    if len(text) > LONGEST_NUMBER:
        return None
    negative = _NEGATIVE.fullmatch(text)
    if negative:
        text = f"-{(negative['in_brackets'] or negative['before_sign']).strip()}"
    match = _NUMBER[mark].fullmatch(text)
    if match is None or not (match["whole"] or match["decimals"]):
        return None
    whole = re.sub(r"\D", "", match["whole"])
    sign = "-" if match["sign"] in ("-", "\u2212") else ""
    return Decimal(f"{sign}{whole or 0}.{match['decimals'] or 0}E{match['exponent'] or 0}")
