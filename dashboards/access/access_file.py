"""access.yml and the stores in the published data: who has which roles."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from dashboards.access.stores import ADMINISTRATOR, EVERY_STORE, row_role

FILE = Path(__file__).parents[1] / "access.yml"
WHOLE_COMPANY = "N/A"  # what published rows of no single store are marked with


class AccessError(ValueError):
    """What access.yml says wrongly; the message names the entry."""


@dataclass(frozen=True)
class Access:
    """What managers may do, the stores that get a role, and each person's name and roles by login."""

    permissions: dict[str, list[list[str]]]
    stores: list[str]
    users: dict[str, dict[str, Any]]

    @property
    def row_roles(self) -> list[str]:
        """The roles that open rows."""
        return [EVERY_STORE, *map(row_role, self.stores)]


def read_access(export: Path) -> Access:
    """What access.yml says of the stores that are published below `export`. Raises AccessError."""
    content = yaml.safe_load(FILE.read_text())
    groups: dict[str, list[str]] = content.get("groups") or {}
    published = published_stores(export)
    ambiguous = sorted(groups.keys() & published)
    if ambiguous:
        raise AccessError(f"access.yml: {', '.join(ambiguous)} names a group and a store. Rename the group.")
    named: set[str] = set()
    users = {}
    for login, person in content["users"].items():
        stores = person.get("stores", [])
        if stores == "all":
            roles = [EVERY_STORE]
        elif isinstance(stores, list) and all(isinstance(store, str) for store in stores):
            own = {store for name in stores for store in groups.get(name, [name])}
            if WHOLE_COMPANY in own:
                raise AccessError(
                    f"access.yml: {login} has the store {WHOLE_COMPANY}, which marks rows of the whole company. "
                    "Write `stores: all`, or rename the store."
                )
            named |= own
            roles = [row_role(store) for store in sorted(own)]
        else:
            raise AccessError(f"access.yml: the stores of {login} are {stores!r}. Write `all`, or a list of names.")
        unknown = set(person["roles"]) - {ADMINISTRATOR, *content["permissions"]}
        if unknown:
            raise AccessError(
                f"access.yml: {login} has the role {', '.join(sorted(unknown))}. "
                f"Write {ADMINISTRATOR} or one of the roles under permissions."
            )
        users[login] = {"name": person["name"], "roles": [*person["roles"], *roles]}
    return Access(content["permissions"], sorted(published | named), users)


def published_stores(export: Path) -> set[str]:
    """The stores in the published data. Raises AccessError where the file does not say."""
    path = export / "inventory_metrics.db"
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as file:
            rows = file.execute("SELECT DISTINCT store_location FROM current_stock").fetchall()
    except sqlite3.Error as error:
        raise AccessError(f"{path} does not say which stores there are ({error}). Run `make pipeline`.") from error
    return {store for (store,) in rows} - {WHOLE_COMPANY, None}
