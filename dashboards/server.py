"""Start and stop Superset: `python -m dashboards.server start|stop`, in Superset's environment."""

from __future__ import annotations

import hashlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import click

from dashboards.access.access_file import AccessError, published_stores

HERE = Path(__file__).parent
SECONDS_TO_START = 90


@click.group()
@click.option("--data-dir", type=click.Path(path_type=Path), envvar="INVENTORY_DATA_DIR", default="data")
@click.option("--port", type=int, envvar="SUPERSET_PORT", default=8088, show_default=True)
@click.pass_context
def server(context: click.Context, data_dir: Path, port: int) -> None:
    """Superset on the published files, on loopback."""
    os.environ["INVENTORY_DATA_DIR"] = str(data_dir.resolve())
    context.obj = (data_dir.resolve() / "superset", port)


@server.command()
@click.pass_obj
def start(place: tuple[Path, int]) -> None:
    """Apply what has changed in the dashboards folder, then serve; already serving is fine."""
    home, port = place
    published = home.parent / "export" / "inventory_metrics.db"
    if not published.exists():
        raise click.ClickException(f"{published} does not exist. Run `make pipeline` first.")
    running = _running(home)
    if not running and _taken(port):
        raise click.ClickException(f"port {port} is taken by another program. Stop it, or set SUPERSET_PORT.")
    _prepare(home)
    if running:
        click.echo(f"  Superset is serving already (process {running})")
        return
    click.echo("  starting the server")
    environment = os.environ | {"PYTHONPATH": str(HERE.parent)}
    with (home / "server.log").open("a") as log:
        process = subprocess.Popen(
            [
                str(Path(sys.executable).with_name("gunicorn")),
                f"--bind=127.0.0.1:{port}",
                "--worker-class=gthread",
                "--threads=8",
                "--timeout=120",
                "--no-control-socket",
                "--limit-request-line=0",
                "--limit-request-field_size=0",
                f"--pid={home / 'server.pid'}",
                "superset.app:create_app()",
            ],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    for _ in range(SECONDS_TO_START * 2):
        if _healthy(port):
            return
        if process.poll() is not None:
            raise click.ClickException(f"Superset stopped at its start; {home / 'server.log'} says why.")
        time.sleep(0.5)
    raise click.ClickException(f"Superset does not answer on port {port}; see {home / 'server.log'}.")


@server.command()
@click.pass_obj
def stop(place: tuple[Path, int]) -> None:
    """Stop the server that `start` left running; none running is fine."""
    home, _ = place
    running = _running(home)
    if not running:
        click.echo("  Superset is not running")
        return
    os.kill(running, signal.SIGTERM)
    for _ in range(60):
        if not _running(home):
            click.echo("  Superset has stopped")
            return
        time.sleep(0.5)
    raise click.ClickException(f"process {running} does not stop. Look at {home / 'server.log'}.")


def _prepare(home: Path) -> None:
    """Apply the dashboards folder, unless nothing in it has changed since it was applied."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = home / "secret_key"
    if not key.exists():
        key.touch(mode=0o600)
        key.write_text(secrets.token_urlsafe(42))
    os.environ["SUPERSET_CONFIG_PATH"] = str(HERE / "superset_config.py")
    mark = home / "applied"
    try:
        stores = published_stores(home.parent / "export")
    except AccessError as error:
        raise click.ClickException(str(error)) from error
    state = _state(stores)
    if mark.exists() and mark.read_text() == state and (home / "superset.db").exists():
        return
    from dashboards.apply import AssetError, apply

    terminal = sys.stdout
    with (home / "apply.log").open("w") as log, redirect_stdout(log), redirect_stderr(log):
        try:
            apply(home, lambda stage: click.echo(f"  {stage}", file=terminal))
        except (AccessError, AssetError) as error:
            raise click.ClickException(str(error)) from error
    mark.write_text(state)


def _state(stores: set[str]) -> str:
    """A digest of all that is applied. Each store in the data has a role of its own."""
    digest = hashlib.sha256(repr(sorted(stores)).encode())
    for path in _applied_files():
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _applied_files() -> Iterator[Path]:
    yield HERE / "access.yml"
    yield HERE / "apply.py"
    yield HERE / "superset_config.py"
    yield from sorted((HERE / "access").glob("*.py"))
    yield HERE.parent / "requirements-superset.lock"
    yield from sorted((HERE / "assets").rglob("*.yaml"))


def _running(home: Path) -> int | None:
    """The process id of the server of this data folder, if it lives."""
    try:
        process = int((home / "server.pid").read_text())
        command = Path(f"/proc/{process}/cmdline")
        # a process id may have been given to another program since
        if command.parent.parent.is_dir() and b"superset.app" not in command.read_bytes():
            return None
        os.kill(process, 0)
    except (FileNotFoundError, ValueError, ProcessLookupError):
        return None
    return process


def _taken(port: int) -> bool:
    with socket.socket() as probe:
        # as gunicorn does: a port that its last user has just left is free
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def _healthy(port: int) -> bool:
    try:
        with urlopen(f"http://127.0.0.1:{port}/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False


if __name__ == "__main__":
    server()
