"""What the page says, from one connection that shows the viewer's rows and nothing else.

Each function takes such a connection and the store that the page is narrowed to, if it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any, Literal, Protocol
from zoneinfo import ZoneInfo

from notify.actions import EpisodeState
from notify.episodes import Episode, episode, with_state


class Tables(Protocol):
    """A connection to the published tables, whichever database holds them."""

    def execute(self, query: str, values: Mapping[str, Any] = ..., /) -> Any:
        """A cursor with the rows; parameters are written `:name`."""
        ...


def notifications(
    connection: Tables,
    states: Mapping[str, EpisodeState],
    *,
    store: str | None = None,
    episode_id: str | None = None,
    resolved: bool = False,
) -> list[Episode]:
    """What the last build found open, or what is resolved, too, as people have acted on it until now; the most urgent
    first."""
    found = connection.execute(
        "SELECT * FROM notification_episodes WHERE (:resolved = 1 OR is_found_open = 1) "
        "AND (:store IS NULL OR store_location = :store) AND (:episode_id IS NULL OR episode_id = :episode_id) "
        "ORDER BY severity_rank, value_at_risk DESC NULLS LAST, episode_id",
        {"resolved": int(resolved), "store": store, "episode_id": episode_id},
    )
    names = [column[0] for column in found.description]
    published = (episode(dict(zip(names, row, strict=True))) for row in found.fetchall())
    now = datetime.now(UTC)
    return [with_state(each, states.get(each.episode_id), now) for each in published]


@dataclass(frozen=True)
class Change:
    """A figure now and a week before; None where it is not known."""

    now: float | None
    before: float | None

    @property
    def share(self) -> float | None:
        """The change as a share of what it was."""
        return self.now / self.before - 1 if self.now is not None and self.before else None


@dataclass(frozen=True)
class Summary:
    """The figures of a store, or of all stores that the viewer sees (None)."""

    store_location: str | None
    quantity: Change
    value: Change
    lost_sales: Change
    out_of_stock: Change
    to_order: int
    old_readings: int
    last_reading_at: str
    stale_at: str


@dataclass(frozen=True)
class Days:
    """The newest day of the tables, and the day a week before it, with which it is compared."""

    newest: str
    week_before: str


def days(connection: Tables) -> Days:
    (newest,) = connection.execute("SELECT max(event_date) FROM daily_stock").fetchone()
    return Days(newest, newest and (date.fromisoformat(newest) - timedelta(days=7)).isoformat())


def summaries(connection: Tables, compared: Days, store: str | None) -> list[Summary]:
    """A summary of each store, by name."""
    rows = connection.execute(SUMMARIES, {"store": store, "newest": compared.newest, "before": compared.week_before})
    return [
        Summary(name, Change(*row[0:2]), Change(*row[2:4]), Change(*row[4:6]), Change(*row[6:8]), *row[8:])
        for name, *row in rows.fetchall()
    ]


def total(parts: list[Summary]) -> Summary:
    """The summary of several stores; there is at least one."""

    def change(name: str) -> Change:
        changes = [getattr(part, name) for part in parts]
        return Change(_sum(change.now for change in changes), _sum(change.before for change in changes))

    return Summary(
        None,
        change("quantity"),
        change("value"),
        change("lost_sales"),
        change("out_of_stock"),
        sum(part.to_order for part in parts),
        sum(part.old_readings for part in parts),
        max(part.last_reading_at for part in parts),
        max(part.stale_at for part in parts),
    )


def _sum(figures: Iterable[float | None]) -> float | None:
    known = [figure for figure in figures if figure is not None]
    return sum(known) if known else None


@dataclass(frozen=True)
class Order:
    """What to order for a store, or for a category of the only store."""

    name: str
    products: int
    units: int
    cost: float | None


def orders(connection: Tables, by: Literal["store_location", "category"], store: str | None) -> list[Order]:
    """What to order, what costs most first."""
    rows = connection.execute(
        f"SELECT {by}, count(*), sum(suggested_order), sum(order_cost) AS cost "
        "FROM current_stock WHERE suggested_order > 0 AND (:store IS NULL OR store_location = :store) "
        f"GROUP BY {by} ORDER BY cost DESC NULLS LAST, {by}",
        {"store": store},
    )
    return [Order(*row) for row in rows.fetchall()]


def time_zone(connection: Tables, store: str | None) -> tzinfo:
    """The time zone of the stores; UTC where they have several."""
    query = "SELECT DISTINCT time_zone FROM stores WHERE :store IS NULL OR store_location = :store LIMIT 2"
    zones = [zone for (zone,) in connection.execute(query, {"store": store}).fetchall()]
    return ZoneInfo(zones[0]) if len(zones) == 1 else UTC


def store_names(connection: Tables) -> dict[str, str]:
    """The names of the stores that have one besides their id."""
    return dict(connection.execute("SELECT store_location, name FROM stores WHERE name <> store_location").fetchall())


SUMMARIES = """
    WITH stock AS (
        SELECT
            store_location,
            sum(CASE WHEN suggested_order > 0 THEN 1 ELSE 0 END) AS to_order,
            sum(is_stale) AS old_readings,
            max(last_reading_at) AS last_reading_at,
            max(stale_at) AS stale_at
        FROM current_stock
        WHERE :store IS NULL OR store_location = :store
        GROUP BY store_location
    ),
    by_day AS (
        SELECT
            store_location,
            sum(CASE WHEN event_date = :newest THEN total_quantity END) AS quantity,
            sum(CASE WHEN event_date = :before THEN total_quantity END) AS quantity_before,
            sum(CASE WHEN event_date = :newest THEN total_stock_value END) AS value,
            sum(CASE WHEN event_date = :before THEN total_stock_value END) AS value_before,
            sum(CASE WHEN event_date = :newest THEN out_of_stock_count END) AS out_of_stock,
            sum(CASE WHEN event_date = :before THEN out_of_stock_count END) AS out_of_stock_before
        FROM daily_stock
        WHERE event_date IN (:newest, :before)
        GROUP BY store_location
    ),
    lost AS (
        SELECT
            store_location,
            sum(CASE WHEN weeks_ago = 0 THEN lost_value ELSE 0 END) AS lost,
            sum(CASE WHEN weeks_ago = 1 THEN lost_value ELSE 0 END) AS lost_before
        FROM lost_sales
        GROUP BY store_location
    )
    SELECT
        store_location, quantity, quantity_before, value, value_before, coalesce(lost, 0), coalesce(lost_before, 0),
        out_of_stock, out_of_stock_before, to_order, old_readings, last_reading_at,
        stale_at
    FROM stock
    LEFT JOIN by_day USING (store_location)
    LEFT JOIN lost USING (store_location)
    ORDER BY store_location
"""
