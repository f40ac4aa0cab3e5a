"""Formulas, markup and control characters, which a spreadsheet or a page might run."""

from __future__ import annotations

import re

FORMULA = re.compile(r"^\s*(?:=[\w+(@'\"-]|@\w+\(|[+-]\s*[A-Za-z]+\(|[=+@-][\w+*/.()-]*\|)")
MARKUP = re.compile(r"<\s*/?\s*[a-z!][^<>]{0,200}>|javascript:|&(?:lt|gt|#\d+);|\{\{.{0,100}\}\}", re.IGNORECASE)
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u202a-\u202e\u2066-\u2069]")


def find(text: str) -> str | None:
    """See `Rule`."""
    if FORMULA.search(text):
        return "begins like a spreadsheet formula; it was not run"
    if MARKUP.search(text):
        return "holds markup; it was not run"
    return "holds control characters" if CONTROL.search(text) else None
