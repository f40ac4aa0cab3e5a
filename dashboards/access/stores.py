"""From a person to the stores that he sees. The connection and Superset's row rules both ask here."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

ADMINISTRATOR = "Admin"
ANALYST = "Analyst"
EVERY_STORE = "All stores"
PREFIX = "Store: "

EVERY_ROW = "1 = 1"
NO_ROW = "1 = 0"


@dataclass(frozen=True)
class Stores:
    """The stores that a person sees: those named, or all of them, and then the rows of the whole company, too."""

    names: frozenset[str] = frozenset()
    every: bool = False

    def cover(self, others: Stores) -> bool:
        """Whether these are all of the others, or more."""
        return self.every or (not others.every and others.names <= self.names)

    def condition(self) -> str:
        """The same in SQL, over the column store_location."""
        if self.every:
            return EVERY_ROW
        if not self.names:
            return NO_ROW
        return f"store_location IN ({', '.join(text_literal(name) for name in sorted(self.names))})"


NO_STORE = Stores()


def row_role(store: str) -> str:
    """The name of the role that opens a store."""
    return f"{PREFIX}{store}"


def stores_of(roles: Iterable[str]) -> Stores:
    """The stores that these roles open together. A role that opens no rows counts for nothing."""
    roles = set(roles)
    if roles & {ADMINISTRATOR, ANALYST, EVERY_STORE}:
        return Stores(every=True)
    return Stores(frozenset(role.removeprefix(PREFIX) for role in roles if role.startswith(PREFIX)))


def shown_to(roles: Iterable[str]) -> Stores | None:
    """What a connection shows these roles: their stores, or the whole file (None)."""
    roles = set(roles)
    return None if asks_freely(roles) else stores_of(roles)


def asks_freely(roles: Iterable[str]) -> bool:
    """Whether these roles may write SQL of their own, and read all that a published file holds."""
    return not {ADMINISTRATOR, ANALYST}.isdisjoint(roles)


def text_literal(value: str) -> str:
    """A text in SQL, whatever its characters: quotes end a literal, and a colon or a percent sign has a meaning to what
    stands between Superset and SQLite."""
    if re.fullmatch(r"[\w .-]*", value, re.ASCII):
        return f"'{value}'"
    return f"CAST(X'{value.encode().hex()}' AS TEXT)"
