"""/today in a real browser: readable for everybody, at each width, in both schemes, and on paper."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.browser.chromium import signed_in

ADDRESSES = [
    "/today/",
    "/today/notifications/",
    "/today/product?store_location=Store_A&product_id=P0001",
    "/today/list/order",
    "/today/list/stock?page=2",
    "/today/list/old-readings",
    "/today/list/lost-sales?weeks_ago=1",
]
WIDTHS = [360, 768, 1440]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("user", ["store_a", "regional"])
def test_everybody_can_read_it(browser, site, user, scheme):
    # the policy of the page would keep the checker out
    page = signed_in(browser, site, user, color_scheme=scheme, bypass_csp=True)
    for address in ADDRESSES:
        page.goto(f"{site.url}{address}")
        for summary in page.locator("summary").all()[:1]:
            summary.click()
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
    page.context.close()


@pytest.mark.parametrize("width", WIDTHS)
def test_it_fits_and_asks_for_nothing_from_outside(browser, site, width):
    page = signed_in(browser, site, "regional", viewport={"width": width, "height": 800})
    outside, said = [], []
    page.on("request", lambda request: outside.append(request.url) if not request.url.startswith(site.url) else None)
    page.on("console", lambda message: said.append(message.text))
    for address in [*ADDRESSES, "/today/list/nothing"]:
        page.goto(f"{site.url}{address}")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, address
    assert not outside
    assert not [text for text in said if "404" not in text]
    page.context.close()


def test_a_long_name_leaves_a_phone_room_for_the_figures(browser, site):
    page = signed_in(browser, site, "store_a", viewport={"width": 360, "height": 800}, bypass_csp=True)
    page.goto(f"{site.url}/today/list/stock")
    page.evaluate(
        "document.querySelectorAll('td:first-child').forEach(cell => cell.append(' Ironing board, set of two'))"
    )
    assert page.locator("td:first-child").first.bounding_box()["width"] < 0.45 * 360
    page.context.close()


def test_it_works_without_javascript_by_the_keyboard(browser, site):
    page = signed_in(browser, site, "store_a", java_script_enabled=False)
    page.goto(f"{site.url}/today/")
    page.keyboard.press("Tab")
    assert page.locator(":focus").inner_text() == "Skip to the content"
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.locator(":focus").inner_text() == "Acknowledge":
            break
    page.keyboard.press("Enter")
    page.wait_for_load_state()
    assert "Acknowledged." in page.locator("[role=status]").inner_text()
    page.locator("a", has_text="acknowledged").first.click()
    page.get_by_role("button", name="Open again").first.click()
    assert "Open again." in page.locator("[role=status]").inner_text()
    page.context.close()


def test_paper_shows_no_buttons(browser, site):
    page = signed_in(browser, site, "store_a")
    page.emulate_media(media="print")
    page.goto(f"{site.url}/today/")
    assert page.locator("h1").is_visible()
    assert not page.locator("button").first.is_visible()
    page.context.close()
