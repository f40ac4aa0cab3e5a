"""A real Apache Pulsar broker on loopback, for development and tests: `python -m dev.pulsar_broker start|stop`.

Pulsar's own distribution is fetched once by its Maven coordinate and runs as one process (standalone) with its own
data folder. Nothing of it listens beyond loopback.
"""

from __future__ import annotations

import base64
import hmac
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import quote
from urllib.request import Request, urlopen

import click

from ingest.durable_files import atomic_write, file_lock
from ingest.refining.java import OLDEST_JAVA, machine_java_home

VERSION = "4.0.8"
COORDINATE = f"org.apache.pulsar:pulsar-server-distribution:{VERSION}:tar.gz:bin"
UNPACK = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:unpack"
SECONDS_TO_START = 300
SECONDS_TO_STOP = 30
START_ATTEMPTS = 3
# what a broker logs when its storage loses its place in the registry: once or twice at a start
LOST_REGISTRATION = b"Lock on resource /ledgers/available/"
ADMINISTRATOR = "admin"


class BrokerError(RuntimeError):
    """The broker cannot be had, or does not do what is asked; the message says what to do."""


@dataclass(frozen=True)
class Broker:
    """A standalone broker: the folder that holds its data, its two ports, and whether it asks for a token."""

    folder: Path
    port: int
    web_port: int
    with_token: bool = False

    @property
    def service_url(self) -> str:
        """What clients connect to."""
        return f"pulsar://127.0.0.1:{self.port}"

    @property
    def admin_url(self) -> str:
        """Where the REST administration answers."""
        return f"http://127.0.0.1:{self.web_port}"

    def token(self, subject: str = ADMINISTRATOR) -> str:
        """A JSON web token (HS256) that this broker takes; only the administrator's may do everything."""

        def part(content: bytes) -> bytes:
            return base64.urlsafe_b64encode(content).rstrip(b"=")

        signed = part(b'{"alg":"HS256"}') + b"." + part(json.dumps({"sub": subject}).encode())
        key = (self.folder / "secret.key").read_bytes()
        return (signed + b"." + part(hmac.digest(key, signed, "sha256"))).decode()


# ---------------------------------------------------------------- the distribution


def missing_prerequisites() -> str | None:
    """What this machine lacks for a broker and how to get it; None where it has all."""
    lacking = []
    if machine_java_home() is None:
        lacking.append(f"Java {OLDEST_JAVA} or newer (Debian and Ubuntu: apt-get install default-jre-headless)")
    if not (_home() / "bin" / "pulsar").exists() and shutil.which("mvn") is None:
        lacking.append("Maven, to fetch Apache Pulsar with (Debian and Ubuntu: apt-get install maven)")
    return f"no Pulsar broker can run here. Missing: {'; '.join(lacking)}." if lacking else None


def distribution() -> Path:
    """The folder of Pulsar's distribution, fetched (245 MB) if this user's cache does not hold it yet.

    Raises BrokerError. A fetch that was killed leaves nothing that counts as fetched.
    """
    home = _home()
    lacking = missing_prerequisites()
    if lacking:
        raise BrokerError(lacking)
    with file_lock(home.parent, "fetching Apache Pulsar", wait=True):
        if not home.exists():
            _fetch(home)
    return home


def _home() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache, "inventory-management-dashboard", f"apache-pulsar-{VERSION}")


def _fetch(home: Path) -> None:
    click.echo(f"  fetching Apache Pulsar {VERSION} with Maven (245 MB, once)", err=True)
    quiet = [] if sys.stderr.isatty() else ["--quiet"]
    with atomic_write(home) as whole:
        result = subprocess.run(
            ["mvn", *quiet, "--batch-mode", UNPACK, f"-Dartifact={COORDINATE}", "-DoutputDirectory=unpacked"],
            cwd=whole.parent,  # Maven notes below its working directory what it has unpacked, and would not do it again
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr,
            check=False,
        )
        if result.returncode:
            raise BrokerError(f"Maven could not fetch {COORDINATE}; its lines above say why. Then try again.")
        (unpacked,) = (whole.parent / "unpacked").iterdir()
        unpacked.rename(whole)


# ---------------------------------------------------------------- the process


def start(
    folder: Path,
    port: int | None = None,
    web_port: int | None = None,
    *,
    with_token: bool = False,
    further: Mapping[str, object] | None = None,
) -> Broker:
    """Start a broker on this folder's data and wait until it is healthy; ports that are not given are free ones.

    A broker that was killed is started again on the same folder and ports. `further` are settings by the names of
    Pulsar's own configuration. Raises BrokerError.
    """
    home = distribution()
    folder = folder.resolve()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    chosen_port, chosen_web_port = port or free_port(), web_port or free_port()
    broker = Broker(folder, chosen_port, chosen_web_port, with_token)
    if process_id(folder):
        raise BrokerError(f"{folder}: the broker of this folder runs already. Stop it first, or name another folder.")
    for wanted in (chosen_port, chosen_web_port):
        if not _soon_free(wanted):
            raise BrokerError(f"port {wanted} is taken by another program. Stop it, or name another port.")
    _configure(broker, home, further or {})
    for _ in range(START_ATTEMPTS):
        _launch(broker, home)
        if (folder / "out.log").read_bytes().count(LOST_REGISTRATION) < 10:
            return broker
        # The storage of a broker that was killed found its old registration and takes itself for another from then on,
        # a thousand times a second, and for ever. One that is stopped in order takes its registration with it.
        stop(folder)
    raise BrokerError(f"the broker's storage did not come back after it was killed; see {folder / 'out.log'}.")


