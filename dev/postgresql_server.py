"""A real PostgreSQL server on loopback, for tests and benchmarks: Debian's binaries, its data in a temporary folder."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from dev.pulsar_broker import free_port

BINARIES = Path("/usr/lib/postgresql/15/bin")
UNPRIVILEGED = "nobody"  # PostgreSQL refuses to run as root
SUPERUSER = "postgres"
PUBLISHER = "inventory"


@dataclass(frozen=True)
class Postgresql:
    """A server, and the password of its superuser and of the role that publishes, which may make roles, but no more."""

    folder: Path
    port: int
    password: str = field(repr=False)

    def url(self, database: str, role: str = PUBLISHER, password: str | None = None) -> str:
        return f"postgresql://{quote(role)}:{quote(password or self.password)}@127.0.0.1:{self.port}/{database}"

    def create_database(self, name: str) -> str:
        """Create an empty database that the publisher owns; return its address."""
        self.execute(f"create database {name} owner {PUBLISHER}")
        return self.url(name)

    def execute(self, statement: str, database: str = SUPERUSER) -> None:
        """Run a statement as the superuser."""
        import psycopg2

        with closing(psycopg2.connect(self.url(database, SUPERUSER))) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statement)

    def start(self) -> None:
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories="
        _run("pg_ctl", "-D", str(self.folder / "data"), "-o", options, "-l", str(self.folder / "log"), "-w", "start")

    def kill(self) -> None:
        """End all its processes at once, as a failure of the machine would."""
        lock = self.folder / "data" / "postmaster.pid"
        process = int(lock.read_text().split()[0])
        children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
        for each in (process, *map(int, children)):
            os.kill(each, signal.SIGKILL)
        # in a container without an init, a killed process stays a zombie, which the next start would take for a server
        lock.unlink()

    def stop(self) -> None:
        with suppress(subprocess.CalledProcessError):
            _run("pg_ctl", "-D", str(self.folder / "data"), "-m", "immediate", "-w", "stop")


def missing_prerequisites() -> str | None:
    """What this machine lacks for a server and how to get it; None where it has all."""
    if (BINARIES / "initdb").exists():
        return None
    return "no PostgreSQL server can run here. Missing: PostgreSQL 15 (Debian: apt-get install postgresql-15)."


@contextmanager
def running() -> Iterator[Postgresql]:
    """A new server for as long as the context lasts. Whoever signs in needs a password."""
    with tempfile.TemporaryDirectory(prefix="postgresql-") as folder:
        server = Postgresql(Path(folder), free_port(), secrets.token_urlsafe(16))
        _create(server)
        server.start()
        try:
            server.execute(f"create role {PUBLISHER} login createrole password '{server.password}'")
            yield server
        finally:
            server.stop()


def _create(server: Postgresql) -> None:
    folder = server.folder
    password_file = folder / "password"
    password_file.write_text(server.password)
    if os.geteuid() == 0:
        for path in (folder, password_file):
            shutil.chown(path, UNPRIVILEGED)
    _run(
        *("initdb", "-D", str(folder / "data"), "-U", SUPERUSER, "--auth=scram-sha-256", "--encoding=UTF8"),
        *("--locale=C.UTF-8", f"--pwfile={password_file}"),
    )


def _run(program: str, *arguments: str) -> None:
    user = UNPRIVILEGED if os.geteuid() == 0 else None
    # a server that is left running keeps what it inherits open: its output would never end
    subprocess.run(
        [BINARIES / program, *arguments],
        user=user,
        group=pwd.getpwnam(user).pw_gid if user else None,
        extra_groups=[] if user else None,
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=True,
    )
