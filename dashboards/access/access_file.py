"""access.yml and the stores in the published data: who has which roles."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from dashboards.access.stores import ADMINISTRATOR, EVERY_STORE, NO_SINGLE_STORE, region_role, row_role
from ingest.shared_sqlite import read_only

FILE = Path(__file__).parents[1] / "access.yml"
NO_REGION = "Unknown"  # the region of a store of which stores.csv says none: nobody manages it


class AccessError(ValueError):
    """What access.yml says wrongly; the message names the entry."""


@dataclass(frozen=True)
class Access:
    """What managers may do, the stores and regions that get a role, and each person's name and roles by login."""

    permissions: dict[str, list[list[str]]]
    stores: list[str]
    regions: list[str]
    users: dict[str, dict[str, Any]]

    @property
    def row_roles(self) -> list[str]:
        """The roles that open rows."""
        return [EVERY_STORE, *map(row_role, self.stores), *map(region_role, self.regions)]


def read_access(export: Path, *, while_serving: bool = False) -> Access:
    """What access.yml says of the stores that are published below `export`. Raises AccessError.

    A start refuses a region in which no store is. A region that loses its last store while a server serves opens
    nothing any more.
    """
    content = yaml.safe_load(FILE.read_text())
    published = published_stores(export)
    regions = _regions(published)
    permissions = content["permissions"]
    users = {}
    for login, person in content["users"].items():
        unknown = set(person["roles"]) - {ADMINISTRATOR, *permissions}
        if unknown:
            raise AccessError(
                f"access.yml: {login} has the role {', '.join(sorted(unknown))}. "
                f"Write {ADMINISTRATOR} or one of the roles under permissions."
            )
        empty = sorted({*_list(person, "regions")} - regions)
        own = _stores_of_person(login, person, published)
        if own is not None and empty and not while_serving:
            raise AccessError(
                f"access.yml: {login} has the region {', '.join(empty)}, in which no store is. stores.csv in the "
                f"data folder says which store is where; it names {', '.join(sorted(regions)) or 'no region'}."
            )
        if own is None:
            rows = [EVERY_STORE]
        else:
            rows = [*map(row_role, sorted(own)), *map(region_role, sorted(regions & {*_list(person, "regions")}))]
        users[login] = {"name": person["name"], "roles": [*person["roles"], *rows]}
    # a store that is named has its role before its first reading
    named = {store for person in content["users"].values() for store in _list(person, "stores")}
    return Access(permissions, sorted(published.keys() | named), sorted(regions), users)


def _regions(published: dict[str, str]) -> set[str]:
    return set(published.values()) - {NO_REGION, NO_SINGLE_STORE}


def _stores_of_person(login: str, person: dict[str, Any], published: dict[str, str]) -> set[str] | None:
    """The stores that a person is given by name or by region; None for all. Raises AccessError."""
    if person.get("stores") == "all":
        return None
    for kind in ("stores", "regions"):
        names = person.get(kind, [])
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise AccessError(f"access.yml: the {kind} of {login} are {names!r}. Write `all`, or a list of names.")
    regions = _regions(published) & {*_list(person, "regions")}
    own = {*_list(person, "stores"), *(store for store in published if published[store] in regions)}
    if NO_SINGLE_STORE in own:
        raise AccessError(
            f"access.yml: {login} has the store {NO_SINGLE_STORE}, which marks rows of the whole company. "
            "Write `stores: all`, or rename the store."
        )
    return own


def _list(person: dict[str, Any], kind: str) -> list[str]:
    names = person.get(kind, [])
    return names if isinstance(names, list) else []


def published_stores(export: Path) -> dict[str, str]:
    """The region of each store in the published data. Raises AccessError where the file does not say."""
    path = export / "inventory_metrics.db"
    try:
        with closing(read_only(path)) as file:
            regions = dict(file.execute("SELECT store_location, region FROM stores").fetchall())
    except sqlite3.Error as error:
        raise AccessError(f"{path} does not say which stores there are ({error}). Run `make pipeline`.") from error
    return {store: region for store, region in regions.items() if store not in {NO_SINGLE_STORE, None}}
