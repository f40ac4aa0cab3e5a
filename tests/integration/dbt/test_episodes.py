"""An episode keeps its id whatever arrives late: acknowledgements hang on it."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import duckdb

from tests.integration.dbt.project import Project
from tests.integration.oracle import Event
from tests.integration.test_metrics import write_raw

START = datetime(2026, 1, 1)
# the Python models keep what they found in the first build
EPISODES = (
    "--select",
    "+notification_episodes",
    "--exclude",
    "int_forecasts",
    "int_panel_detections",
    "int_unexplained_flows",
)


def test_late_and_reordered_readings_keep_the_ids_of_episodes_that_go_on(tmp_path: Path) -> None:
    project = Project(tmp_path)
    below_zero = {30, 50}
    write_raw(tmp_path, [reading(day, -1 if day in below_zero else 9) for day in range(60)])
    project.build("--select", "+notification_episodes")
    first, second = episodes(tmp_path)
    assert (first[:2], second[:2]) == ((30, 30), (50, 50))

    # an earlier start, and an episode before both; the later one arrives first
    write_raw(tmp_path, [reading(27.5, -2), reading(12.5, -2)][::-1], batch_id=1, entries=[100, 101])
    project.build(*EPISODES, "--vars", "backfill_from: '2026-01-10'", with_seeds=False)
    earliest, *others = episodes(tmp_path)
    assert others == [(27.5, 30, first[2]), (50, 50, second[2])]
    assert earliest[:2] == (12.5, 12.5)
    assert earliest[2] not in {first[2], second[2]}

    # no gap of more than seven days is left between the two
    write_raw(tmp_path, [reading(43.5, -3), reading(36.75, -3)], batch_id=2, entries=[102, 103])
    project.build(*EPISODES, with_seeds=False)
    joined = [earliest, (27.5, 50, first[2])]
    assert episodes(tmp_path) == joined
    project.build("--full-refresh", *EPISODES, with_seeds=False)
    assert episodes(tmp_path) == joined


def reading(day: float, quantity: int) -> Event:
    return Event("Store_A", "P1", "Toys", quantity, "2.00", START + timedelta(days=day))


def episodes(data_dir: Path) -> list[tuple[float, float, str]]:
    """The day of the first and of the last reading below zero in each episode, and its id, in order of time.

    Other findings on the product may belong to the same episodes.
    """
    with duckdb.connect(str(data_dir / "warehouse/inventory.duckdb"), read_only=True) as connection:
        found = connection.execute(
            "select min(seen_at), max(seen_at), episode_id from int_known_episodes join int_notifications "
            "using (cause_id) where is_current and int_notifications.detector = 'negative_stock' "
            "and seen_at between first_seen_at and last_seen_at group by episode_id order by all"
        ).fetchall()
    return [
        ((first - START) / timedelta(days=1), (last - START) / timedelta(days=1), name) for first, last, name in found
    ]
