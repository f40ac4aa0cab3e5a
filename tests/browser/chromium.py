"""A headless Chromium, and signing in with it, for tests and benchmarks."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, Error, Page, sync_playwright

from tests.serving import Site

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
]
PAUSE = 100  # milliseconds between two looks at a page


@contextmanager
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


def sign_in(page: Page, site: Site, user: str, password: str) -> None:
    """Fill in the form, which takes a browser as long as a page does; `signed_in` is quicker."""
    page.goto(f"{site.url}/login/")
    page.fill("input[name=username], #username", user)
    page.fill("input[name=password], #password", password)
    page.click("button[type=submit], input[type=submit]")


def signed_in(browser: Browser, site: Site, user: str, **settings: Any) -> Page:
    """A page of a browser in which the user is signed in."""
    context = browser.new_context(**settings)
    cookies = site.signed_in(user).cookies
    context.add_cookies([{"name": each.name, "value": each.value or "", "url": site.url} for each in cookies])
    return context.new_page()


def wait_until(page: Page, condition: str, argument: Any = None, seconds: float = 60) -> None:
    """Ask a page again and again, until a JavaScript function is true of the argument. Raises AssertionError.

    A function that waits inside the page would be text that the pages' policy forbids.
    """
    patience = time.monotonic() + seconds
    while not _holds(page, condition, argument):
        assert time.monotonic() < patience, condition
        page.wait_for_timeout(PAUSE)


def _holds(page: Page, condition: str, argument: Any) -> bool:
    try:
        return bool(page.evaluate(condition, argument))
    except Error as error:
        if "Execution context was destroyed" in error.message:  # the page loads itself again
            return False
        raise
