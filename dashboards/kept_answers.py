"""The cache of charts' answers: each belongs to a publication, and to those who see the same rows. Superset loads this
before its models exist."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from flask import g
from flask_caching.backends import FileSystemCache

from dashboards.access.database_connection import DatabaseAwayError
from dashboards.published import publication
from dashboards.viewer import rows_of_viewer


class KeptAnswers(FileSystemCache):
    """Answers of what is published now. Those of earlier publications are no longer found, and fall out in time."""

    def _get_filename(self, key: str) -> str:
        if key == self._fs_count_file:
            return super()._get_filename(key)
        if "publication" not in g:
            # as it was before the query, so that no answer is kept for a publication that is newer than its rows
            try:
                g.publication = publication(Path(os.environ["INVENTORY_DATA_DIR"]).resolve())
            except DatabaseAwayError:  # the query will say so; nothing is found or kept
                g.publication = secrets.token_hex()
        return super()._get_filename(f"{g.publication}:{rows_of_viewer()}:{key}")
