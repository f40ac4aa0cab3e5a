"""The dashboards as people see them: a real Superset on the built files, a real browser."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, Response, sync_playwright

from tests.serving import Site

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
]

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on the path: install the package chromium")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield running
        running.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1500, "height": 1500})
    yield context.new_page()
    context.close()


def sign_in(page: Page, site: Site, user: str, password: str) -> None:
    page.goto(f"{site.url}/login/")
    page.fill("input[name=username], #username", user)
    page.fill("input[name=password], #password", password)
    page.click("button[type=submit], input[type=submit]")


def open_overview(page: Page, site: Site, user: str) -> str:
    """Sign in, open the page, wait until every chart is drawn; return what it says."""
    sign_in(page, site, user, site.password(user))
    page.wait_for_url(lambda url: "/login" not in url)
    page.goto(f"{site.url}/superset/dashboard/inventory/")
    page.wait_for_selector(".dashboard-component-chart-holder")
    page.wait_for_function(
        """() => {
            const holders = [...document.querySelectorAll('.dashboard-component-chart-holder')];
            return holders.length && holders.every(holder =>
                !holder.querySelector('[data-test=loading-indicator], .loading') &&
                holder.querySelector('canvas, table, .header-line'));
        }""",
        timeout=60_000,
    )
    return page.inner_text("body")


@pytest.mark.parametrize("user", ["admin", "regional"])
def test_every_chart_is_filled_and_nothing_is_fetched_from_outside(page, site, user):
    outside, failed = [], []
    page.on(
        "requestfinished", lambda request: outside.append(request.url) if not is_inside(request.url, site.url) else None
    )
    page.on("response", lambda answer: failed.append(answer.url) if answer.status >= 400 else None)
    text = open_overview(page, site, user)
    for wrong in ("No results", "No data", "error", "Error", "Unexpected"):
        assert wrong not in text, text
    assert "Store_A" in text
    assert "Store_B" in text
    assert not outside
    assert not failed


def is_inside(url: str, origin: str) -> bool:
    return url.startswith((origin, "data:", "blob:"))


@pytest.mark.parametrize(
    ("user", "own", "other"), [("store_a", "Store_A", "Store_B"), ("store_b", "Store_B", "Store_A")]
)
def test_a_store_manager_sees_only_the_own_store(page, site, user, own, other):
    asked = []
    page.on("response", lambda answer: asked.append(answer) if "/api/v1/chart/data" in answer.url else None)
    text = open_overview(page, site, user)
    assert own in text
    assert other not in text
    answers = [answer.text() for answer in asked]
    assert answers
    assert not [answer for answer in answers if other in answer]


def test_a_click_in_a_chart_filters_the_others(page, site):
    """Also those whose dataset lacks the column."""
    open_overview(page, site, "store_a")
    statuses = []

    def is_the_last(answer: Response) -> bool:
        if "/api/v1/chart/data" in answer.url:
            statuses.append(answer.status)
        return len(statuses) == 8

    with page.expect_response(is_the_last):
        page.locator("td").filter(has_text=re.compile("^(critical|high|medium|info)$")).first.click()
    assert set(statuses) == {200}


def test_a_manager_cannot_use_sql(page, site):
    open_overview(page, site, "store_a")
    opened = page.goto(f"{site.url}/sqllab/")
    assert opened is not None
    assert opened.status == 403
    answer = page.request.post(
        f"{site.url}/api/v1/sqllab/execute/", data={"database_id": 1, "sql": "select 1", "schema": "main"}
    )
    assert answer.status in {302, 400, 401, 403}


def test_who_is_not_signed_in_sees_nothing(page, site):
    page.goto(f"{site.url}/superset/dashboard/inventory/")
    assert "/login" in page.url
    assert page.request.get(f"{site.url}/api/v1/dataset/").status == 401


def test_a_wrong_password_is_refused(page, site):
    sign_in(page, site, "admin", "wrong")
    page.wait_for_load_state()
    page.goto(f"{site.url}/superset/dashboard/inventory/")
    assert "/login" in page.url
