"""Start and stop Superset: `python -m dashboards.server check|start|stop`, in Superset's environment."""

from __future__ import annotations

import errno
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout, suppress
from pathlib import Path

import click

from dashboards.access.access_file import AccessError, published_stores, read_access
from dashboards.access.database_roles import write_roles
from dashboards.digests import HERE, configuration, to_apply
from ingest.durable_files import FolderBusyError, file_lock
from publish.server_state import Server, open_state, running_server, write_state
from serving_database import ServingDatabaseError, serving_database

DEFAULT_PORT = 8088
SECONDS_TO_START = 90
SECONDS_TO_STOP = 10


@click.group()
@click.option("--data-dir", type=click.Path(path_type=Path), envvar="INVENTORY_DATA_DIR", default="data")
@click.option("--port", type=int, envvar="SUPERSET_PORT", help=f"The running server's, else {DEFAULT_PORT}.")
@click.pass_context
def server(context: click.Context, data_dir: Path, port: int | None) -> None:
    """Superset on the published files, on loopback."""
    os.umask(0o077)
    os.environ["INVENTORY_DATA_DIR"] = str(data_dir.resolve())
    context.obj = (data_dir.resolve() / "superset", port)


@server.command()
@click.pass_obj
def check(place: tuple[Path, int | None]) -> None:
    """Fail if `start` could not have its port, which is better known before a long build than after it."""
    home, port = place
    if not _running_on(home, port):
        _listen(port or DEFAULT_PORT).close()


@server.command()
@click.pass_obj
def start(place: tuple[Path, int | None]) -> None:
    """Apply what has changed in the dashboards folder, then serve; already serving is fine."""
    home, port = place
    published = home.parent / "export" / "inventory_metrics.db"
    if not published.exists():
        raise click.ClickException(f"{published} does not exist. Run `make pipeline` first.")
    with _report_full_disk(home):
        _start(home, port)


def _start(home: Path, port: int | None) -> None:
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _one_start_at_a_time(home):
        running = _running_on(home, port)
        listener = None if running else _listen(port or DEFAULT_PORT)
        _prepare(home)
        if running and running.configuration == configuration():
            if not running.answers():
                raise click.ClickException(
                    f"Superset does not answer on {running.url}. Run `make stop`, then try again."
                )
            click.echo(f"  Superset is serving already on {running.url}")
            return
        if running:
            click.echo("  the configuration has changed: restarting the server")
            _end(running, home)
        _serve(home, listener or _listen(running.port if running else DEFAULT_PORT))


@server.command()
@click.pass_obj
def stop(place: tuple[Path, int | None]) -> None:
    """Stop the server that `start` left running; none running is fine."""
    home, _ = place
    running = running_server(home)
    if running:
        click.echo(f"  Superset has stopped{_end(running, home)}")
    else:
        click.echo("  Superset is not running")


