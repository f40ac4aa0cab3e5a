"""The page /today with 20 managers at once, each asking again as soon as the page is there.

It asks the server that `make run` left running on the data folder. The baseline is one manager alone.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import requests

from bench import Figure
from publish.server_state import running_server

MANAGERS = 20
PAGES = 20  # for each manager
HOME = Path(os.environ.get("INVENTORY_DATA_DIR", "data")) / "superset"


def run() -> Iterator[Figure]:
    """Yield the median and the 95th percentile of the seconds that a page takes, and its size."""
    server = running_server(HOME)
    if server is None:
        raise SystemExit(f"no server is running on {HOME.parent}; start one with `make run`")
    # the sign-in is no part of what is measured, and the limiter lets one address try only so often
    sessions = [_signed_in(server.url, login) for login in islice(cycle(_logins()), MANAGERS)]
    size = len(_page(sessions[0], server.url).content)
    alone = _seconds(sessions[:1], server.url)
    together = _seconds(sessions, server.url)
    yield Figure("one manager, median and p95", _written(alone))
    yield Figure(
        f"{MANAGERS} managers at once, median and p95",
        _written(together),
        _written(alone),
        float(np.quantile(together, 0.95) / np.quantile(alone, 0.95)),
        "p95 <= 500 ms",
    )
    yield Figure("size of the page", f"{size / 1000:.1f} kB", goal="<= 60 kB with its style")


def _logins() -> list[str]:
    return sorted(path.name for path in (HOME / "passwords").iterdir())


def _signed_in(url: str, login: str) -> requests.Session:
    session = requests.Session()
    page = session.get(f"{url}/login/", timeout=60).text
    token = re.search(r'name="csrf_token"[^>]+value="([^"]+)"', page)
    assert token, page
    password = (HOME / "passwords" / login).read_text().strip()
    form = {"username": login, "password": password, "csrf_token": token[1]}
    session.post(f"{url}/login/", data=form, timeout=60).raise_for_status()
    return session


def _page(session: requests.Session, url: str) -> requests.Response:
    answer = session.get(f"{url}/today/", timeout=60, allow_redirects=False)
    assert answer.status_code == 200, answer.status_code
    return answer


def _seconds(sessions: list[requests.Session], url: str) -> list[float]:
    """What each page took, all sessions asking at once."""

    def ask(session: requests.Session) -> list[float]:
        taken = []
        for _ in range(PAGES):
            start = time.perf_counter()
            _page(session, url)
            taken.append(time.perf_counter() - start)
        return taken

    with ThreadPoolExecutor(len(sessions)) as threads:
        return [seconds for taken in threads.map(ask, sessions) for seconds in taken]


def _written(seconds: list[float]) -> str:
    return " and ".join(f"{1000 * np.quantile(seconds, share):.0f} ms" for share in (0.5, 0.95))
