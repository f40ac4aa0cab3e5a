"""An episode keeps its id whatever arrives late: acknowledgements hang on it."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import duckdb

from notify.actions import new_action, record_action
from tests.integration.dbt.project import Project
from tests.integration.oracle import Event
from tests.integration.test_metrics import write_raw

START = datetime(2026, 1, 1)
# the Python models keep what they found in the first build
BUT_MODELS = ("--exclude", "int_forecasts", "int_panel_detections", "int_unexplained_flows")
EPISODES = ("--select", "+notification_episodes", *BUT_MODELS)
HISTORY = ("--select", "+notification_history", *BUT_MODELS)


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


def test_people_and_builds_give_an_episode_its_status(tmp_path: Path) -> None:
    """Out of stock, acknowledged, filled up, resolved by the second build without it, and out of stock once more."""
    project = Project(tmp_path)
    write_raw(tmp_path, [reading(day, 60 - 3 * (day % 20)) for day in range(60)] + [reading(60, 0)])
    project.build("--select", "+notification_history")
    (found,) = statuses(tmp_path)
    episode_id = found[0]
    assert found == (episode_id, "open", False, 0)
    record_action(tmp_path, new_action(episode_id, "acknowledge", "Ada", comment="on order"))

    def after(day: float, quantity: int, *arguments: str) -> list[tuple[str, str, bool, int]]:
        write_raw(tmp_path, [reading(day, quantity)], batch_id=round(day * 10), entries=[round(day * 10)])
        project.build(*HISTORY, *arguments, with_seeds=False)
        return statuses(tmp_path)

    assert after(61, 0) == [(episode_id, "acknowledged", False, 0)]
    assert after(62, 60) == [(episode_id, "acknowledged", True, 0)]
    # the same readings again say nothing new
    project.build("--full-refresh", *HISTORY, with_seeds=False)
    assert statuses(tmp_path) == [(episode_id, "acknowledged", True, 0)]
    assert after(63, 57) == [(episode_id, "resolved", False, 0)]
    assert after(64, 0)[0][::3] == (episode_id, 1)
    with duckdb.connect(str(tmp_path / "warehouse/inventory.duckdb"), read_only=True) as connection:
        changes = connection.execute(
            "select change_kind, person, comment from fct_notification_history where episode_id = ?", [episode_id]
        ).fetchall()
    assert sorted(changes) == [
        ("acknowledged", "Ada", "on order"),
        ("cleared", None, None),
        ("found", None, None),
        ("found again", None, None),
    ]


def statuses(data_dir: Path) -> list[tuple[str, str, bool, int]]:
    """Id, status, whether it is clearing, and how often it came back, of each stock-out."""
    with duckdb.connect(str(data_dir / "warehouse/inventory.duckdb"), read_only=True) as connection:
        return connection.execute(
            "select episode_id, status, is_clearing, reopened_count from fct_notification_episodes "
            "where detector = 'out_of_stock' order by all"
        ).fetchall()


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
