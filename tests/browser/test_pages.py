"""The pages as people see them: a real Superset on the built files, a real browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
import yaml
from playwright.sync_api import Browser, Page, Response

from bench.pages import ALL_DRAWN
from tests.browser.chromium import sign_in, signed_in, wait_until
from tests.conftest import ROOT
from tests.serving import Site

PAGES = {
    path.stem.replace("_", "-"): yaml.safe_load(path.read_text())
    for path in sorted((ROOT / "dashboards/pages").glob("*.yaml"))
}
TITLES = {path.stem: yaml.safe_load(path.read_text())["title"] for path in (ROOT / "dashboards/charts").glob("*.yaml")}
# the boxes of all charts that are shown: left, top, right, bottom
BOXES = """() => [...document.querySelectorAll('.chart-slice')].filter(chart => chart.offsetParent).map(chart => {
    const box = chart.getBoundingClientRect();
    return [chart.dataset.testChartName, box.left, box.top, box.right, box.bottom];
})"""
ARE_SHOWN = """titles => {
    const shown = [...document.querySelectorAll('.chart-slice')].filter(chart => chart.offsetParent);
    return titles.every(title => shown.some(chart => chart.dataset.testChartName === title));
}"""
# charts follow the width of the window a little later
FITS = """() => [...document.querySelectorAll('.chart-slice')].every(
    chart => chart.getBoundingClientRect().right <= innerWidth
)"""
SHOWN_EMPTY = """() => [...document.querySelectorAll('.chart-slice')].filter(
    chart => chart.offsetParent && chart.querySelector('.ant-empty')
).map(chart => chart.dataset.testChartName)"""
# these events have no labels, all came in time, and nothing runs continuously
MAY_BE_EMPTY = {
    "How far each stage is behind",
    "Lost sales per day",
    "Readings that came too late",
    "How well detectors find labelled anomalies",
    "What the models find, by kind",
}
WIDE, UPRIGHT_TABLET, PHONE = 1440, 768, 390
ALL_OF_A_PAGE = 4500  # a height in which charts below the fold are drawn, too


@dataclass
class Visitor:
    """Somebody who is signed in, and what went wrong before their eyes."""

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

    def open(self, name: str) -> None:
        """Open a page in a wide window and wait until every chart is drawn, also those below the fold."""
        # a page that becomes wide loads itself again, which would come in between
        self.page.goto("about:blank")
        self.page.set_viewport_size({"width": WIDE, "height": ALL_OF_A_PAGE})
        self.page.goto(f"{self.site.url}/superset/dashboard/{name}/")
        self.wait_for(PAGES[name]["rows"])

    def narrow(self, name: str, width: int) -> None:
        """Make the window narrower. Where it becomes narrow, the page loads itself again, arranged for that."""
        self.page.evaluate("window.isArranged = innerWidth < 1024")
        self.page.set_viewport_size({"width": width, "height": ALL_OF_A_PAGE})
        wait_until(self.page, "() => window.isArranged !== false")
        self.wait_for(PAGES[name]["rows"])
        wait_until(self.page, FITS)

    def wait_for(self, rows: list[dict[str, int]]) -> None:
        """Wait until the charts of these rows are shown, and all that are shown are drawn."""
        titles = [TITLES[chart] for row in rows for chart in row]
        wait_until(self.page, ARE_SHOWN, titles)
        wait_until(self.page, ALL_DRAWN)

    def text(self) -> str:
        return self.page.inner_text("body")


@pytest.fixture(scope="module", params=["admin", "regional", "store_a"])
def visitor(request: pytest.FixtureRequest, browser: Browser, site: Site) -> Iterator[Visitor]:
    visitor = Visitor(signed_in(browser, site, request.param), site)
    visitor.watch()
    yield visitor
    visitor.page.context.close()


@pytest.fixture
def anna(browser: Browser, site: Site) -> Iterator[Visitor]:
    """The manager of Store_A."""
    visitor = Visitor(signed_in(browser, site, "store_a"), site)
    yield visitor
    visitor.page.context.close()


@pytest.mark.parametrize("name", PAGES)
def test_every_chart_is_filled_and_readable_at_each_width(visitor, name):
    """In one tab, from wide to narrow: what a browser spends on a page is mostly its start."""
    visitor.wrong.clear()
    visitor.open(name)
    check_charts(visitor.page, name, WIDE)
    for number, (tab, rows) in enumerate(PAGES[name].get("tabs", {}).items()):
        visitor.page.locator(".ant-tabs-tab").nth(number).click()
        visitor.wait_for(rows)
        assert set(visitor.page.evaluate(SHOWN_EMPTY)) <= MAY_BE_EMPTY, tab
    for width in (UPRIGHT_TABLET, PHONE):
        visitor.narrow(name, width)
        check_charts(visitor.page, name, width)
    assert not visitor.wrong


def check_charts(page: Page, name: str, width: int) -> None:
    """No chart is empty, too narrow, cut off or covered."""
    assert set(page.evaluate(SHOWN_EMPTY)) <= MAY_BE_EMPTY
    boxes = page.evaluate(BOXES)
    assert len(boxes) >= sum(map(len, PAGES[name]["rows"]))
    for chart, left, top, right, bottom in boxes:
        assert left >= 0, chart
        assert right <= width, chart
        assert right - left >= 140, f"{chart} is {right - left} wide"
        for other, *box in boxes:
            apart = right <= box[0] or box[2] <= left or bottom <= box[1] or box[3] <= top
            assert other == chart or apart, f"{chart} covers {other}"
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize(
    ("user", "own", "other"), [("store_a", "Store_A", "Store_B"), ("store_b", "Store_B", "Store_A")]
)
def test_a_store_manager_sees_only_the_own_store(browser, site, user, own, other):
    visitor = Visitor(signed_in(browser, site, user), site)
    asked: list[Response] = []
    visitor.page.on("response", lambda answer: asked.append(answer) if "/api/v1/chart/data" in answer.url else None)
    visitor.open("overview")
    assert own in visitor.text()
    assert other not in visitor.text()
    answers = [answer.text() for answer in asked]
    assert answers
    assert not [answer for answer in answers if other in answer]
    visitor.page.context.close()


def test_a_click_in_a_chart_filters_the_others(anna):
    """Also those whose dataset lacks the column."""
    anna.open("overview")
    statuses: list[int] = []

    def is_the_last(answer: Response) -> bool:
        if "/api/v1/chart/data" in answer.url:
            statuses.append(answer.status)
        return len(statuses) == 7

    with anna.page.expect_response(is_the_last):
        anna.page.locator("td").filter(has_text=re.compile("^[1-4] (critical|high|medium|info)$")).first.click()
    assert set(statuses) == {200}


def test_the_menu_leads_from_page_to_page(anna):
    anna.page.goto(f"{anna.site.url}/superset/dashboard/overview/")
    anna.page.get_by_role("link", name="Stock-out risk").click()
    anna.page.wait_for_url("**/stock-out-risk/")
    anna.page.wait_for_selector("text=Products at risk, the most valuable first")


def test_a_manager_cannot_use_sql(anna):
    opened = anna.page.goto(f"{anna.site.url}/sqllab/")
    assert opened is not None
    assert opened.status == 403
    answer = anna.page.request.post(
        f"{anna.site.url}/api/v1/sqllab/execute/", data={"database_id": 1, "sql": "select 1", "schema": "main"}
    )
    assert answer.status in {302, 400, 401, 403}


def test_who_is_not_signed_in_sees_nothing(page, site):
    page.goto(f"{site.url}/superset/dashboard/overview/")
    assert "/login" in page.url
    assert page.request.get(f"{site.url}/api/v1/dataset/").status == 401


def test_only_the_right_password_opens(page, site):
    sign_in(page, site, "admin", "wrong")
    page.wait_for_load_state()
    page.goto(f"{site.url}/superset/dashboard/overview/")
    assert "/login" in page.url
    sign_in(page, site, "admin", site.password("admin"))
    page.wait_for_url(lambda url: "/login" not in url)
