"""Between builds Python says what the next build's SQL will say: both follow the same actions.

A build publishes its states. Later, with the same findings and more actions, `notify` shows what a build of that time
would publish.
"""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import jinja2
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ingest.events import Action
from ingest.sql import quoted
from notify.actions import FOLDER, current_states, land_actions
from notify.episodes import PUBLISHED_TIME, Episode, episode, with_state
from tests.conftest import ROOT
from tests.unit.notify.published import EPISODE

START = datetime(2026, 1, 1, tzinfo=UTC)
MACROS = ("utc", "build_time", "money_text")
MODELS = ROOT / "models"
STAGED = MODELS / "staging/notification_actions/stg_notification_actions__actions.sql"
EPISODES = MODELS / "marts/notifications/fct_notification_episodes.sql"
COMPARED = ("status", "acted_by", "acted_at", "assignee", "snoozed_until", "comment")


@dataclasses.dataclass(frozen=True)
class Found:
    """What a build found of an episode: seconds after START, at which it was last seen, got worse and came back."""

    last_seen: float = 0.5
    severity_reached: float = 0.5
    reopened: float | None = None
    missing_builds: int = 0


@dataclasses.dataclass(frozen=True)
class History:
    """What a build found, what people did (kind, and for how many seconds a snooze holds), and two builds' times."""

    found: Found
    actions: list[tuple[float, str, float]]
    built: float
    now: float


# whole seconds and parts of them, so that actions fall before, into and after the second in which a build starts
TIMES = st.integers(0, 80).map(lambda quarters: quarters / 4)
KINDS = st.sampled_from(["acknowledge", "snooze", "assign", "take back", "resolve", "reopen", "expected"])


@st.composite
def histories(draw: st.DrawFn) -> History:
    # two actions on one episode are never of the same second (`record_actions`)
    seconds = sorted(draw(st.sets(st.integers(2, 20), max_size=5)))
    actions = [(second + draw(TIMES) % 1, draw(KINDS), draw(st.integers(1, 12)) / 2) for second in seconds]
    moments = [0.75, *(time for time, _, _ in actions), *(time + lasts for time, _, lasts in actions)]
    built, now = sorted((draw(st.sampled_from(moments) | TIMES), draw(st.sampled_from(moments) | TIMES)))
    before = TIMES.filter(lambda time: time <= built)  # a build finds what was read before it
    found = Found(draw(before), draw(before), draw(st.none() | before), draw(st.sampled_from([0, 0, 0, 1, 2])))
    return History(found, actions, built, now)


SEEN = Found()
SNOOZED_UNTIL_NOW = History(SEEN, [(2.25, "snooze", 3)], built=3, now=5.25)
IN_THE_SECOND_OF_THE_BUILD = History(SEEN, [(2.25, "acknowledge", 0), (3.75, "resolve", 0)], built=3.5, now=4)
AT_THE_BUILD = History(SEEN, [(3.5, "acknowledge", 0)], built=3.5, now=4)
REOPENED = History(Found(5, 1, reopened=4), [(2, "acknowledge", 0), (7, "acknowledge", 0)], built=6, now=8)
ONLY_ASSIGNED = History(SEEN, [(2, "assign", 0)], built=1, now=3)


@settings(max_examples=60)
@given(histories())
@example(SNOOZED_UNTIL_NOW)
@example(IN_THE_SECOND_OF_THE_BUILD)
@example(AT_THE_BUILD)
@example(REOPENED)
@example(ONLY_ASSIGNED)
def test_what_is_shown_between_builds_is_what_the_next_build_says(history):
    assert shown(history) == built(history, history.now)


def test_a_snooze_ends_at_its_very_time_in_both():
    before = dataclasses.replace(SNOOZED_UNTIL_NOW, now=5.0)
    assert shown(before)["status"] == built(before, before.now)["status"] == "snoozed"
    assert shown(SNOOZED_UNTIL_NOW)["status"] == built(SNOOZED_UNTIL_NOW, 5.25)["status"] == "open"


def shown(history: History) -> dict[str, Any]:
    """The state that Python makes of what the build published and of all actions until now."""
    with TemporaryDirectory() as folder:
        land(Path(folder), history, until=history.now)
        state = current_states(Path(folder)).get("e")
    current = with_state(published(history), state, at(history.now))
    return {name: getattr(current, name) for name in COMPARED}


