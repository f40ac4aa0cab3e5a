"""Filter states and explore forms, each for its own user. Superset loads this before its models exist."""

from __future__ import annotations

from typing import Any

from superset.extensions.metastore_cache import SupersetMetastoreCache
from superset.utils.core import get_user_id


class OwnStates(SupersetMetastoreCache):
    """A cache of filter states and explore forms in which a key opens only what its user has put there."""

    def get_key(self, key: str) -> Any:
        return super().get_key(f"{get_user_id()}:{key}")
