"""New stores and regions take effect with the first request after their publication. No restart is needed."""

from __future__ import annotations

import logging
from pathlib import Path
from threading import Lock
from time import monotonic

from dashboards.access.access_file import AccessError, published_stores, read_access
from dashboards.access.database_roles import write_roles
from ingest.shared_sqlite import state_of
from serving_database import ServingDatabaseError, serving_database

SECONDS_BEFORE_RETRY = 60.0

logger = logging.getLogger(__name__)


class NewStores:
    """The roles and row rules of the published stores. The server's start has applied those of that time."""

    def __init__(self, home: Path) -> None:
        self._home, self._export = home, home.parent / "export"
        self._file = self._export / "inventory_metrics.db"
        self._published = state_of(self._file)
        self._stores = published_stores(self._export)
        self._applying = Lock()
        self._next_try = 0.0

    def apply(self) -> None:
        """Apply access.yml again if another publication has other stores, or has them in other regions."""
        published = state_of(self._file)
        waits = monotonic() < self._next_try
        if published == self._published or waits or not self._applying.acquire(blocking=False):
            return
        try:
            self._next_try = monotonic() + SECONDS_BEFORE_RETRY  # unless this try succeeds
            stores = published_stores(self._export)
            if stores != self._stores:
                self._apply()
                self._stores = stores
            self._published, self._next_try = published, 0.0
        except (AccessError, ServingDatabaseError) as error:  # what was applied before holds
            logger.warning("the stores' roles were not brought up to date; the next try is in a minute: %s", error)
        finally:
            self._applying.release()

    def _apply(self) -> None:
        from dashboards.access.people import admit, revoke
        from dashboards.access.row_rules import set_roles, set_row_rules

        access = read_access(self._export, while_serving=True)
        database = serving_database()
        if database:
            write_roles(database, self._home, access)
        revoke(self._home, access.users, [*access.permissions, *access.row_roles], logger.info)
        set_roles(access)
        set_row_rules(access)
        admit(self._home, access.users)
