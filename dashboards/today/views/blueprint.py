"""What all addresses below /today share: the sign-in, the viewer's rows, and what every template needs."""

from __future__ import annotations

import hashlib
import logging
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import Any
from urllib.parse import quote

from flask import Blueprint, g, redirect, request, url_for
from sqlalchemy.exc import DBAPIError

from dashboards.access.connection import Connection
from dashboards.access.database_connection import DatabaseAwayError, Published
from dashboards.access.database_connection import published as published_in
from dashboards.access.database_roles import COMPANY
from dashboards.access.stores import asks_freely, stores_of
from dashboards.today import words
from dashboards.today.queries import store_names
from dashboards.today.views.answers import render
from notify.episodes import NO_SINGLE_STORE
from serving_database import serving_database

DATA_DIR = Path(os.environ.get("INVENTORY_DATA_DIR") or "data").resolve()
SNOOZES = {"1": "a day", "3": "3 days", "7": "a week"}
NOT_READABLE = "The figures cannot be read at the moment. Try again in a minute."
# stricter than for Superset's own pages: no script at all
POLICY = {
    "default-src": "'none'",
    "style-src": "'self'",
    "img-src": "'self'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
    "base-uri": "'none'",
}

log = logging.getLogger(__name__)

today = Blueprint("today", "dashboards.today", url_prefix="/today", template_folder="templates", static_folder="static")
STYLE_VERSION = hashlib.sha256((Path(today.root_path) / "static" / "today.css").read_bytes()).hexdigest()[:12]

View = Callable[..., Any]


def signed_in(view: View) -> View:
    """A view for people who are signed in; others are sent to the sign-in page, and back here afterwards."""

    @wraps(view)
    def guarded(**parts: Any) -> Any:
        if g.user is None or g.user.is_anonymous:
            back = request.full_path.rstrip("?") if request.method == "GET" else url_for("today.page")
            return redirect(f"/login/?next={quote(back)}")
        return view(**parts)

    guarded.talisman_view_options = {"content_security_policy": POLICY}  # type: ignore[attr-defined]
    return guarded


@contextmanager
def published() -> Iterator[Connection | Published]:
    """The published tables, with the viewer's rows: one publication for a whole page, whatever is exported then.

    The templates learn the names of the viewer's stores.
    """
    from superset import security_manager

    roles = [role.name for role in security_manager.get_user_roles()]
    database = serving_database()
    if database:
        login = COMPANY if asks_freely(roles) else g.user.username
        with published_in(database, DATA_DIR / "superset", login) as tables:
            g.store_names = store_names(tables)
            yield tables
        return
    address = f"file:{quote(str(DATA_DIR / 'export' / 'inventory_metrics.db'))}?mode=ro"
    with closing(Connection(address, uri=True, stores=stores_of(roles))) as connection:
        connection.execute("BEGIN")
        g.store_names = store_names(connection)
        yield connection


@today.before_app_request
def start_here() -> Any:
    """Signing in, and the logo, lead to this page instead of Superset's own."""
    return redirect(url_for("today.page")) if request.path in {"/", "/superset/welcome/"} else None


@today.context_processor
def _context() -> dict[str, Any]:
    from superset import db
    from superset.models.dashboard import Dashboard

    pages = db.session.query(Dashboard.dashboard_title, Dashboard.slug).filter(
        Dashboard.published, Dashboard.slug.isnot(None)
    )
    return {
        "words": words,
        "now": datetime.now(UTC),
        "nobody": NO_SINGLE_STORE,
        "store_names": g.get("store_names", {}),
        "snoozes": SNOOZES,
        "style_version": STYLE_VERSION,
        "dashboards": pages.order_by(Dashboard.id).all(),
    }


@today.errorhandler(sqlite3.Error)
@today.errorhandler(DBAPIError)
@today.errorhandler(DatabaseAwayError)
def not_readable(error: Exception) -> Any:
    """A database that is away or takes too long says so in its own words, which are for the log."""
    log.warning("%s could not be shown: %s", request.path, error)
    return render("message.html", title="Not available", text=NOT_READABLE), 503


@today.errorhandler(404)
def not_found(_: Exception) -> Any:
    """Superset's own page asks for fonts of another server."""
    return render("message.html", title="Not found", text="There is no such page, or it is about another store."), 404
