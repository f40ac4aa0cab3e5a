"""From a person to the stores that they see. The connection and Superset's row rules both ask here."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from notify.episodes import COVERED

ADMINISTRATOR = "Admin"
ANALYST = "Analyst"
EVERY_STORE = "All stores"
STORE_PREFIX = "Store: "
REGION_PREFIX = "Region: "

EVERY_ROW = "1 = 1"
NO_ROW = "1 = 0"
NO_SINGLE_STORE = "N/A"  # what published rows of several stores, or of the whole company, are marked with

Literal = Callable[[str], str]


def text_literal(value: str) -> str:
    """A text in SQLite's SQL, whatever its characters: quotes end a literal, and a colon or a percent sign has a
    meaning to what stands between Superset and the database."""
    return f"'{value}'" if _is_plain(value) else f"CAST(X'{value.encode().hex()}' AS TEXT)"


def postgresql_literal(value: str) -> str:
    """The same in PostgreSQL's SQL, where X'…' is a number."""
    return f"'{value}'" if _is_plain(value) else f"convert_from(decode('{value.encode().hex()}', 'hex'), 'UTF8')"


def _is_plain(value: str) -> bool:
    return bool(re.fullmatch(r"[\w .-]*", value, re.ASCII))


@dataclass(frozen=True)
class Stores:
    """The stores that a person sees: those named, or all of them, and then the rows of the whole company, too.

    What is about several stores of a region is for the people of that region.
    """

    names: frozenset[str] = frozenset()
    every: bool = False
    regions: frozenset[str] = frozenset()

    def cover(self, others: Stores) -> bool:
        """Whether these are all of the others, or more."""
        if self.every or others.every:
            return self.every
        return others.names <= self.names and others.regions <= self.regions

    def condition(self, columns: Collection[str] = ("store_location",), literal: Literal = text_literal) -> str:
        """The same in SQL, over the columns of a table: store_location, and those that only some tables have."""
        if self.every:
            return EVERY_ROW
        parts = [f"store_location IN ({_literals(self.names, literal)})"] if self.names else []
        if self.regions and "region" in columns:
            parts.append(f"store_location = '{NO_SINGLE_STORE}' AND region IN ({_literals(self.regions, literal)})")
        return f"({' OR '.join(parts)})" if parts else NO_ROW

    def shown_once(self, columns: Collection[str], literal: Literal = text_literal) -> str:
        """What leaves out, in SQL, a store's notification where that of its region says the same and is shown, too."""
        if COVERED not in columns or not (self.every or self.regions):
            return EVERY_ROW
        if self.every:
            return f"{COVERED} = 0"
        return f"({COVERED} = 0 OR region NOT IN ({_literals(self.regions, literal)}))"


NO_STORE = Stores()


def row_role(store: str) -> str:
    """The name of the role that opens a store."""
    return f"{STORE_PREFIX}{store}"


def region_role(region: str) -> str:
    """The name of the role that opens what is about several stores of a region."""
    return f"{REGION_PREFIX}{region}"


def stores_of(roles: Iterable[str]) -> Stores:
    """The stores that these roles open together. A role that opens no rows counts for nothing."""
    roles = set(roles)
    if roles & {ADMINISTRATOR, ANALYST, EVERY_STORE}:
        return Stores(every=True)
    names, regions = (
        frozenset(role.removeprefix(prefix) for role in roles if role.startswith(prefix))
        for prefix in (STORE_PREFIX, REGION_PREFIX)
    )
    return Stores(names, regions=regions)


def shown_to(roles: Iterable[str]) -> Stores | None:
    """What a connection shows these roles: their stores, or the whole file (None)."""
    roles = set(roles)
    return None if asks_freely(roles) else stores_of(roles)


def asks_freely(roles: Iterable[str]) -> bool:
    """Whether these roles may write SQL of their own, and read all that a published file holds."""
    return not {ADMINISTRATOR, ANALYST}.isdisjoint(roles)


def _literals(values: Iterable[str], literal: Literal) -> str:
    return ", ".join(map(literal, sorted(values)))
