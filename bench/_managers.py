"""Twenty managers who ask the server of `make run` at once, each again as soon as it has answered."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, islice
from pathlib import Path

import numpy as np

from publish.server_state import running_server
from tests.serving import Client, Site

MANAGERS = 20


def running_site() -> Site:
    """The server that `make run` left running on the data folder. Raises SystemExit where there is none."""
    data_dir = Path(os.environ.get("INVENTORY_DATA_DIR") or "data").resolve()
    server = running_server(data_dir / "superset")
    if server is None:
        raise SystemExit(f"no dashboards are served from {data_dir}. Run `make run` first.")
    return Site(data_dir, server.port)


def managers(site: Site) -> list[Client]:
    """Managers who are signed in. This is not measured: the server lets one address try only so often."""
    logins = sorted(path.name for path in (site.data_dir / "superset" / "passwords").iterdir())
    signed_in = [site.signed_in(login) for login in islice(cycle(logins), MANAGERS)]
    for manager in signed_in:
        manager.renew_token()
    return signed_in


def seconds(asking: list[Client], ask: Callable[[Client, int], None], times: int) -> list[float]:
    """What each answer took. `ask` gets the manager and the number of the question."""

    def measure(manager: Client) -> list[float]:
        taken = []
        for number in range(times):
            start = time.perf_counter()
            ask(manager, number)
            taken.append(time.perf_counter() - start)
        return taken

    with ThreadPoolExecutor(len(asking)) as threads:
        return [each for taken in threads.map(measure, asking) for each in taken]


def p95(measured: list[float]) -> float:
    return float(np.quantile(measured, 0.95))


def median_and_p95(measured: list[float]) -> str:
    return f"{1000 * np.median(measured):.0f} ms and {1000 * p95(measured):.0f} ms"
