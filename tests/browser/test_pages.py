"""The pages as people see them: a real Superset on the built files, a real browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
import yaml
from playwright.sync_api import Browser, Page, Response

from bench.pages import ALL_DRAWN
from tests.browser.conftest import sign_in
from tests.conftest import ROOT
from tests.serving import Site

PAGES = {
    path.stem.replace("_", "-"): yaml.safe_load(path.read_text())
    for path in sorted((ROOT / "dashboards/pages").glob("*.yaml"))
}
# the boxes of all charts that are shown: left, top, right, bottom
BOXES = """() => [...document.querySelectorAll('.chart-slice')].filter(chart => chart.offsetParent).map(chart => {
    const box = chart.getBoundingClientRect();
    return [chart.dataset.testChartName, box.left, box.top, box.right, box.bottom];
})"""
SHOWN_EMPTY = """() => [...document.querySelectorAll('.chart-slice')].filter(
    chart => chart.offsetParent && chart.querySelector('.ant-empty')
).map(chart => chart.dataset.testChartName)"""
# these events have no labels, and all came in time
MAY_BE_EMPTY = {
    "Lost sales per day",
    "Readings that came too late",
    "How well detectors find labelled anomalies",
    "What the models find, by kind",
}
WIDTHS = {1440: 1500, 768: 1024, 390: 844}


@dataclass
class Visitor:
    """Somebody who is signed in, and what went wrong before his eyes."""

    page: Page
    site: Site
    wrong: list[str] = field(default_factory=list)

    def watch(self) -> None:
        self.page.on("console", lambda said: self.wrong.append(said.text) if said.type == "error" else None)
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("response", lambda answer: self.wrong.append(answer.url) if answer.status >= 400 else None)
        self.page.on("request", lambda asked: None if self._is_inside(asked.url) else self.wrong.append(asked.url))

    def _is_inside(self, url: str) -> bool:
        return url.startswith((self.site.url, "data:", "blob:"))

    def open(self, name: str, width: int) -> None:
        """Open a page at a width and wait until every chart is drawn, also those below the fold."""
        # a page that becomes narrow loads itself again, which would come in between
        self.page.goto("about:blank")
        self.page.set_viewport_size({"width": width, "height": WIDTHS[width]})
        self.page.goto(f"{self.site.url}/superset/dashboard/{name}/")
        self.page.wait_for_selector(".chart-slice", timeout=60_000)
        self.page.set_viewport_size({"width": width, "height": 4500})
        self.wait()

    def wait(self) -> None:
        self.page.wait_for_function(ALL_DRAWN, timeout=60_000)

    def text(self) -> str:
        return self.page.inner_text("body")


@pytest.fixture(scope="module", params=["admin", "regional", "store_a"])
def visitor(request: pytest.FixtureRequest, browser: Browser, site: Site) -> Iterator[Visitor]:
    context = browser.new_context(viewport={"width": 1440, "height": 1500})
    visitor = Visitor(context.new_page(), site)
    sign_in(visitor.page, site, request.param, site.password(request.param))
    visitor.page.wait_for_url(lambda url: "/login" not in url)
    visitor.watch()
    yield visitor
    context.close()


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", PAGES)
def test_every_chart_is_filled_and_readable(visitor, name, width):
    visitor.wrong.clear()
    visitor.open(name, width)
    assert not visitor.wrong
    assert set(visitor.page.evaluate(SHOWN_EMPTY)) <= MAY_BE_EMPTY
    boxes = visitor.page.evaluate(BOXES)
    assert len(boxes) >= sum(map(len, PAGES[name]["rows"]))
    for chart, left, top, right, bottom in boxes:
        assert left >= 0, chart
        assert right <= width, chart
        assert right - left >= 140, f"{chart} is {right - left} wide"
        for other, *box in boxes:
            apart = right <= box[0] or box[2] <= left or bottom <= box[1] or box[3] <= top
            assert other == chart or apart, f"{chart} covers {other}"
    assert visitor.page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("name", [name for name, page in PAGES.items() if "tabs" in page])
def test_every_tab_is_filled(visitor, name):
    visitor.wrong.clear()
    visitor.open(name, 1440)
    for number, tab in enumerate(PAGES[name]["tabs"]):
        visitor.page.locator(".ant-tabs-tab").nth(number).click()
        visitor.page.wait_for_timeout(300)
        visitor.wait()
        assert set(visitor.page.evaluate(SHOWN_EMPTY)) <= MAY_BE_EMPTY, tab
    assert not visitor.wrong


@pytest.mark.parametrize(
    ("user", "own", "other"), [("store_a", "Store_A", "Store_B"), ("store_b", "Store_B", "Store_A")]
)
def test_a_store_manager_sees_only_the_own_store(page, site, user, own, other):
    asked: list[Response] = []
    page.on("response", lambda answer: asked.append(answer) if "/api/v1/chart/data" in answer.url else None)
    sign_in(page, site, user, site.password(user))
    page.wait_for_url(lambda url: "/login" not in url)
    visitor = Visitor(page, site)
    visitor.open("overview", 1440)
    assert own in visitor.text()
    assert other not in visitor.text()
    answers = [answer.text() for answer in asked]
    assert answers
    assert not [answer for answer in answers if other in answer]


def test_a_click_in_a_chart_filters_the_others(page, site):
    """Also those whose dataset lacks the column."""
    sign_in(page, site, "store_a", site.password("store_a"))
    page.wait_for_url(lambda url: "/login" not in url)
    Visitor(page, site).open("overview", 1440)
    statuses: list[int] = []

    def is_the_last(answer: Response) -> bool:
        if "/api/v1/chart/data" in answer.url:
            statuses.append(answer.status)
        return len(statuses) == 7

    with page.expect_response(is_the_last):
        page.locator("td").filter(has_text=re.compile("^[1-4] (critical|high|medium|info)$")).first.click()
    assert set(statuses) == {200}


def test_the_menu_leads_from_page_to_page(page, site):
    sign_in(page, site, "store_a", site.password("store_a"))
    page.wait_for_url(lambda url: "/login" not in url)
    Visitor(page, site).open("overview", 1440)
    page.get_by_role("link", name="Stock-out risk").click()
    page.wait_for_url("**/stock-out-risk/")
    page.wait_for_selector("text=Products at risk, the most valuable first")


def test_a_manager_cannot_use_sql(page, site):
    sign_in(page, site, "store_a", site.password("store_a"))
    page.wait_for_url(lambda url: "/login" not in url)
    opened = page.goto(f"{site.url}/sqllab/")
    assert opened is not None
    assert opened.status == 403
    answer = page.request.post(
        f"{site.url}/api/v1/sqllab/execute/", data={"database_id": 1, "sql": "select 1", "schema": "main"}
    )
    assert answer.status in {302, 400, 401, 403}


def test_who_is_not_signed_in_sees_nothing(page, site):
    page.goto(f"{site.url}/superset/dashboard/overview/")
    assert "/login" in page.url
    assert page.request.get(f"{site.url}/api/v1/dataset/").status == 401


def test_a_wrong_password_is_refused(page, site):
    sign_in(page, site, "admin", "wrong")
    page.wait_for_load_state()
    page.goto(f"{site.url}/superset/dashboard/overview/")
    assert "/login" in page.url