@contextmanager
def _report_full_disk(home: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise
        raise click.ClickException(
            f"the disk is full: {home} could not be written. Free some space, then run `make run` again."
        ) from error


@contextmanager
def _one_start_at_a_time(home: Path) -> Iterator[None]:
    with ExitStack() as stack:
        try:
            stack.enter_context(file_lock(home, "starting Superset"))
        except FolderBusyError:
            click.echo("  waiting for another start to end")
            stack.enter_context(file_lock(home, "starting Superset", wait=True))
        yield


def _running_on(home: Path, port: int | None) -> Server | None:
    """The running server. Raises ClickException if it serves on another port than the one asked for."""
    running = running_server(home)
    if running and port not in {None, running.port}:
        raise click.ClickException(
            f"Superset serves {running.data_dir} on port {running.port} already. "
            f"To move it to port {port}, run `make stop` first; to keep it, set SUPERSET_PORT={running.port}."
        )
    return running


def _listen(port: int) -> socket.socket:
    """A socket on the port for the server to take over, so that nobody can take the port in between."""
    listener = socket.socket()
    # as gunicorn does: a port that its last user has just left is free
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError as error:
        listener.close()
        raise click.ClickException(
            f"port {port} is taken by another program, perhaps by the dashboards of another data folder. "
            "Stop it, or set SUPERSET_PORT to another port."
        ) from error
    return listener


def _prepare(home: Path) -> None:
    """Apply the dashboards folder, unless nothing in it has changed since it was applied."""
    key = home / "secret_key"
    if not key.exists() or not key.read_text():  # a full disk leaves an empty file
        key.write_text(secrets.token_urlsafe(42))
    os.environ["SUPERSET_CONFIG_PATH"] = str(HERE / "superset_config.py")
    applied = home / "applied"
    try:
        state = to_apply(published_stores(home.parent / "export"))
        database = serving_database()
        if database:
            # at each start: the database may be a new one
            write_roles(database, home, read_access(home.parent / "export"))
    except (AccessError, ServingDatabaseError) as error:
        raise click.ClickException(str(error)) from error
    if applied.exists() and applied.read_text() == state and (home / "superset.db").exists():
        return
    from dashboards.apply import apply
    from dashboards.assets.bundle import AssetError

    terminal = sys.stdout
    # one apply logs little, so each replaces the log of the one before
    with (home / "apply.log").open("w") as log, redirect_stdout(log), redirect_stderr(log):
        try:
            apply(home, lambda stage: click.echo(f"  {stage}", file=terminal))
        except (AccessError, AssetError) as error:
            raise click.ClickException(str(error)) from error
        except Exception as error:
            traceback.print_exc()
            reason = str(error).partition("\n")[0]
            raise click.ClickException(f"the dashboards were not applied: {reason}. See {log.name}.") from error
    applied.write_text(state)


def _serve(home: Path, listener: socket.socket) -> None:
    click.echo("  starting the server")
    port = listener.getsockname()[1]
    environment = os.environ | {"PYTHONPATH": str(HERE.parent), "PYTHONUNBUFFERED": "1"}
    log = subprocess.Popen(
        [sys.executable, "-m", "dashboards.rotating_log", home / "server.log"],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    with listener, open_state(home) as state:
        process = subprocess.Popen(
            [
                str(Path(sys.executable).with_name("gunicorn")),
                f"--bind=fd://{listener.fileno()}",
                "--worker-class=gthread",
                "--threads=8",
                "--timeout=120",
                "--keep-alive=75",  # after its usual two seconds a browser may meet a closed connection
                "--graceful-timeout=5",
                "--no-control-socket",
                "--limit-request-line=0",
                "--limit-request-field_size=0",
                "superset.app:create_app()",
            ],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log.stdin,
            stderr=log.stdin,
            pass_fds=(listener.fileno(), state.fileno()),
            start_new_session=True,
        )
        started = Server(process.pid, port, str(home.parent), configuration())
        write_state(state, started)
    deadline = time.monotonic() + SECONDS_TO_START
    while not started.answers():
        if process.poll() is not None:
            raise click.ClickException(f"Superset stopped at its start; {home / 'server.log'} says why.")
        if time.monotonic() > deadline:
            os.killpg(process.pid, signal.SIGKILL)
            raise click.ClickException(f"Superset does not answer on port {port}; {home / 'server.log'} says why.")
        time.sleep(0.5)


def _end(running: Server, home: Path) -> str:
    """End the server's processes, by force if they do not end by themselves; return what was needed, if anything."""
    with suppress(ProcessLookupError):
        os.kill(running.process, signal.SIGTERM)
    if _has_ended(home):
        return ""
    with suppress(ProcessLookupError):
        os.killpg(running.process, signal.SIGKILL)
    if _has_ended(home):
        return f", by force: it was still at work {SECONDS_TO_STOP} seconds after it was asked to"
    raise click.ClickException(f"process {running.process} does not stop. See {home / 'server.log'}.")


def _has_ended(home: Path) -> bool:
    for _ in range(SECONDS_TO_STOP * 5):
        if not running_server(home):
            return True
        time.sleep(0.2)
    return False


if __name__ == "__main__":
    server()
