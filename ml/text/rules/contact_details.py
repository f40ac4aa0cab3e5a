"""E-mail addresses, phone numbers, bank accounts, payment cards and street addresses, and how they are masked."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

EMAIL = re.compile(r"[\w.+-]{1,64}(?:@| ?[\[(]at[\])] ?)[\w-]{1,63}(?:\.[\w-]{1,63}){1,4}")
ACCOUNT = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b")
CARD = re.compile(r"(?<!\d)(?<!\d[.,])[2-6]\d{3}(?:[ ._-]{0,2}\d{2,6}){2,4}(?![.,]?\d)")
CARD_END = re.compile(r"\bcard\b(?: \w+){0,2} (?:ending|ends|end|no\.?|number)(?: \w+)? ?[x*]*\d{4}\b", re.IGNORECASE)
PHONE = re.compile(
    r"(?<![\w/-])(?<!\d[.,])(?:"
    r"\+\d{1,3}[ .-]?(?:\(\d{1,5}\)[ .-]?)?\d{2,5}(?:[ .-]?\d{2,5}){1,4}"  # +44 20 7946 0000
    r"|(?=[\d .-]{15})00[1-9]\d{0,2}(?:[ .-]\d{1,5}){2,5}"  # 0044 20 7946 0000
    r"|\(\d{2,5}\)[ .-]?\d{3,4}(?:[ .-]?\d{2,5}){1,2}"  # (415) 555 0123
    r"|0\d{2,4}[ .-]\d{3,4}[ .-]?\d{3,4}"  # 020 7946 0000
    r"|\d{3}[ .-]\d{3}[ .-]\d{4}"  # 415-555-0123
    r"|\d{3}[ -]\d{4}"  # 555 0123
    r"|(?:(?<=tel[ :.])|(?<=phone[ :])|(?<=mobile[ :])|(?<=call[ :])|(?<=ring[ :])) ?\d{7,12}|0[1-9]\d{8,9}"
    r")(?![\w/]|[.,]\d)",
    re.IGNORECASE,
)
STREET = re.compile(
    r"\b\d{1,4}[a-z]?,? (?:[A-Z][a-z]+ ){1,2}"
    r"(?:Street|St|Road|Rd|Lane|Avenue|Ave|Drive|Close|Court|Way|Terrace|Place)\b"
)


def find(text: str) -> str | None:
    """See `Rule`."""
    _, kinds = _mask(text)
    return f"holds {' and '.join(kinds)}: take it out" if kinds else None


def masked(text: str) -> str:
    """The text with every contact detail replaced by what it was."""
    return _mask(text)[0]


def plain(text: str) -> str:
    """A text in the letters, digits, dashes and spaces that everybody types, without invisible characters: what looks
    like a number is one."""
    if text.isascii() and text.isprintable():
        return text
    spelled = {"C": " ", "Z": " ", "Cf": "", "Pd": "-"}
    kinds = ((letter, unicodedata.category(letter)) for letter in unicodedata.normalize("NFKC", text))
    return "".join(spelled.get(kind, spelled.get(kind[0], letter)) for letter, kind in kinds)


def _mask(text: str) -> tuple[str, list[str]]:
    text = plain(text)
    kinds: list[str] = []
    for pattern, accepts, kind in KINDS:

        def mask(found: re.Match[str], accepts: Callable[[str], bool] = accepts, kind: str = kind) -> str:
            if not accepts(found[0]):
                return found[0]
            kinds.append(f"{'an' if kind[0] in 'ae' else 'a'} {kind}")
            return f"[{kind}]"

        text = pattern.sub(mask, text)
    return text, list(dict.fromkeys(kinds))


def _is_card(number: str) -> bool:
    """Whether a number has the length and the check digit (Luhn, ISO/IEC 7812) of a payment card."""
    digits = [int(digit) for digit in number if digit.isdigit()]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return 14 <= len(digits) <= 19 and (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def _is_account(number: str) -> bool:
    """Whether a number has the check digits of an IBAN (ISO 13616)."""
    plain = number.replace(" ", "")
    return 15 <= len(plain) <= 34 and int("".join(str(int(c, 36)) for c in plain[4:] + plain[:4])) % 97 == 1


def _always(_: str) -> bool:
    return True


KINDS = (
    (EMAIL, _always, "e-mail address"),
    (ACCOUNT, _is_account, "bank account"),
    (CARD, _is_card, "card number"),
    (CARD_END, _always, "card number"),
    (PHONE, _always, "phone number"),
    (STREET, _always, "address"),
)