def published(history: History) -> Episode:
    """The episode as the build published it, in whole seconds."""
    row = built(history, history.built)
    found = {"is_found_open": history.found.missing_builds < 2, "last_seen_at": at(history.found.last_seen)}
    times = {
        name: value.strftime(PUBLISHED_TIME) for name, value in (row | found).items() if isinstance(value, datetime)
    }
    return episode(EPISODE | {"episode_id": "e"} | row | found | times)


def built(history: History, time: float) -> dict[str, Any]:
    """The row of a build at that time, by the models' own SQL on the landed files, in whole seconds."""
    found = history.found
    with TemporaryDirectory() as folder, duckdb.connect() as connection:
        land(Path(folder), history, until=history.now)
        connection.execute("set TimeZone = 'UTC'")
        connection.execute(
            f"create table int_as_of as select timestamp '{at(found.last_seen):%Y-%m-%d %H:%M:%S.%f}' as as_of"
        )
        connection.execute("create table int_stores as select 'Store_A' as store_location, 'Leeds' as name")
        connection.execute(
            KNOWN,
            {
                "seen": at(found.last_seen),
                "reached": at(found.severity_reached),
                "reopened": [] if found.reopened is None else [at(found.reopened)],
                "missing": found.missing_builds,
            },
        )
        staged = rendered(STAGED, Path(folder), time)
        connection.execute(f"create table stg_notification_actions__actions as {staged}")
        result = connection.execute(f"select {', '.join(COMPARED)} from ({rendered(EPISODES, Path(folder), time)})")
        values = dict(zip(COMPARED, result.fetchone() or (), strict=True))
    return {
        name: value.replace(tzinfo=UTC, microsecond=0) if isinstance(value, datetime) else value
        for name, value in values.items()
    }


KNOWN = """
    create table int_known_episodes as
    select
        'e' as episode_id, 'product' as cause, 'stock' as notification_type, 'out_of_stock' as detector,
        'high' as severity, 2 as severity_rank, null as region, false as is_covered_by_region,
        'Store_A' as store_location, 'Toys' as category, 'P1' as product_id, 'P1' as product_label,
        'is out of stock.' as message,
        1 as product_count, 1 as first_product_count, 5.0 as value_at_risk, 5.0 as first_value_at_risk,
        1 as occurrence_count, $seen::timestamptz::timestamp as first_seen_at,
        $seen::timestamptz::timestamp as last_seen_at, $reached::timestamptz::timestamp as severity_reached_at,
        $reopened::timestamptz[]::timestamp[] as reopened_times, []::timestamp[] as returned_times,
        $missing::integer as missing_builds, $missing = 0 as is_current, true as is_state, true as is_open
"""


def land(data_dir: Path, history: History, until: float) -> None:
    actions = [
        Action(
            f"a{number}",
            "e",
            "assign" if kind == "take back" else kind,  # type: ignore[arg-type]
            f"person {number}",
            at(time),
            snoozed_until=at(time + lasts) if kind == "snooze" else None,
            assignee="Ben" if kind == "assign" else None,
            comment=f"comment {number}" if number % 2 else None,
        )
        for number, (time, kind, lasts) in enumerate(history.actions)
        if time <= until
    ]
    if actions:
        (data_dir / FOLDER).mkdir()
        land_actions(data_dir, actions)


def rendered(model: Path, data_dir: Path, time: float) -> str:
    """The SQL of a model as dbt makes it, for a data folder and a build at that time."""
    files = f"{data_dir}/{FOLDER}*/publish_date=*/*.parquet"
    macros = "".join((ROOT / f"macros/{name}.sql").read_text() for name in MACROS)
    return jinja2.Template(macros + model.read_text()).render(
        var=lambda name: {"as_of": f"{at(time):%Y-%m-%d %H:%M:%S.%f}", "notifications_per_store": 10}[name],
        ref=lambda name: name,
        env_var=lambda _, default: default,
        source=lambda *_: f"read_parquet('{quoted(files)}')",
        data_files_exist=lambda _: any(data_dir.glob(f"{FOLDER}*/*/*.parquet")),
    )


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)
