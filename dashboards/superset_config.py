"""Superset's settings: one machine, no Redis, and sources that are read-only SQLite files or a PostgreSQL database."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

from cachelib.file import FileSystemCache
from flask import Flask, g
from sqlalchemy.engine import URL, make_url
from superset.key_value.types import JsonKeyValueCodec
from superset.utils.log import StdOutEventLogger

from dashboards.access.connection import opener
from dashboards.access.query_guard import QueryGuard, refuse_combined_queries
from dashboards.access.sign_in import SecurityManager, protect_sign_in
from dashboards.looks.views import looks
from dashboards.today.views import today
from dashboards.viewer import stores_of_viewer
from serving_database import serving_database

DATA_DIR = Path(os.environ.get("INVENTORY_DATA_DIR") or "data").resolve()
HOME = DATA_DIR / "superset"
SERVING_DATABASE = serving_database()
SERVED_OVER_TLS = os.environ.get("SUPERSET_TLS") == "1"
MAX_CONTENT_LENGTH = 16 * 1024**2  # bytes of a request: each is read into memory, whoever sends it

APP_NAME = "Inventory"
SECRET_KEY = (HOME / "secret_key").read_text().strip()
GUEST_TOKEN_JWT_SECRET = f"{SECRET_KEY}-guest"  # Superset's default is public

SQLALCHEMY_DATABASE_URI = f"sqlite:///{HOME}/superset.db?check_same_thread=false"
SQLALCHEMY_ENGINE_OPTIONS = {"connect_args": {"timeout": 30}}
# the metadata database has one writer: Superset's default event log would wait for it at every request
EVENT_LOGGER = StdOutEventLogger()

# ------------------------------------------------------------------ sources

PREVENT_UNSAFE_DB_CONNECTIONS = False  # SQLite sources are refused otherwise; they are opened as below


def DB_CONNECTION_MUTATOR(  # noqa: N802
    uri: str, params: dict[str, Any], _username: str, _security_manager: Any, _source: object
) -> tuple[URL, dict[str, Any]]:
    """Open the published file, or schema, that a source names, wherever it is, with the rows of who asks."""
    url = make_url(uri)
    if SERVING_DATABASE and url.get_backend_name() == "postgresql":
        from dashboards.access.database_connection import source

        login = getattr(g.user, "username", None) if "user" in g else None
        url, arguments = source(SERVING_DATABASE, HOME, login, url.database or "")
        params.setdefault("connect_args", {}).update(arguments)
        return url, params
    if url.get_backend_name() != "sqlite":
        return url, params
    name = Path((url.database or "").removeprefix("file:")).name
    url = url.set(
        database=f"file:{quote(str(DATA_DIR / 'export' / name))}",
        query={"mode": "ro", "uri": "true", "check_same_thread": "false"},
    )
    params.setdefault("connect_args", {})["factory"] = opener(stores_of_viewer())
    return url, params


SQL_QUERY_MUTATOR = refuse_combined_queries


class GuardedSecurityManager(QueryGuard, SecurityManager):
    """Superset's, with queries and sessions guarded."""


CUSTOM_SECURITY_MANAGER = GuardedSecurityManager

# ------------------------------------------------------------------ sign-in

SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = SERVED_OVER_TLS
PERMANENT_SESSION_LIFETIME = timedelta(hours=8)
SESSION_SERVER_SIDE = True  # signing out ends the session
# else every request writes back the session that it read: one that was under way during a sign-in would undo it
SESSION_REFRESH_EACH_REQUEST = False
SESSION_TYPE = "cachelib"
SESSION_CACHELIB = FileSystemCache(str(HOME / "sessions"), threshold=2000, mode=0o600)
AUTH_USER_REGISTRATION = False
FAB_API_SWAGGER_UI = False
FAB_PASSWORD_COMPLEXITY_ENABLED = True
PUBLIC_ROLE_LIKE = None

# The number of proxies in front of this server. Each adds the address that it was asked from; without them
# anybody could make up an address, so none is trusted unless the operator says so.
TRUSTED_PROXIES = int(os.environ.get("SUPERSET_TRUSTED_PROXIES", "0"))
ENABLE_PROXY_FIX = TRUSTED_PROXIES > 0
PROXY_FIX_CONFIG = {"x_for": TRUSTED_PROXIES, "x_proto": TRUSTED_PROXIES, "x_host": TRUSTED_PROXIES}

