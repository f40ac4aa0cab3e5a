"""How long each page takes until its last chart is drawn, in a real browser on the server of `make run`.

Cold: a new browser, and no answer is kept. Warm: the same page again. The browser's own work is most of it, so the
time of the answers stands beside it. Then 20 managers ask at once what a browser asked for one page.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from statistics import median, quantiles
from time import monotonic
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bench import Figure
from bench._managers import MANAGERS, managers, median_and_p95, running_site, seconds
from tests.serving import Client, Site

if TYPE_CHECKING:
    from playwright.sync_api import Request

REPEATS = int(os.environ.get("BENCH_PAGES_REPEATS", "5"))
USER = os.environ.get("BENCH_PAGES_USER", "regional")
ROOT = Path(__file__).parents[1]
GOALS = {"cold": "", "warm": "3.0 s, its answers 0.5 s, on an idle machine"}
ALL_DRAWN = """() => {
    const charts = [...document.querySelectorAll('.chart-slice')].filter(chart => chart.offsetParent);
    return charts.length && charts.every(chart =>
        !chart.querySelector('[data-test=loading-indicator], .loading') &&
        chart.querySelector('canvas, table, .header-line, .ant-empty'));
}"""
ANSWER = "/api/v1/chart/data"
ASKED_TOGETHER = "overview"
JSON = {"Content-Type": "application/json"}
# seconds from the first request for an answer to the end of the last one
ANSWERS = """() => {
    const asked = performance.getEntriesByType('resource').filter(each => each.name.includes('/api/v1/chart/data'));
    return asked.length ? (Math.max(...asked.map(each => each.responseEnd))
        - Math.min(...asked.map(each => each.startTime))) / 1000 : 0;
}"""


def run() -> Iterator[Figure]:
    """Yield the times of each page, cold and warm. Raises SystemExit where no server runs."""
    from tests.browser.chromium import chromium, sign_in, wait_until

    site = running_site()
    asked: list[tuple[str, str]] = []  # address and body of what a browser asks for the page of ASKED_TOGETHER
    with chromium() as browser:
        for path in sorted((ROOT / "dashboards" / "pages").glob("*.yaml")):
            address = f"{site.url}/superset/dashboard/{path.stem.replace('_', '-')}/"
            times: dict[str, list[tuple[float, float]]] = {"cold": [], "warm": []}
            for _ in range(REPEATS):
                context = browser.new_context(viewport={"width": 1440, "height": 1000})
                page = context.new_page()
                sign_in(page, site, USER, site.password(USER))
                page.wait_for_url(lambda url: "/login" not in url)
                _forget_answers(site)
                if path.stem == ASKED_TOGETHER:
                    page.on("request", lambda sent: asked.extend(_question(sent)))
                for measured in times.values():
                    started = monotonic()
                    page.goto(address)
                    page.wait_for_selector(".chart-slice", timeout=120_000)
                    wait_until(page, ALL_DRAWN, seconds=120)
                    measured.append((monotonic() - started, page.evaluate(ANSWERS)))
                context.close()
            for state, measured in times.items():
                whole, answered = zip(*measured, strict=True)
                value = f"p50 {median(whole):.1f} s, p95 {_p95(whole):.1f} s; answers p50 {median(answered):.2f} s"
                yield Figure(f"{path.stem}, {state}", value, goal=GOALS[state])
    yield from _together(site, asked)


def _together(site: Site, asked: list[tuple[str, str]]) -> Iterator[Figure]:
    asking, questions = managers(site), list(dict.fromkeys(asked))

    def ask(manager: Client, number: int) -> None:
        address, body = questions[number]
        answer = manager.post(f"{site.url}{address}", data=body, headers=JSON, timeout=60)
        assert answer.status_code == 200, answer.text

    for state in GOALS:
        if state == "cold":
            _forget_answers(site)
        measured = seconds(asking, ask, len(questions))
        name = f"{MANAGERS} managers at once on {ASKED_TOGETHER}, an answer, {state}"
        yield Figure(f"{name}, median and p95", median_and_p95(measured), goal="p95 <= 3 s")


def _question(sent: Request) -> list[tuple[str, str]]:
    address = urlsplit(sent.url)
    return [(f"{ANSWER}?{address.query}", sent.post_data or "")] if address.path == ANSWER else []


def _forget_answers(site: Site) -> None:
    for kept in (site.data_dir / "superset" / "cache" / "data").glob("*"):
        kept.unlink()


def _p95(seconds: tuple[float, ...]) -> float:
    return quantiles(seconds, n=20, method="inclusive")[-1] if len(seconds) > 1 else seconds[0]
