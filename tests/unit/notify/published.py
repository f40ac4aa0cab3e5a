"""Published episodes as an export leaves them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

EPISODE = {
    "episode_id": "aaaaaaaa01",
    "type": "stock",
    "severity": "high",
    "severity_rank": 2,
    "status": "open",
    "is_found_open": 1,
    "needs_attention": 1,
    "rule_id": "out_of_stock",
    "region": "North",
    "is_covered_by_region": 0,
    "store_location": "Store_A",
    "store_or_region": "Store_A",
    "category": "Toys",
    "product_id": "P1",
    "notification": "HIGH · Store_A · P1 is out of stock.",
    "value_at_risk": 5.0,
    "first_seen_at": "2026-06-29 10:00:00",
    "last_seen_at": "2026-06-30 10:00:00",
    "reopened_count": 0,
    "acted_by": None,
    "acted_at": None,
    "assignee": None,
    "snoozed_until": None,
    "comment": None,
}


def publish_episodes(data_dir: Path, *changes: dict[str, object]) -> Path:
    """Publish an episode for each dictionary of columns that differ from `EPISODE`; return the file."""
    path = data_dir / "export/inventory_metrics.db"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    episodes = [EPISODE | change for change in changes]
    with closing(sqlite3.connect(path)) as file, file:
        file.execute(f"CREATE TABLE notification_episodes ({', '.join(EPISODE)})")
        file.execute(
            "CREATE TABLE dashboard_notifications "
            "(type TEXT, notification TEXT, store_location TEXT, event_timestamp TEXT, product_id TEXT, category TEXT)"
        )
        file.execute("CREATE TABLE stores (store_location TEXT, region TEXT)")
        file.executemany(
            f"INSERT INTO notification_episodes VALUES ({', '.join('?' * len(EPISODE))})",
            [tuple(episode.values()) for episode in episodes],
        )
        file.execute(
            "INSERT INTO dashboard_notifications SELECT type, notification, store_location, "
            "strftime('%Y-%m-%dT%H:%M:%SZ', last_seen_at), product_id, category "
            "FROM notification_episodes WHERE needs_attention"
        )
        file.executemany("INSERT INTO stores VALUES (?, ?)", [("Store_A", "North"), ("Store_B", "South")])
    return path


def rows(path: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as file:
        return file.execute(query).fetchall()
