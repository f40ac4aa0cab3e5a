"""Delivery: what is new for each person, as one digest, to each of their addresses by Apprise."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch
from urllib.parse import quote, unquote

from ingest import names
from notify.episodes import Episode, current_episodes, regions
from notify.outbox import Delivery, Outbox, new_delivery_id, open_outbox
from notify.settings import Address, Settings, SettingsError, read_settings, resolve

ITEMS_PER_DIGEST = 20
LONGEST_LINE = 500
SHORTEST_PART = 5  # of an address, that may be a secret; a shorter one may be a word of the text
ATTEMPTS = 3
PAUSES = {"multiplier": 0.5, "max": 5.0}  # seconds, within a run; the outbox has longer ones
CALL_TO_ALL = re.compile(r"@(?=(?:all|channel|everyone|here)\b)")  # chat services would wake everybody
SEVERITIES = ("critical", "high", "medium", "info")


class Digest(NamedTuple):
    """What is new for one address of one person."""

    person: str
    address: Address
    episodes: list[Episode]
    delivery: Delivery


class Outcome(NamedTuple):
    """What became of a delivery: new digests, messages that wait, and those that could not be sent."""

    new: int
    waiting: int
    failed: int


class SendError(RuntimeError):
    """A service did not take a message; the text holds no secret."""


def deliver(data_dir: Path, report: Callable[[str], None], *, really: bool) -> Outcome:
    """Send what is new and what is due, or only report what would be sent.

    Raises SettingsError, NotPublishedError, FolderBusyError.
    """
    settings = read_settings(data_dir)
    with open_outbox(data_dir) as outbox:
        if really:
            outbox.drop_stale()
        failed = 0
        digests = new_digests(data_dir, settings, outbox)
        for digest in digests:
            try:
                service = check_address(resolve(digest.address, data_dir)).service_name
            except (SettingsError, SendError) as error:
                failed += 1
                report(f"{digest.person} ({digest.address.reference}): {error}")
                continue
            if really:
                keys = [(each.episode_id, each.reopened_count) for each in digest.episodes]
                outbox.write(digest.delivery, keys)
            else:
                report(f"{digest.person} by {service} ({digest.address.reference})\n  {digest.delivery.title}")
                report("".join(f"    {line}\n" for line in digest.delivery.body.splitlines() if line))
        if really:
            failed += send_due(data_dir, settings, outbox, report)
        return Outcome(len(digests), outbox.waiting_count(), failed)


def new_digests(data_dir: Path, settings: Settings, outbox: Outbox) -> list[Digest]:
    """A digest for each address that has not had all that its person should know."""
    region_of = regions(data_dir)
    for_person: dict[str, list[Episode]] = {}
    for episode in current_episodes(data_dir):
        if episode.needs_attention:
            for login in settings.recipients(episode, region_of):
                for_person.setdefault(login, []).append(episode)
    digests = []
    for login, episodes in sorted(for_person.items()):
        for address in settings.people[login].send_to:
            written = outbox.written(login, address.reference)
            new = [episode for episode in episodes if (episode.episode_id, episode.reopened_count) not in written]
            if new:
                title, body = _worded(new, settings.link)
                delivery = Delivery(new_delivery_id(), login, address.reference, title, body)
                digests.append(Digest(login, address, new, delivery))
    return digests


def _worded(episodes: list[Episode], link: str | None) -> tuple[str, str]:
    """The title and the text of a digest. Names and messages come from outside: each is one line."""
    counts = [(severity, sum(each.severity == severity for each in episodes)) for severity in SEVERITIES]
    title = "Stock: " + ", ".join(f"{count} {severity}" for severity, count in counts if count)
    stores = sorted({episode.store_location for episode in episodes})
    if len(stores) == 1:
        title += f" in {_one_line(stores[0])}"
    lines = [_item(episode, link) for episode in episodes[:ITEMS_PER_DIGEST]]
    if len(episodes) > ITEMS_PER_DIGEST:
        lines.append(f"… and {len(episodes) - ITEMS_PER_DIGEST} less urgent ones.")
    return title, "\n\n".join([*lines, *([f"All that is open: {link}"] if link else [])])


def _item(episode: Episode, link: str | None) -> str:
    """What has happened, and the page where one acts on it."""
    page = f"\n  {link.rstrip('/')}/notifications/{quote(episode.episode_id)}" if link else ""
    return f"• {_one_line(episode.notification)}{page}"


def _one_line(text: str) -> str:
    shown = names.tidy("".join(character if character.isprintable() else " " for character in text))
    shown = CALL_TO_ALL.sub("@ ", shown)
    return shown if len(shown) <= LONGEST_LINE else shown[: LONGEST_LINE - 1] + "…"


def send_due(data_dir: Path, settings: Settings, outbox: Outbox, report: Callable[[str], None]) -> int:
    """Send what is due; return how many deliveries were not accepted. They stay in the outbox."""
    failed = 0
    for delivery in outbox.due():
        if delivery.is_in_doubt:
            report(f"{delivery.person}: the last sender ended amid a delivery; sent again as {delivery.delivery_id}")
        outbox.begin(delivery)
        try:
            _send(_address(delivery, settings, data_dir), delivery)
        except (SendError, SettingsError) as error:
            failed += 1
            outbox.postpone(delivery, str(error))
            report(f"{delivery.person} ({delivery.address}): not accepted: {error}")
        else:
            outbox.finish(delivery)
            report(f"{delivery.person} ({delivery.address}): sent: {delivery.title}")
    return failed


def _address(delivery: Delivery, settings: Settings, data_dir: Path) -> str:
    person = settings.people.get(delivery.person)
    for address in person.send_to if person else []:
        if address.reference == delivery.address:
            return resolve(address, data_dir)
    raise SettingsError("the address is no longer in notifications.yml")


def check_address(url: str) -> Any:
    """The Apprise service of an address. Raises SendError where it is none, or several."""
    import apprise

    # neither pictures from elsewhere nor another program's name
    asset = apprise.AppriseAsset(app_id="Inventory dashboard", app_desc="Stock notifications", image_url_mask="")
    with _apprise_log():
        service = apprise.Apprise.instantiate(url, asset=asset)
    if service is None:
        raise SendError("is no address that Apprise knows; its schemes are listed by `apprise --details`")
    if len(service) != 1:
        raise SendError("names several recipients. Give each an address of its own, so that none is sent to twice")
    return service


def _send(url: str, delivery: Delivery) -> None:
    """Send a delivery, in a few attempts. Raises SendError."""
    import apprise
    from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

    def attempt() -> None:
        service = check_address(url)
        if isinstance(getattr(service, "headers", None), dict):
            service.headers["Idempotency-Key"] = delivery.delivery_id
        channel = apprise.Apprise()
        channel.add(service)
        with _apprise_log() as log, _message_id(delivery.delivery_id):
            accepted = channel.notify(delivery.body, delivery.title, body_format=apprise.NotifyFormat.TEXT)
        if not accepted:
            raise SendError(_without_secrets("; ".join(log) or "the service gave no reason", url, service))

    Retrying(
        stop=stop_after_attempt(ATTEMPTS),
        wait=wait_random_exponential(**PAUSES),
        retry=retry_if_exception_type(SendError),
        reraise=True,
    )(attempt)


@contextmanager
def _message_id(delivery_id: str) -> Iterator[None]:
    """Let e-mails carry the id of their delivery. Apprise draws one for each attempt and offers no other way."""
    from apprise.plugins.email import base as email

    with patch.object(email, "make_msgid", lambda domain: f"<{delivery_id}@{domain}>"):
        yield


class _Collected(logging.Handler):
    def __init__(self, messages: list[str]) -> None:
        super().__init__(logging.WARNING)
        self._messages = messages

    def emit(self, record: logging.LogRecord) -> None:
        self._messages.append(record.getMessage())


@contextmanager
def _apprise_log() -> Iterator[list[str]]:
    """What Apprise reports, kept from the logs, since it may hold secrets."""
    messages: list[str] = []
    logger, handler = logging.getLogger("apprise"), _Collected(messages)
    propagates, logger.propagate = logger.propagate, False
    logger.addHandler(handler)
    try:
        yield messages
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagates


def _without_secrets(text: str, url: str, service: Any) -> str:
    """The text without any part of the address but its host."""
    parts = {
        part for form in (url, unquote(url)) for part in re.split(r"[/:@?&=]+", form) if len(part) >= SHORTEST_PART
    }
    for part in sorted((parts | {service.user, service.password}) - {None, "", service.host}, key=len, reverse=True):
        text = text.replace(part, "***")
    return _one_line(text)
