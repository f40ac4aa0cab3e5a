"""`notifications.yml` in the data folder: who is notified of what, and where."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

import msgspec

from notify.episodes import NO_SINGLE_STORE, Episode

FILE = "notifications.yml"
ADDRESS_KINDS = ("url", "env", "file")


class SettingsError(ValueError):
    """What notifications.yml says wrongly; the message names the entry, never an address."""


class Address(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a person is reached: an Apprise URL, or the environment variable or file that holds it."""

    url: str | None = None
    env: str | None = None
    file: str | None = None

    @property
    def reference(self) -> str:
        """What identifies the address without showing it."""
        from hashlib import sha256

        if self.url is not None:
            return f"url:{sha256(self.url.encode()).hexdigest()[:12]}"
        return f"env:{self.env}" if self.env is not None else f"file:{self.file}"


class Person(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A person, their addresses, and the stores whose episodes they may see, as in access.yml."""

    name: str
    send_to: list[Address]
    stores: list[str] | Literal["all"] = []
    regions: list[str] = []

    def may_see(self, episode: Episode, region_of: dict[str, str]) -> bool:
        """Whether the row rules show them the episode: an episode of no single store is for who sees its whole region,
        or everything. Who sees it does not get the same of each store."""
        if self.stores == "all":
            return not episode.is_covered_by_region
        if episode.store_location == NO_SINGLE_STORE:
            return episode.region in self.regions
        if episode.is_covered_by_region and episode.region in self.regions:
            return False
        return episode.store_location in self.stores or region_of.get(episode.store_location) in self.regions


class Route(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whom episodes go to. What a route does not name, it takes all of."""

    to: list[str]
    store: list[str] | None = None
    region: list[str] | None = None
    type: list[str] | None = None
    severity: list[Literal["critical", "high", "medium", "info"]] | None = None
    assignee: list[str] | None = None

    def takes(self, episode: Episode, region: str | None) -> bool:
        """Whether all that the route names fits the episode."""
        pairs = [
            (self.store, episode.store_location),
            (self.region, region),
            (self.type, episode.type),
            (self.severity, episode.severity),
            (self.assignee, episode.assignee),
        ]
        return all(wanted is None or value in wanted for wanted, value in pairs)


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file. `link` is the address of the page `/today`, to which messages point."""

    people: dict[str, Person]
    routes: list[Route]
    link: str | None = None

    def recipients(self, episode: Episode, region_of: dict[str, str]) -> list[str]:
        """Who is notified of an episode: whom its first fitting route names, and may see it."""
        region = region_of.get(episode.store_location, episode.region)
        route = next((route for route in self.routes if route.takes(episode, region)), None)
        return [login for login in route.to if self.people[login].may_see(episode, region_of)] if route else []


def read_settings(data_dir: Path) -> Settings:
    """Read notifications.yml. Raises SettingsError."""
    import yaml

    path = data_dir / FILE
    try:
        settings = msgspec.convert(_with_lists(yaml.safe_load(path.read_text())), Settings)
    except FileNotFoundError:
        raise SettingsError(f"{path} does not exist. docs/notifications.md shows one to begin with.") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise SettingsError(f"{path}: is no YAML" + (f" (line {mark.line + 1})" if mark else "")) from None
    except msgspec.ValidationError as error:
        raise SettingsError(f"{path}: {error}") from None
    for number, route in enumerate(settings.routes, 1):
        for login in route.to:
            if login not in settings.people:
                raise SettingsError(f"{path}: route {number} goes to {login}, who is not among the people.")
    for login, person in settings.people.items():
        for address in person.send_to:
            if sum(getattr(address, kind) is not None for kind in ADDRESS_KINDS) != 1:
                raise SettingsError(f"{path}: an address of {login} names not exactly one of url, env and file.")
    return settings


def _with_lists(content: Any) -> Any:
    """The file's content, in which a route may name one thing without a list."""
    routes = content.get("routes") if isinstance(content, dict) else None
    if isinstance(routes, list):
        content["routes"] = [
            {key: [value] if isinstance(value, str) else value for key, value in route.items()}
            if isinstance(route, dict)
            else route
            for route in routes
        ]
    return content


def resolve(address: Address, data_dir: Path) -> str:
    """The Apprise URL of an address. Raises SettingsError, which does not show it."""
    if address.url is not None:
        return address.url
    if address.env is not None:
        if not os.environ.get(address.env):
            raise SettingsError(f"{FILE} takes an address from {address.env}, which is not set")
        return os.environ[address.env]
    path = data_dir / str(address.file)
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"{FILE} takes an address from {path}, which cannot be read ({type(error).__name__})"
        ) from None
