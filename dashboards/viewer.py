"""Whose rows a request may show."""

from __future__ import annotations

from flask import g

from dashboards.access.stores import NO_STORE, Stores, shown_to
from serving_database import serving_database


def stores_of_viewer() -> Stores | None:
    """The stores of who asks, the whole file (None) for who asks freely, no store where nobody is signed in."""
    from superset import security_manager

    if "user" not in g:
        return NO_STORE
    return shown_to(role.name for role in security_manager.get_user_roles())


def rows_of_viewer() -> str:
    """A text that is equal for people who see the same rows. A serving database knows people by login alone."""
    if serving_database():
        return str(getattr(g.get("user"), "username", None))
    stores = stores_of_viewer()
    return "the whole file" if stores is None else stores.condition(("store_location", "region"))
