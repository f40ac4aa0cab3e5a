"""A Superset on a data folder, for tests that ask it as people and programs do."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from dev.pulsar_broker import free_port

ROOT = Path(__file__).parents[1]
PYTHON = ROOT / ".venv-superset/bin/python"


@dataclass
class Site:
    """A server's data folder and port, and the folder whose `dashboards/` it serves."""

    data_dir: Path
    port: int
    project: Path = ROOT

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def run(self, command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """`start`, `stop` or `check`, as `make` runs it."""
        process = self.begin(command, **environment)
        output, errors = process.communicate()
        return subprocess.CompletedProcess(process.args, process.returncode, output, errors)

    def begin(self, command: str, **environment: str) -> subprocess.Popen[str]:
        """The same, without waiting for its end."""
        return subprocess.Popen(
            [PYTHON, "-m", "dashboards.server", command],
            cwd=self.project,
            env=self._environment() | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def start(self, **environment: str) -> str:
        """Start the server, or apply what has changed; return what was reported."""
        started = self.run("start", **environment)
        assert started.returncode == 0, started.stdout + started.stderr
        return started.stdout

    def _environment(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("SUPERSET_", "PYTHON"))}
        return inherited | {"INVENTORY_DATA_DIR": str(self.data_dir), "SUPERSET_PORT": str(self.port)}

    def password(self, user: str) -> str:
        return (self.data_dir / "superset/passwords" / user).read_text().strip()

    def client(self) -> Client:
        """Somebody who has not signed in yet."""
        return Client(self.url)

    def signed_in(self, user: str) -> Client:
        """A client who is signed in with the password that the server made."""
        client = self.client()
        assert client.sign_in(user, self.password(user)), user
        return client

    def copy(self, folder: Path) -> Site:
        """Another site with the same users and tables, its data and its code below `folder`, not started."""
        data_dir, project = folder / "data", folder / "project"
        shutil.copytree(self.data_dir / "export", data_dir / "export")
        shutil.copytree(
            self.data_dir / "superset", data_dir / "superset", ignore=shutil.ignore_patterns("server.*", "sessions")
        )
        for package in ("dashboards", "publish", "notify", "ingest"):
            shutil.copytree(ROOT / package, project / package, ignore=shutil.ignore_patterns("__pycache__"))
        for described in ("models/serving", "models/docs"):
            shutil.copytree(ROOT / described, project / described)
        for file in ("requirements-superset.lock", "serving_database.py"):
            shutil.copy(ROOT / file, project)
        return Site(data_dir, free_port(), project)


class Client(requests.Session):
    """A browser without JavaScript: it keeps cookies and sends the token that Superset asks of forms and the API."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url
        self.headers["Referer"] = url

    def ask(self, path: str, method: str = "GET", **arguments: Any) -> requests.Response:
        if method != "GET":
            self.renew_token()
        return self.request(method, f"{self.url}{path}", timeout=60, **arguments)

    def renew_token(self) -> None:
        """Send the token of the session with what follows."""
        self.headers["X-CSRFToken"] = self._token()

    def _token(self) -> str:
        page = self.get(f"{self.url}/login/", timeout=60).text
        found = re.search(r'name="csrf_token"[^>]+value="([^"]+)"', page)
        assert found, page
        return found[1]

    def sign_in(self, user: str, password: str) -> bool:
        self.try_to_sign_in(user, password)
        return self.is_signed_in()

    def try_to_sign_in(self, user: str, password: str, **headers: str) -> requests.Response:
        form = {"username": user, "password": password, "csrf_token": self._token()}
        return self.post(f"{self.url}/login/", data=form, headers=headers, allow_redirects=False, timeout=60)

    def is_signed_in(self) -> bool:
        return self.get(f"{self.url}/api/v1/me/", timeout=60).status_code == 200