def _launch(broker: Broker, home: Path) -> None:
    """Run the broker's process and wait until it is healthy. Raises BrokerError."""
    folder = broker.folder
    java = machine_java_home()
    assert java is not None  # as the distribution was asked for
    with (folder / "out.log").open("w") as log:
        process = subprocess.Popen(
            [
                *(str(home / "bin" / "pulsar"), "standalone", "--no-functions-worker", "--no-stream-storage"),
                *("--advertised-address", "127.0.0.1"),
                *("--bookkeeper-dir", str(folder / "bookkeeper"), "--metadata-dir", str(folder / "metadata")),
            ],
            env=os.environ
            | {
                "JAVA_HOME": str(java),
                "PULSAR_STANDALONE_CONF": str(folder / "standalone.conf"),
                "PULSAR_LOG_DIR": str(folder / "logs"),
                "PULSAR_GC": "-XX:+UseSerialGC",
                "PULSAR_MEM": "-Xms256m -Xmx512m -XX:MaxDirectMemorySize=512m",
            },
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    (folder / "pid").write_text(str(process.pid))
    for _ in range(SECONDS_TO_START * 4):
        if process.poll() is not None:
            raise BrokerError(f"the broker stopped at its start; {folder / 'out.log'} says why.")
        if _healthy(broker):
            return
        time.sleep(0.25)
    stop(folder)
    raise BrokerError(f"the broker was not healthy after {SECONDS_TO_START} s; see {folder / 'out.log'}.")


def stop(folder: Path) -> bool:
    """Stop the broker of a folder and wait for its end; False where none runs."""
    process = process_id(folder)
    if process is None:
        return False
    _signal_group(process, signal.SIGTERM)
    for _ in range(SECONDS_TO_STOP * 10):
        if process_id(folder) is None:
            return True
        time.sleep(0.1)
    kill(folder)
    return True


def kill(folder: Path) -> None:
    """End the broker of a folder at once, as a crash would (SIGKILL); its data and ports stay."""
    process = process_id(folder)
    if process is not None:
        _signal_group(process, signal.SIGKILL)
    while process_id(folder) is not None:
        time.sleep(0.02)


@contextmanager
def running(folder: Path, *, with_token: bool = False, further: Mapping[str, object] | None = None) -> Iterator[Broker]:
    """A broker on free ports for as long as the block runs; it ends with this process, however that ends."""
    # a shell waits for this process's end of a pipe to close, which even SIGKILL does
    guard = subprocess.Popen(
        ["sh", "-c", 'cat >/dev/null; [ -e "$0" ] && kill -9 "-$(cat "$0")"', folder / "pid"],
        stdin=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield start(folder, with_token=with_token, further=further)
    finally:
        stop(folder)
        (folder / "pid").unlink(missing_ok=True)
        guard.communicate()


def _configure(broker: Broker, home: Path, further: Mapping[str, object]) -> None:
    settings: dict[str, object] = {
        "bindAddress": "127.0.0.1",
        "brokerServicePort": broker.port,
        "webServicePort": broker.web_port,
        "bookiePort": 0,  # any free one
        "listeningInterface": next(name for _, name in socket.if_nameindex() if name.startswith("lo")),
        "httpServerPort": 0,
        # by default a topic that nobody reads yet is deleted after a minute, with its messages
        "brokerDeleteInactiveTopicsEnabled": "false",
    }
    if broker.with_token:
        key = broker.folder / "secret.key"
        if not key.exists():
            key.touch(mode=0o600)
            key.write_bytes(secrets.token_bytes(32))
        settings |= {
            "authenticationEnabled": "true",
            "authenticationProviders": "org.apache.pulsar.broker.authentication.AuthenticationProviderToken",
            "authorizationEnabled": "true",
            "superUserRoles": ADMINISTRATOR,
            "tokenSecretKey": key.as_uri(),
            "brokerClientAuthenticationPlugin": "org.apache.pulsar.client.impl.auth.AuthenticationToken",
            "brokerClientAuthenticationParameters": json.dumps({"token": broker.token()}),
        }
    settings |= further
    shipped = (home / "conf" / "standalone.conf").read_text()
    kept = [line for line in shipped.splitlines() if line.partition("=")[0] not in settings]
    configuration = broker.folder / "standalone.conf"
    configuration.touch(mode=0o600)
    configuration.write_text("\n".join([*kept, *(f"{name}={value}" for name, value in settings.items())]) + "\n")


def process_id(folder: Path) -> int | None:
    """The process id of the broker of this folder, if it lives."""
    try:
        process = int((folder / "pid").read_text())
        with suppress(ChildProcessError):  # it was started by another process
            os.waitpid(process, os.WNOHANG)
        # a process id may have been given to another program since
        answer = subprocess.run(
            ["ps", "-ww", "-o", "args=", "-p", str(process)], capture_output=True, text=True, check=False
        )
    except (FileNotFoundError, ValueError):
        return None
    return process if str(folder.resolve()) in answer.stdout else None


def _signal_group(process: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process, number)


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _soon_free(port: int) -> bool:
    """Whether nothing listens on the port; a killed process still holds its ports for a short while."""
    for _ in range(20):
        with closing(socket.socket()) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                time.sleep(0.1)
            else:
                return True
    return False


# ---------------------------------------------------------------- administration


def create_topic(broker: Broker, topic: str, partitions: int = 0) -> None:
    """Create a topic (`persistent://tenant/namespace/name`); 0 partitions make a topic that has none."""
    _ask_until_done(broker, "PUT", f"{_topic_path(topic)}{'/partitions' if partitions else ''}", partitions or None)


def raise_partitions(broker: Broker, topic: str, partitions: int) -> None:
    """Give a partitioned topic more partitions."""
    _ask_until_done(broker, "POST", f"{_topic_path(topic)}/partitions", partitions)


def delete_topic(broker: Broker, topic: str, *, partitioned: bool = False) -> None:
    """Delete a topic with its messages and subscriptions, whoever is connected."""
    _ask_until_done(broker, "DELETE", f"{_topic_path(topic)}{'/partitions' if partitioned else ''}?force=true", None)


def _topic_path(topic: str) -> str:
    kind, _, name = topic.partition("://")
    return f"/admin/v2/{kind}/{quote(name)}"


def _ask_until_done(broker: Broker, method: str, path: str, body: int | None) -> None:
    """Ask the administration, again while a broker that has just started still waits for its storage."""
    for attempt in range(60):
        try:
            _ask(broker, method, path, body)
            return
        except HTTPError as error:
            reason = error.read().decode(errors="replace")
            if error.code == 409 and attempt:  # an earlier attempt was done although it was answered with an error
                return
            if error.code < 500:
                raise BrokerError(f"{method} {path}: {error.code} {reason}") from error
        except (URLError, OSError) as error:
            reason = str(error)
        time.sleep(0.5)
    raise BrokerError(f"{method} {path}: {reason}")


def _ask(broker: Broker, method: str, path: str, body: int | None = None) -> bytes:
    headers = {"Content-Type": "application/json"}
    if broker.with_token:
        headers["Authorization"] = f"Bearer {broker.token()}"
    request = Request(
        broker.admin_url + path,
        method=method,
        headers=headers,
        data=None if body is None else str(body).encode(),
    )
    with urlopen(request, timeout=10) as answer:
        content: bytes = answer.read()
        return content


def _healthy(broker: Broker) -> bool:
    try:
        _ask(broker, "GET", "/admin/v2/brokers/health")
        # a new broker is healthy before it has made its default namespace
        return b"public/default" in _ask(broker, "GET", "/admin/v2/namespaces/public")
    except (URLError, OSError):
        return False


# ---------------------------------------------------------------- the command


@click.group()
@click.option("--data-dir", type=click.Path(path_type=Path), envvar="INVENTORY_DATA_DIR", default="data")
@click.pass_context
def command(context: click.Context, data_dir: Path) -> None:
    """A real Pulsar broker on loopback."""
    context.obj = data_dir / "broker"


@command.command("start")
@click.option("--port", type=int, envvar="PULSAR_PORT", default=6650, show_default=True)
@click.option("--web-port", type=int, envvar="PULSAR_WEB_PORT", default=8080, show_default=True)
@click.option("--with-token", is_flag=True, help="Let in only who shows a token; one is written to DATA/broker")
@click.pass_obj
def start_command(folder: Path, port: int, web_port: int, with_token: bool) -> None:
    """Start the broker of the data folder; a running one is fine."""
    if process_id(folder):
        click.echo(f"the broker runs already (process {process_id(folder)})")
        return
    try:
        broker = start(folder, port, web_port, with_token=with_token)
    except BrokerError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"Pulsar {VERSION} serves on {broker.service_url}, its administration on {broker.admin_url}")
    if with_token:
        token_file = folder / "admin.token"
        token_file.touch(mode=0o600)
        token_file.write_text(broker.token())
        click.echo(f"export PULSAR_TOKEN_FILE={token_file.resolve()}")


@command.command("stop")
@click.pass_obj
def stop_command(folder: Path) -> None:
    """Stop the broker of the data folder; none running is fine."""
    click.echo("the broker has stopped" if stop(folder) else "the broker is not running")


if __name__ == "__main__":
    command()
