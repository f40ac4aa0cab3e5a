"""Delivery to a real SMTP server and a real HTTP receiver, and a sender that is killed."""

from __future__ import annotations

import email
import email.policy
import json
import os
import signal
import stat
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiosmtpd.controller import Controller
from click.testing import CliRunner

from dev.pulsar_broker import free_port
from notify.command import command
from notify.outbox import open_outbox, outbox_counts
from tests.conftest import ROOT
from tests.inventory_process import inventory_command
from tests.unit.notify.published import publish_episodes

SECRET = "s3cret-token-of-anna"


class Mailbox:
    """An SMTP server that keeps what it accepts, refuses as often as it is told to, and may kill the sender."""

    def __init__(self) -> None:
        self.messages: list[Any] = []
        self.refusals = 0
        self.kill: int | None = None  # the sender, once it has handed a message over

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        if self.refusals:
            self.refusals -= 1
            return "451 try again later"
        self.messages.append(email.message_from_bytes(envelope.content, policy=email.policy.default))
        if self.kill:
            os.kill(self.kill, signal.SIGKILL)
            self.kill = None
        return "250 accepted"


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    mailbox = Mailbox()
    controller = Controller(mailbox, hostname="127.0.0.1", port=free_port())
    controller.start()
    mailbox.url = f"mailto://127.0.0.1:{controller.port}?from=stock@example.com&to=anna@example.com"  # type: ignore[attr-defined]
    yield mailbox
    controller.stop()


