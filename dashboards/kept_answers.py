"""The cache of charts' answers: each belongs to a publication. Superset loads this before its models exist."""

from __future__ import annotations

import os
from pathlib import Path

from flask_caching.backends import FileSystemCache

from ingest.shared_sqlite import state_of


class KeptAnswers(FileSystemCache):
    """Answers of what is published now. Those of earlier publications are no longer found, and fall out in time."""

    def _get_filename(self, key: str) -> str:
        if key == self._fs_count_file:
            return super()._get_filename(key)
        export = Path(os.environ["INVENTORY_DATA_DIR"]).resolve() / "export"
        published = ":".join(state_of(export / f"{name}.db") for name in ("inventory", "inventory_metrics"))
        return super()._get_filename(f"{published}:{key}")
