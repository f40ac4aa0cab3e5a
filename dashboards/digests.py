"""Digests of the files that a server and its database were made from: they show whether the files have changed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from dashboards.assets.bundle import source_files
from ingest.currency import currency
from serving_database import VARIABLE, serving_database

HERE = Path(__file__).parent


def configuration() -> str:
    """Of what a server reads once, at its start: code and settings."""
    settings = [
        f"{name}={value}"
        for name, value in sorted(os.environ.items())
        if name == VARIABLE or (name.startswith("SUPERSET_") and name not in {"SUPERSET_PORT", "SUPERSET_CONFIG_PATH"})
    ]
    return _digest("\n".join(settings).encode(), *(path.read_bytes() for path in _code()))


def to_apply(stores: dict[str, str]) -> str:
    """Of what is applied to Superset's database, which a server reads at any time: people, charts, a role per store.

    `stores` are the published ones with their regions.
    """
    database = serving_database()
    named = repr((sorted(stores.items()), currency(), database and database.place))
    return _digest(named.encode(), *(path.read_bytes() for path in (*_code(), *_applied())))


def _digest(*parts: bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()


def _code() -> Iterator[Path]:
    yield from (HERE.parent / name for name in ("requirements-superset.lock", "serving_database.py"))
    for folder in (HERE, HERE.parent / "notify"):
        yield from sorted(path for path in folder.rglob("*") if path.suffix in {".py", ".html", ".css", ".js"})


def _applied() -> Iterator[Path]:
    yield HERE / "access.yml"
    yield from source_files(HERE)
