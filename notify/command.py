"""`inventory notifications`: what needs attention, what people do about it, and its delivery."""

from __future__ import annotations

import dataclasses
import getpass
import json
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from ingest.landing.printable import printable
from notify.actions import ActionError, actions_of, new_action, record_actions
from notify.episodes import Episode, NotPublishedError, current_episodes
from notify.publication import show_actions

SHORTEST_ID = 6
SHOWN_ID = 8
STATUSES = ["open", "acknowledged", "snoozed", "resolved"]
WIDTH = 1_000

data_dir_option = click.option(
    "--data-dir", type=click.Path(path_type=Path), envvar="INVENTORY_DATA_DIR", default="data"
)


@click.group()
def command() -> None:
    """Show what needs attention, act on it, and send it to people."""


@command.command("list")
@click.option("--store", multiple=True, help="Only this store; may be given several times.")
@click.option("--status", multiple=True, type=click.Choice(STATUSES), default=["open"], show_default=True)
@click.option("--json", "as_json", is_flag=True, help="JSON Lines: one object an episode, with every column.")
@data_dir_option
def list_(store: tuple[str, ...], status: tuple[str, ...], as_json: bool, data_dir: Path) -> None:
    """List episodes, the most urgent first, as they are now.

    What is short in most stores of a region is one episode; with --store, it is each store's own.
    """
    chosen = [
        episode
        for episode in _episodes(data_dir)
        if episode.status in status and (episode.store_location in store if store else not episode.is_covered_by_region)
    ]
    for episode in chosen:
        click.echo(_as_json(episode) if as_json else _as_line(episode))
    if not chosen and not as_json:
        click.echo("nothing needs you")


@command.command()
@click.argument("episode_id")
@click.option("--json", "as_json", is_flag=True, help="JSON Lines: one object an action.")
@data_dir_option
def history(episode_id: str, as_json: bool, data_dir: Path) -> None:
    """Show who did what with an episode."""
    (episode,) = _chosen(data_dir, (episode_id,))
    if not as_json:
        click.echo(printable(episode.notification, WIDTH))
    for action in actions_of(data_dir, episode.episode_id):
        values = {name: value for name in action.__struct_fields__ if (value := getattr(action, name)) is not None}
        if as_json:
            click.echo(json.dumps(values, default=_json_value))
            continue
        said = [f"until {action.snoozed_until:%Y-%m-%d %H:%M} UTC"] if action.snoozed_until else []
        said += [f"to {action.assignee}"] if action.assignee else []
        said += [action.comment] if action.comment else []
        line = f"{action.event_timestamp:%Y-%m-%d %H:%M} UTC  {action.action} by {action.person}"
        click.echo(printable(": ".join([line, *([", ".join(said)] if said else [])]), WIDTH))


def _acting(name: str, text: str, *options: Any) -> None:
    """Add a subcommand that records one kind of action."""
    kind = "acknowledge" if name == "ack" else name

    def act(
        episode_ids: tuple[str, ...],
        person: str,
        comment: str | None,
        data_dir: Path,
        until: datetime | None = None,
        days: int | None = None,
        to: str | None = None,
    ) -> None:
        if kind == "snooze":
            if (until is None) == (days is None):
                raise click.UsageError("say until when: --days or --until.")
            until = until.replace(tzinfo=UTC) if until else datetime.now(UTC) + timedelta(days=days or 0)
        episodes = _chosen(data_dir, episode_ids)
        try:
            record_actions(
                data_dir,
                [
                    new_action(each.episode_id, kind, person, snoozed_until=until, assignee=to, comment=comment)
                    for each in episodes
                ],
            )
        except (ActionError, NotPublishedError) as error:
            raise click.ClickException(str(error)) from error
        except OSError as error:
            raise click.ClickException(
                f"{error.filename or data_dir}: {error.strerror}. Nothing was recorded."
            ) from error
        try:
            show_actions(data_dir)
        except (sqlite3.OperationalError, OSError) as error:  # held by another program, or on a full disk
            click.echo(f"It is recorded. What is published shows it after the next build ({error}).", err=True)
        chosen = {episode.episode_id for episode in episodes}
        for episode in _episodes(data_dir):
            if episode.episode_id in chosen:
                click.echo(_as_line(episode))

    act = click.option("--comment", help="What others should know")(act)
    act = click.option(
        "--person", default=getpass.getuser, envvar="INVENTORY_PERSON", help="Who acts  [default: the user's login]"
    )(act)
    for option in options:
        act = option(act)
    act = click.argument("episode_ids", nargs=-1, required=True, metavar="EPISODE...")(data_dir_option(act))
    command.command(name, help=text)(act)


_acting("ack", "Say that somebody has seen it and is on it.")
_acting(
    "snooze",
    "Put it aside for a while.",
    click.option("--days", type=click.IntRange(1, 366), help="for so many days"),
    click.option("--until", type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M"]), help="until this time, UTC"),
)
_acting("assign", "Give it to somebody.", click.option("--to", required=True, help="Who takes it"))
_acting("resolve", "Close it until it is seen again.")
_acting("reopen", "Take back what was done with it.")
_acting("expected", "Say that nothing is wrong. Such answers judge the rule that found it.")


@command.command()
@click.option("--send", "really", is_flag=True, help="Really send; without it, only show what would be sent.")
@data_dir_option
def send(really: bool, data_dir: Path) -> None:
    """Send people what is new, each episode once.

    notifications.yml in the data folder says who hears of what, and where.
    """
    from ingest.durable_files import FolderBusyError
    from notify.delivery import deliver
    from notify.settings import SettingsError

    try:
        outcome = deliver(data_dir, click.echo, really=really)
    except (SettingsError, NotPublishedError, FolderBusyError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(
        f"{outcome.new} new, {outcome.waiting} waiting" + ("" if really else "; nothing was sent (--send sends)")
    )
    if outcome.failed:
        raise click.ClickException(f"{outcome.failed} could not be sent; the next run tries them again.")


def _episodes(data_dir: Path) -> list[Episode]:
    try:
        return current_episodes(data_dir)
    except NotPublishedError as error:
        raise click.ClickException(str(error)) from error


def _chosen(data_dir: Path, ids: tuple[str, ...]) -> list[Episode]:
    """The episodes that the ids, or the beginnings of ids, name."""
    episodes, chosen = _episodes(data_dir), {}
    for given in ids:
        found = [episode for episode in episodes if len(given) >= SHORTEST_ID and episode.episode_id.startswith(given)]
        if len(found) != 1:
            raise click.ClickException(
                f"{printable(given)}: {'several episodes begin' if found else 'no episode begins'} with this id. "
                "`inventory notifications list` shows them."
            )
        chosen[found[0].episode_id] = found[0]
    return list(chosen.values())


def _as_line(episode: Episode) -> str:
    marks = [episode.status] if episode.status != "open" else []
    marks += [f"until {episode.snoozed_until:%Y-%m-%d %H:%M} UTC"] if episode.snoozed_until else []
    marks += [f"by {episode.acted_by}"] if episode.acted_by and episode.status != "open" else []
    marks += [f"for {episode.assignee}"] if episode.assignee else []
    text = printable(episode.notification, WIDTH)
    return f"{episode.episode_id[:SHOWN_ID]}  {text}" + (f"  [{printable(', '.join(marks), WIDTH)}]" if marks else "")


def _as_json(episode: Episode) -> str:
    return json.dumps(dataclasses.asdict(episode), default=_json_value)


def _json_value(value: object) -> str:
    return value.strftime("%Y-%m-%dT%H:%M:%SZ") if isinstance(value, datetime) else str(value)