# a key opens what its own user has filtered or explored, not what others have
FILTER_STATE_CACHE_CONFIG = {
    "CACHE_TYPE": "dashboards.access.own_states.OwnStates",
    "CACHE_DEFAULT_TIMEOUT": int(timedelta(days=90).total_seconds()),
    "REFRESH_TIMEOUT_ON_RETRIEVAL": True,
    "CODEC": JsonKeyValueCodec(),
}
EXPLORE_FORM_DATA_CACHE_CONFIG = FILTER_STATE_CACHE_CONFIG | {"CACHE_KEY_PREFIX": "explore"}


def FLASK_APP_MUTATOR(app: Flask) -> None:  # noqa: N802
    """What Superset has no setting for."""
    from dashboards.access.malformed import refuse_malformed
    from dashboards.access.new_stores import NewStores
    from dashboards.access.privacy import protect_privacy
    from dashboards.asked_again import Questions
    from dashboards.looks.views import adapt_looks
    from dashboards.published import count_back_from_newest_reading

    refuse_malformed(app)
    protect_sign_in(app)
    protect_privacy(app)
    adapt_looks(app)
    app.before_request(NewStores(HOME).apply)
    Questions(app, DATA_DIR)
    count_back_from_newest_reading(DATA_DIR / "export" / "inventory_metrics.db")


BLUEPRINTS = [looks, today]
LOGO_TARGET_PATH = "/today/"

ENABLE_CORS = False  # Superset allows servers of map tiles to read its answers
TALISMAN_ENABLED = True
TALISMAN_CONFIG = {
    "content_security_policy": {
        "base-uri": ["'self'"],
        "default-src": ["'self'"],
        "img-src": ["'self'", "blob:", "data:"],  # no tracking pixel, no outside images
        "worker-src": ["'self'", "blob:"],
        "connect-src": ["'self'"],
        "object-src": "'none'",
        "style-src": ["'self'", "'unsafe-inline'"],
        "font-src": ["'self'", "data:"],
        "script-src": ["'self'", "'strict-dynamic'"],
        "frame-ancestors": ["'self'"],
    },
    "content_security_policy_nonce_in": ["script-src"],
    "force_https": SERVED_OVER_TLS,
    "session_cookie_secure": SERVED_OVER_TLS,
}

# ------------------------------------------------------------------ caches, without Redis

CACHE_CONFIG = {
    "CACHE_TYPE": "FileSystemCache",
    "CACHE_DIR": str(HOME / "cache" / "metadata"),
    "CACHE_DEFAULT_TIMEOUT": 86_400,
    "CACHE_THRESHOLD": 2000,
}
DATA_CACHE_CONFIG = CACHE_CONFIG | {
    "CACHE_TYPE": "dashboards.kept_answers.KeptAnswers",
    "CACHE_DIR": str(HOME / "cache" / "data"),
}

# ------------------------------------------------------------------ looks

FAVICONS = [{"href": "/looks/icon.svg", "type": "image/svg+xml"}]
APP_ICON = "/looks/logo.svg"
THEME_DEFAULT = {
    "token": {
        "brandAppName": APP_NAME,
        "brandLogoAlt": APP_NAME,
        "brandLogoUrl": APP_ICON,
        "brandLogoHref": LOGO_TARGET_PATH,
        "brandLogoHeight": "26px",
        "brandLogoMargin": "17px 0",
        "colorPrimary": "#2166AC",
        "colorLink": "#2166AC",
        "fontFamily": "Inter, Helvetica, Arial, sans-serif",
        "fontUrls": [],  # else Superset asks Google for it
    },
    "algorithm": "default",
}
THEME_DARK = None  # the colours of severities are made for a white page

FEATURE_FLAGS = {
    "DASHBOARD_VIRTUALIZATION_DEFER_DATA": True,  # a chart asks for its data when it comes into sight
    "ENABLE_TEMPLATE_PROCESSING": False,
    "RLS_IN_SQLLAB": True,
}
ROW_LIMIT = 5000
SQL_MAX_ROW = 20_000
# red and orange are kept for what is critical or high: see MARKS in assets/kinds.py
EXTRA_CATEGORICAL_COLOR_SCHEMES = [
    {
        "id": "inventory",
        "label": "Inventory",
        "isDefault": True,
        "colors": ["#2166AC", "#4D4D4D", "#5E4FA2", "#01665E", "#8C6D31", "#4393C3", "#8E8E8E"],
    }
]
EXTRA_SEQUENTIAL_COLOR_SCHEMES = [
    {
        "id": "inventory_risk",
        "label": "Inventory risk",
        "isDiverging": False,
        "colors": ["#F7F7F7", "#FDDBC7", "#EF8A62", "#B2182B"],
    }
]
