"""The one way to a Pulsar broker: where it is, how it is trusted, and what to say when it cannot be reached.

Secrets come from files that the environment names (PULSAR_TOKEN_FILE, PULSAR_TLS_TRUST_CERTS). Only the broker gets
them; no message shows them.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import pulsar

SUBSCRIPTION = "inventory-landing"
READINGS_TOPIC = "inventory-readings"
NOTES_TOPIC = "inventory-notes"
ACTIONS_TOPIC = "inventory-actions"
SECONDS_TO_CONNECT = 3
SECONDS_TO_ANSWER = 15
URL_FORM = re.compile(r"(pulsar|pulsar\+ssl)://[^/\s,]+(,[^/\s,]+)*/?")


class PulsarError(RuntimeError):
    """The broker cannot be used as it is set; the message names the setting and the next step."""


class Settings(NamedTuple):
    """How to reach a cluster: its service URL, the file of the token, the file of the trusted certificates."""

    url: str
    token_file: Path | None = None
    trust_certs: Path | None = None


def settings(url: str | None) -> Settings:
    """The settings for a service URL, with the files that the environment names. Raises PulsarError."""
    if not url:
        raise PulsarError(
            "no broker is named. Set PULSAR_URL or --url, such as pulsar+ssl://broker.example:6651; "
            "`make broker` starts one on pulsar://127.0.0.1:6650."
        )
    if not URL_FORM.fullmatch(url):
        raise PulsarError(f"{url}: is not a Pulsar service URL. Write pulsar://host:6650 or pulsar+ssl://host:6651.")
    token_file = _named_file("PULSAR_TOKEN_FILE")
    if token_file and not url.startswith("pulsar+ssl:") and not all(map(_is_loopback, hosts(url))):
        raise PulsarError(
            f"{url}: would carry the token of PULSAR_TOKEN_FILE in clear text. Use the pulsar+ssl:// address of the "
            "cluster, or unset PULSAR_TOKEN_FILE."
        )
    return Settings(url, token_file, _named_file("PULSAR_TLS_TRUST_CERTS"))


def hosts(url: str) -> list[tuple[str, int]]:
    """The hosts and ports of a service URL, which may name several."""
    scheme, _, rest = url.partition("://")
    default = 6651 if scheme == "pulsar+ssl" else 6650
    found = []
    for place in rest.rstrip("/").split(","):
        host, colon, port = place.rpartition(":")
        known = bool(colon) and port.isdigit()
        found.append(((host if known else place).strip("[]"), int(port) if known else default))
    return found


def partition_number(partition_topic: str) -> int:
    """The number of a partition's own topic; a topic without partitions counts as its partition 0."""
    _, mark, number = partition_topic.rpartition("-partition-")
    return int(number) if mark and number.isdigit() else 0


@contextmanager
def connected(settings: Settings, seconds_to_answer: int = SECONDS_TO_ANSWER) -> Iterator[pulsar.Client]:
    """A client for as long as the block runs. Raises PulsarError: within five seconds where nothing listens, after
    `seconds_to_answer` where the broker does not answer."""
    import pulsar

    _probe(settings.url)
    client = pulsar.Client(
        settings.url,
        authentication=pulsar.AuthenticationToken(lambda: _token(settings)) if settings.token_file else None,
        operation_timeout_seconds=seconds_to_answer,
        tls_trust_certs_file_path=str(settings.trust_certs) if settings.trust_certs else None,
        tls_validate_hostname=True,
        # By default the client logs to standard output, and with a Python logger the interpreter sometimes crashes as
        # it ends. Nothing is lost: errors are raised, and the callers report their own waiting.
        logger=pulsar.FileLogger(pulsar.LoggerLevel.Error, os.devnull),
    )
    try:
        yield client
    except pulsar.PulsarException as error:
        raise PulsarError(_explain(settings, error)) from error
    finally:
        client.close()


def _named_file(variable: str) -> Path | None:
    value = os.environ.get(variable)
    if not value:
        return None
    path = Path(value)
    try:
        empty = not path.read_bytes().strip()
    except OSError as error:
        raise PulsarError(f"{variable}={value}: {error.strerror}. Name a file that can be read.") from error
    if empty:
        raise PulsarError(f"{variable}={value}: the file is empty.")
    return path


def _token(settings: Settings) -> str:
    # read at each connection, so that a renewed token is used
    assert settings.token_file is not None
    return settings.token_file.read_text().strip()


def _is_loopback(place: tuple[str, int]) -> bool:
    host = place[0]
    return host in {"localhost", "::1"} or re.fullmatch(r"127(\.\d+){3}", host) is not None


def _probe(url: str) -> None:
    """Find out at once whether anything listens, since the client would try for its whole operation timeout."""
    problems = []
    for place in hosts(url):
        try:
            socket.create_connection(place, timeout=SECONDS_TO_CONNECT).close()
        except OSError as error:
            problems.append(f"{place[0]}:{place[1]} ({error.strerror or error})")
        else:
            return
    raise PulsarError(
        f"{url}: no broker can be reached: {', '.join(problems)}. Check PULSAR_URL and that the broker runs "
        "(`make broker` starts one on this machine)."
    )


def _explain(settings: Settings, error: pulsar.PulsarException) -> str:
    import pulsar

    said = str(error).removeprefix("Pulsar error: ")
    refused = (
        f"the token in {settings.token_file} (PULSAR_TOKEN_FILE) is not accepted: it has expired, is another "
        "cluster's, or lacks the right to this topic"
        if settings.token_file
        else "the broker wants a token and PULSAR_TOKEN_FILE is not set"
    )
    if isinstance(error, (pulsar.AuthenticationError, pulsar.AuthorizationError)):
        return f"{settings.url}: {said}: {refused}."
    if isinstance(error, pulsar.Timeout):  # which is also how a refused token reaches the client
        return (
            f"{settings.url}: the broker is there but did not let the client in ({said}). Either {refused}; or it is "
            "too busy or not healthy: look at its log and try again."
        )
    if isinstance(error, pulsar.ConnectError) and settings.url.startswith("pulsar+ssl:"):
        return (
            f"{settings.url}: no trusted connection ({said}). Check that PULSAR_TLS_TRUST_CERTS names the certificate "
            "authority of the cluster, and that the certificate is made out to this host name."
        )
    return f"{settings.url}: {said}."
