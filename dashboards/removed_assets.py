"""Assets that have left the folder leave Superset, too.

Imported assets are marked as managed from outside. Assets that people made by hand are not, and stay.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any


def remove_unlisted(assets: Iterable[dict[str, Any]], say: Callable[[str], None]) -> None:
    """Delete what an earlier import made and this one did not.

    A dataset stays while charts use it that people made by hand, and a database while it has datasets.
    """
    from superset import db
    from superset.connectors.sqla.models import SqlaTable
    from superset.models.core import Database
    from superset.models.dashboard import Dashboard
    from superset.models.slice import Slice

    def users(item: Any) -> list[Any]:
        if isinstance(item, SqlaTable):
            charts: list[Any] = db.session.query(Slice).filter_by(datasource_id=item.id, datasource_type="table").all()
            return charts
        return item.tables if isinstance(item, Database) else []

    listed = {asset["uuid"] for asset in assets if "uuid" in asset}
    for kind in (Dashboard, Slice, SqlaTable, Database):
        for item in db.session.query(kind).filter_by(is_managed_externally=True).all():
            if str(item.uuid) in listed:
                continue
            if remaining := users(item):
                say(f"{item} has left the folder, but stays for {', '.join(map(str, remaining))}")
            else:
                say(f"{item} has left the folder and is removed")
                db.session.delete(item)
                db.session.flush()
    db.session.commit()
