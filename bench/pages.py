"""How long each page takes until its last chart is drawn, in a real browser on the server of `make run`.

Cold: a new browser, and no answer is kept. Warm: the same page again. The browser's own work is most of it, so the
time of the answers stands beside it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from statistics import median, quantiles
from time import monotonic

from bench import Figure
from publish.server_state import running_server

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
# seconds from the first request for an answer to the end of the last one
ANSWERS = """() => {
    const asked = performance.getEntriesByType('resource').filter(each => each.name.includes('/api/v1/chart/data'));
    return asked.length ? (Math.max(...asked.map(each => each.responseEnd))
        - Math.min(...asked.map(each => each.startTime))) / 1000 : 0;
}"""


def run() -> Iterator[Figure]:
    """Yield the times of each page, cold and warm. Raises SystemExit where no server runs."""
    from playwright.sync_api import sync_playwright

    data_dir = Path(os.environ.get("INVENTORY_DATA_DIR", "data")).resolve()
    server = running_server(data_dir / "superset")
    if server is None:
        raise SystemExit(f"no dashboards are served from {data_dir}. Run `make run` first.")
    password = (data_dir / "superset" / "passwords" / USER).read_text().strip()
    answers = data_dir / "superset" / "cache" / "data"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--headless", "--no-sandbox", "--disable-gpu"]
        )
        for path in sorted((ROOT / "dashboards" / "pages").glob("*.yaml")):
            address = f"{server.url}/superset/dashboard/{path.stem.replace('_', '-')}/"
            times: dict[str, list[tuple[float, float]]] = {"cold": [], "warm": []}
            for _ in range(REPEATS):
                context = browser.new_context(viewport={"width": 1440, "height": 1000})
                page = context.new_page()
                page.goto(f"{server.url}/login/")
                page.fill("#username", USER)
                page.fill("#password", password)
                page.click("button[type=submit]")
                page.wait_for_url(lambda url: "/login" not in url)
                for kept in answers.glob("*"):
                    kept.unlink()
                for measured in times.values():
                    started = monotonic()
                    page.goto(address)
                    page.wait_for_selector(".chart-slice", timeout=120_000)
                    page.wait_for_function(ALL_DRAWN, timeout=120_000)
                    measured.append((monotonic() - started, page.evaluate(ANSWERS)))
                context.close()
            for state, measured in times.items():
                whole, answered = zip(*measured, strict=True)
                value = f"p50 {median(whole):.1f} s, p95 {_p95(whole):.1f} s; answers p50 {median(answered):.2f} s"
                yield Figure(f"{path.stem}, {state}", value, goal=GOALS[state])
        browser.close()


def _p95(seconds: tuple[float, ...]) -> float:
    return quantiles(seconds, n=20, method="inclusive")[-1] if len(seconds) > 1 else seconds[0]
