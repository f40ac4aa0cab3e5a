"""What Superset knows an asset by. It follows from the name, so nobody numbers anything."""

from __future__ import annotations

from uuid import UUID, uuid5

NAMESPACE = UUID("b1f8a5a2-5d5e-4a58-9d4c-6a3f0e0f7c11")


def uuid_of(kind: str, name: str) -> str:
    """The uuid of an asset by its kind (database, dataset, chart or page) and its file's name."""
    return str(uuid5(NAMESPACE, f"{kind}/{name}"))
