"""The page /today with 20 managers at once. The baseline is one manager alone."""

from __future__ import annotations

from collections.abc import Iterator

from bench import Figure
from bench._managers import MANAGERS, managers, median_and_p95, p95, running_site, seconds
from tests.serving import Client

PAGES = 20  # for each manager


def run() -> Iterator[Figure]:
    """Yield the median and the 95th percentile of the time that a page takes, and its size."""
    asking = managers(running_site())
    size = len(asking[0].ask("/today/").content)
    alone = seconds(asking[:1], _ask, PAGES)
    together = seconds(asking, _ask, PAGES)
    yield Figure("one manager, median and p95", median_and_p95(alone))
    yield Figure(
        f"{MANAGERS} managers at once, median and p95",
        median_and_p95(together),
        median_and_p95(alone),
        p95(together) / p95(alone),
        "p95 <= 500 ms",
    )
    yield Figure("size of the page", f"{size / 1000:.1f} kB", goal="<= 60 kB with its style")


def _ask(manager: Client, _number: int) -> None:
    answer = manager.get(f"{manager.url}/today/", timeout=60, allow_redirects=False)
    assert answer.status_code == 200, answer.status_code