@pytest.fixture
def webhook() -> Iterator[Any]:
    """An HTTP receiver; its `requests` are the headers and the content of each."""
    requests: list[tuple[dict[str, str], dict[str, Any]]] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            requests.append((dict(self.headers), body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    server.requests = requests
    server.url = f"json://127.0.0.1:{server.server_port}/hook/{SECRET}"
    yield server
    server.shutdown()
    server.server_close()


def configure(data_dir: Path, people: dict[str, Any], routes: list[dict[str, Any]], **others: Any) -> None:
    content = {"people": people, "routes": routes, **others}
    (data_dir / "notifications.yml").write_text(yaml.safe_dump(content))


def anna(url: str, **others: Any) -> dict[str, Any]:
    return {"anna": {"name": "Anna", "stores": ["Store_A"], "send_to": [{"url": url}], **others}}


def send(data_dir: Path, *options: str) -> Any:
    return CliRunner().invoke(command, ["send", *options, "--data-dir", str(data_dir)])


def text(message: Any) -> str:
    return str(message.get_content())


def test_nothing_is_sent_without_send(tmp_path, mailbox):
    publish_episodes(tmp_path, {})
    configure(tmp_path, anna(mailbox.url), [{"to": "anna"}])
    result = send(tmp_path)
    assert result.exit_code == 0, result.output
    assert "• HIGH · Store_A · P1 is out of stock." in result.output
    assert "1 new, 0 waiting; nothing was sent" in result.output
    assert not mailbox.messages


def test_each_episode_is_sent_once(tmp_path, mailbox):
    publish_episodes(tmp_path, {}, {"episode_id": "b2", "severity": "critical", "notification": "CRITICAL · P2"})
    configure(tmp_path, anna(mailbox.url), [{"to": "anna"}], link="https://stock.example.com/today")
    assert send(tmp_path, "--send").exit_code == 0
    assert send(tmp_path, "--send").output == "0 new, 0 waiting\n"
    publish_episodes(tmp_path, {}, {"episode_id": "b2"}, {"episode_id": "c3", "notification": "HIGH · P3"})
    send(tmp_path, "--send")
    publish_episodes(tmp_path, {"reopened_count": 1}, {"episode_id": "b2", "status": "resolved", "needs_attention": 0})
    send(tmp_path, "--send")
    assert [message["Subject"] for message in mailbox.messages] == [
        "Stock: 1 critical, 1 high in Store_A",
        "Stock: 1 high in Store_A",
        "Stock: 1 high in Store_A",
    ]
    assert text(mailbox.messages[0]).splitlines() == [
        "• HIGH · Store_A · P1 is out of stock.",
        "  https://stock.example.com/today/notifications/aaaaaaaa01",
        "",
        "• CRITICAL · P2",
        "  https://stock.example.com/today/notifications/b2",
        "",
        "All that is open: https://stock.example.com/today",
    ]
    assert text(mailbox.messages[1]).startswith("• HIGH · P3")
    assert text(mailbox.messages[2]).startswith("• HIGH · Store_A · P1")  # it came back


def test_first_fitting_route_wins_and_nobody_gets_what_his_rows_do_not_show(tmp_path, webhook):
    def person(name: str, **stores: Any) -> dict[str, Any]:
        return {"name": name, "send_to": [{"url": f"{webhook.url}/{name}"}], **stores}

    publish_episodes(
        tmp_path,
        {"episode_id": "e1", "severity": "critical", "notification": "one"},
        {"episode_id": "e2", "type": "pipeline", "store_location": "N/A", "region": "Unknown", "notification": "two"},
        {"episode_id": "e3", "store_location": "Store_B", "region": "South", "notification": "three"},
        {"episode_id": "e4", "store_location": "N/A", "region": "South", "notification": "four"},
        {"episode_id": "e5", "assignee": "ben", "notification": "five"},
        {"episode_id": "e6", "needs_attention": 0, "notification": "six"},
    )
    everybody = ["ann", "sue", "rita"]
    configure(
        tmp_path,
        {
            "ann": person("ann", stores=["Store_A"]),
            "ben": person("ben", stores=["Store_A"]),
            "sue": person("sue", regions=["South"]),
            "rita": person("rita", stores="all"),
        },
        [
            {"assignee": "ben", "to": "ben"},
            {"severity": "critical", "to": ["ann", "sue"]},
            {"type": ["pipeline", "text"], "to": everybody},
            {"region": "South", "to": everybody},
            {"store": "Store_A", "to": "rita"},
        ],
    )
    assert send(tmp_path, "--send").exit_code == 0
    got = Counter(line for _, content in webhook.requests for line in [content["message"].replace("\n\n", " ")])
    assert got == Counter(["• one", "• five", "• three • four", "• two • three • four"])


def test_what_fails_is_tried_again_and_waits_in_the_outbox(tmp_path, mailbox):
    publish_episodes(tmp_path, {})
    configure(tmp_path, anna(mailbox.url), [{"to": "anna"}])
    mailbox.refusals = 1
    assert send(tmp_path, "--send").exit_code == 0, "a second attempt in the same run"
    assert len(mailbox.messages) == 1

    publish_episodes(tmp_path, {"episode_id": "b2"})
    mailbox.refusals = 3
    result = send(tmp_path, "--send")
    assert result.exit_code == 1
    assert "1 could not be sent; the next run tries them again" in result.output
    assert send(tmp_path, "--send").output == "0 new, 1 waiting\n", "not before its pause is over"
    assert outbox_counts(tmp_path) == (1, 1)
    with open_outbox(tmp_path) as outbox:
        outbox._connection.execute("UPDATE deliveries SET due_at = written_at")
        outbox._connection.commit()
    assert send(tmp_path, "--send").exit_code == 0
    assert len(mailbox.messages) == 2
    ids = [message["Message-ID"] for message in mailbox.messages]
    assert len(set(ids)) == 2
    assert all(len(message.get_all("Message-ID")) == 1 for message in mailbox.messages)


def test_a_clock_that_was_ahead_holds_nothing_back(tmp_path, mailbox):
    publish_episodes(tmp_path, {})
    configure(tmp_path, anna(mailbox.url), [{"to": "anna"}])
    mailbox.refusals = 3
    assert send(tmp_path, "--send").exit_code == 1
    with open_outbox(tmp_path) as outbox:
        outbox._connection.execute("UPDATE deliveries SET due_at = '2099-01-01T00:00:00.000000Z'")
        outbox._connection.commit()
    assert send(tmp_path, "--send").exit_code == 0
    assert len(mailbox.messages) == 1


def test_what_was_not_accepted_for_a_day_is_written_anew(tmp_path, mailbox):
    publish_episodes(tmp_path, {})
    configure(tmp_path, anna("mailto://127.0.0.1:9?from=stock@example.com&to=anna@example.com"), [{"to": "anna"}])
    assert send(tmp_path, "--send").exit_code == 1
    with open_outbox(tmp_path) as outbox:
        outbox._connection.execute("UPDATE deliveries SET written_at = '2020-01-01T00:00:00.000000Z'")
        outbox._connection.commit()
    configure(tmp_path, anna(mailbox.url), [{"to": "anna"}])
    assert send(tmp_path, "--send").exit_code == 0
    assert len(mailbox.messages) == 1


def test_a_sender_that_is_killed_loses_nothing_and_repeats_only_under_the_same_id(tmp_path, mailbox, webhook):
    addresses = [{"url": mailbox.url}, {"url": webhook.url}]
    configure(
        tmp_path, anna(mailbox.url) | {"anna": {"name": "A", "stores": "all", "send_to": addresses}}, [{"to": "anna"}]
    )
    episodes: list[dict[str, Any]] = []
    start = inventory_command("notifications", "send", "--send")
    for number in range(4):
        episodes.append({"episode_id": f"e{number}", "notification": f"episode {number}"})
        publish_episodes(tmp_path, *episodes)
        process = subprocess.Popen([*start, "--data-dir", tmp_path], cwd=ROOT, stdout=subprocess.DEVNULL)
        if number % 2 == 0:
            mailbox.kill = process.pid  # between the server's yes and the record of it
            assert process.wait(60) == -signal.SIGKILL
        else:
            assert process.wait(60) == 0
    result = send(tmp_path, "--send")
    assert result.exit_code == 0, result.output
    assert send(tmp_path, "--send").output == "0 new, 0 waiting\n"

    by_id = {message["Message-ID"]: text(message).strip() for message in mailbox.messages}
    assert sorted(by_id.values()) == [f"• episode {number}" for number in range(4)]
    assert len(mailbox.messages) == 6, "two were in doubt, and sent again"
    by_key = {headers["Idempotency-Key"]: content["message"] for headers, content in webhook.requests}
    assert sorted(by_key.values()) == [f"• episode {number}" for number in range(4)]
    assert len(webhook.requests) == 4


def test_a_delivery_in_doubt_is_reported(tmp_path, mailbox):
    publish_episodes(tmp_path, {})
    configure(tmp_path, anna(mailbox.url), [{"to": "anna"}])
    start = inventory_command("notifications", "send", "--send")
    process = subprocess.Popen([*start, "--data-dir", tmp_path], cwd=ROOT, stdout=subprocess.DEVNULL)
    mailbox.kill = process.pid
    process.wait(60)
    assert "anna: the last sender ended amid a delivery; sent again as" in send(tmp_path, "--send").output


@pytest.mark.parametrize("format_", ["text", "html", "markdown"])
def test_hostile_text_makes_no_header_and_no_markup(tmp_path, mailbox, format_):
    hostile = "HIGH · A\r\nBcc: all@example.com\n\n<script>alert(1)</script> <img src=x> \u202etxt @everyone \x1b[2J"
    publish_episodes(tmp_path, {"notification": hostile, "store_location": "A\r\nBcc: all@example.com"})
    configure(tmp_path, anna(f"{mailbox.url}&format={format_}", stores="all"), [{"to": "anna"}])
    assert send(tmp_path, "--send").exit_code == 0
    (message,) = mailbox.messages
    assert message["Bcc"] is None
    assert message["Subject"] == "Stock: 1 high in A Bcc: all@example.com"
    for part in message.walk():
        if part.get_content_type() == "text/html":
            assert "<script" not in part.get_content()
            assert "<img" not in part.get_content()
        elif part.get_content_type() == "text/plain":
            assert "\x1b" not in part.get_content()
            assert "@everyone" not in part.get_content()
            assert "\u202e" not in part.get_content()


def test_secrets_come_from_the_environment_or_a_file_and_are_shown_nowhere(tmp_path, webhook, monkeypatch, caplog):
    publish_episodes(tmp_path, {})
    down = f"jsons://anna:{SECRET}@127.0.0.1:9/{SECRET}"
    (tmp_path / "anna.url").write_text(f"{webhook.url}\n")
    monkeypatch.setenv("ANNA_URL", down)
    addresses = [{"file": "anna.url"}, {"env": "ANNA_URL"}]
    configure(tmp_path, {"anna": {"name": "A", "stores": "all", "send_to": addresses}}, [{"to": "anna"}])
    dry, sent = send(tmp_path), send(tmp_path, "--send")
    assert len(webhook.requests) == 1
    assert sent.exit_code == 1
    assert "anna (env:ANNA_URL): not accepted" in sent.output
    outbox = (tmp_path / "outbox/outbox.db").read_bytes().decode(errors="replace")
    assert SECRET not in dry.output + sent.output + caplog.text + outbox
    assert stat.S_IMODE((tmp_path / "outbox").stat().st_mode) == 0o700


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "notifications.yml does not exist"),
        ("people: [", "is no YAML (line 1)"),
        ("", "Expected `object`"),
        ("people: {}\nroutes: [{to: [ann]}]", "route 1 goes to ann, who is not among the people"),
        ("people: {a: {name: A, send_to: [{}]}}\nroutes: []", "an address of a names not exactly one of"),
        ("people: {}\nroutes: [{to: [], severty: high}]", "unknown field `severty`"),
        ("people: {}\nroutes: [{to: [], severity: hgh}]", "Invalid enum value 'hgh'"),
    ],
)
def test_a_fault_of_the_settings_is_said_in_one_line(tmp_path, content, problem):
    publish_episodes(tmp_path, {})
    if content is not None:
        (tmp_path / "notifications.yml").write_text(content.replace("name: A,", "name: A, stores: all,"))
    result = send(tmp_path, "--send")
    assert result.exit_code == 1
    assert problem in result.output
    assert len(result.output.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        ({"env": "NOT_SET"}, "(env:NOT_SET): notifications.yml takes an address from NOT_SET, which is not set"),
        ({"file": "none"}, "none, which cannot be read (FileNotFoundError)"),
        ({"url": "bogus://x"}, "is no address that Apprise knows"),
        ({"url": "mailto://h?from=x@h.com&to=a@h.com,b@h.com"}, "names several recipients"),
    ],
)
def test_an_address_that_is_none_keeps_nobody_else_from_his_message(tmp_path, webhook, address, problem):
    publish_episodes(tmp_path, {})
    people = {"a": {"name": "A", "stores": "all", "send_to": [address]}}
    people["b"] = {"name": "B", "stores": "all", "send_to": [{"url": webhook.url}]}
    configure(tmp_path, people, [{"to": ["a", "b"]}])
    result = send(tmp_path, "--send")
    assert result.exit_code == 1
    assert problem in result.output
    assert len(webhook.requests) == 1


def test_one_sender_at_a_time(tmp_path):
    publish_episodes(tmp_path, {})
    configure(tmp_path, {}, [])
    with open_outbox(tmp_path):
        assert "is sending notifications here" in send(tmp_path, "--send").output
