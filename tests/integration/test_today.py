"""The page /today of a real server: its numbers, its lists, what people do in it, and what hostile names do to it."""

from __future__ import annotations

import csv
import io
import os
import re
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from html.parser import HTMLParser

import pytest

from notify.actions import current_states
from notify.episodes import current_episodes
from tests.serving import ROOT, Client, Site

STORE_A = "/today/?store=Store_A"
HOSTILE = "<script>alert('x')</script>"
FORMULA = "=HYPERLINK(1)"
NAMES = {"Store_A": "Market Square", "Store_B": HOSTILE}
TABLES = ("current_stock", "daily_stock", "lost_sales")
NEWEST = "(select max(event_date) from daily_stock)"


@pytest.fixture(scope="module")
def own(applied_site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server of its own, with a hostile notification and product in Store_B, and with stores that have names."""
    own = applied_site.copy(tmp_path_factory.mktemp("today"))
    with closing(sqlite3.connect(own.data_dir / "export/inventory_metrics.db")) as file, file:
        file.execute(
            "insert into notification_episodes (episode_id, severity, severity_rank, status, store_location, category, "
            "product_id, region, is_covered_by_region, notification, first_seen_at, last_seen_at, is_found_open, "
            "needs_attention) values "
            "('hostile', 'critical', 1, 'open', 'Store_B', ?, ?, 'N/A', 0, ?, '2026-06-30 10:00:00', "
            "'2026-06-30 10:00:00', 1, 1)",
            (HOSTILE, HOSTILE, f"CRITICAL · Store_B · {HOSTILE} is out. {HOSTILE}"),
        )
        file.execute(
            "update current_stock set product_id = ? where rowid = (select min(rowid) from current_stock)", (FORMULA,)
        )
        for store, name in NAMES.items():
            file.execute("update stores set name = ? where store_location = ?", (name, store))
            file.execute(
                "update notification_episodes set store_or_region = ? where store_location = ?",
                (f"{store} {name}", store),
            )
    own.start()
    yield own
    own.run("stop")


class Links(HTMLParser):
    """The links of a page, with their texts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.links: list[tuple[str, str]] = []
        self._address = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._address = dict(attrs).get("href") or "" if tag == "a" else ""

    def handle_endtag(self, tag: str) -> None:
        self._address = ""

    def handle_data(self, data: str) -> None:
        if self._address:
            self.links.append((self._address, data.strip()))


def links(page: str) -> list[tuple[str, str]]:
    return Links(page).links


def value(site: Site, query: str) -> float:
    with closing(sqlite3.connect(site.data_dir / "export/inventory_metrics.db")) as file:
        return file.execute(query).fetchone()[0] or 0


def waiting(page: str) -> int:
    found = re.search(r"<h1>(?:(\d[\d,]*) things? needs? you|Nothing needs you) today", page)
    assert found, page[:2000]
    return int((found[1] or "0").replace(",", ""))


def first_notification(page: str) -> str:
    return re.findall(r'action="/today/notifications/([^"]+)"', page)[0]


def act(client: Client, episode: str, **form: str) -> int:
    page = client.ask("/today/").text
    token = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert token, page
    body = {"csrf_token": token[1], "back": "/today/", **form}
    address = f"{client.url}/today/notifications/{episode}"
    return client.post(address, data=body, allow_redirects=False, timeout=60).status_code


def test_signing_in_leads_here(own):
    client = own.client()
    page = client.try_to_sign_in("store_a", own.password("store_a"))
    assert client.ask(page.headers["Location"]).url == f"{own.url}/today/"
    assert own.signed_in("admin").ask("/superset/welcome/").url == f"{own.url}/today/"


def test_who_is_not_signed_in_comes_back_after_signing_in(own):
    client = own.client()
    answer = client.get(f"{own.url}/today/list/order?category=Toys", allow_redirects=False)
    assert (answer.status_code, answer.headers["Location"]) == (
        302,
        "/login/?next=/today/list/order%3Fcategory%3DToys",
    )


@pytest.mark.parametrize("user", ["store_a", "regional", "admin"])
def test_a_page_is_small_and_runs_nothing(own, user):
    answer = own.signed_in(user).ask("/today/")
    style = own.client().ask(re.search(r'href="([^"]+today\.css[^"]*)"', answer.text)[1])
    assert style.status_code == 200
    assert len(answer.content) + len(style.content) < 60_000
    assert "<script" not in answer.text
    assert "style=" not in answer.text
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert "no-store" in answer.headers["Cache-Control"]


def test_every_number_is_that_of_the_published_tables(own):
    page = own.signed_in("regional").ask(STORE_A).text
    week_before = value(own, "select date(max(event_date), '-7 days') from daily_stock")
    stock, daily, lost = (f"from {table} where store_location = 'Store_A'" for table in TABLES)
    now, before = (f"{daily} and event_date = {day}" for day in (NEWEST, f"date({NEWEST}, '-7 days')"))
    lists = {
        "stock?": (f"sum(quantity) {stock}", f"sum(stock_value) {stock}"),
        "order?": (f"sum(suggested_order > 0) {stock}",),
        "out-of-stock?": (f"sum(is_out_of_stock) {stock}",),
        "lost-sales?weeks_ago=0&": (f"sum(lost_value) {lost} and weeks_ago = 0",),
        "lost-sales?weeks_ago=1&": (f"sum(lost_value) {lost} and weeks_ago = 1",),
        f"day?event_date={week_before}&": tuple(
            f"sum({column}) {before}" for column in ("total_quantity", "total_stock_value", "out_of_stock_count")
        ),
    }
    shown = links(page)
    for start, queries in lists.items():
        address = f"/today/list/{start}store_location=Store_A"
        expected = {f"{value(own, f'select {query}'):,.0f}" for query in queries}
        assert expected <= {part for link, text in shown if link == address for part in text.split()}, address
    listed = [each for each in current_episodes(own.data_dir) if each.store_location == "Store_A"]
    assert waiting(page) == sum(each.needs_attention for each in listed)
    # the same level, whether summed by product or by day
    for by_product, by_day in (("quantity", "total_quantity"), ("is_out_of_stock", "out_of_stock_count")):
        assert value(own, f"select sum({by_product}) {stock}") == value(own, f"select sum({by_day}) {now}")


def test_as_many_things_need_somebody_as_the_command_line_says(own):
    environment = os.environ | {"INVENTORY_DATA_DIR": str(own.data_dir)}
    said = subprocess.check_output([ROOT / ".venv/bin/inventory", "status"], env=environment, text=True)
    assert f"{waiting(own.signed_in('admin').ask('/today/').text):,} of them need attention today" in said


def test_pages_say_that_the_last_build_failed(own):
    client = own.signed_in("store_a")
    addresses = ("/today/", "/superset/dashboard/overview/")
    said = "The last build failed just now. What you see is from before it."
    assert not [address for address in addresses if said in client.ask(address).text]
    (own.data_dir / "warehouse").mkdir()
    (own.data_dir / "warehouse/last_build_failed").write_text("whole")
    assert [address for address in addresses if said in client.ask(address).text] == [*addresses]
    (own.data_dir / "warehouse/last_build_failed").unlink()


def test_every_link_leads_to_a_page(own):
    client, seen, waiting_links = own.signed_in("regional"), set(), ["/today/"]
    while waiting_links and len(seen) < 150:
        address = waiting_links.pop()
        answer = client.ask(address)
        assert answer.status_code == 200, address
        seen.add(address)
        if ".csv" not in address:
            found = {link for link, _ in links(answer.text) if link.startswith("/today/") and "static" not in link}
            waiting_links += sorted(found - seen - set(waiting_links))
    assert len(seen) > 40


def test_a_file_holds_the_rows_of_its_list(own):
    client = own.signed_in("store_a")
    rows = list(csv.DictReader(io.StringIO(client.ask("/today/list/order.csv").text)))
    assert len(rows) == value(
        own, "select count(*) from current_stock where store_location = 'Store_A' and suggested_order > 0"
    )
    assert sum(int(row["Order now"]) for row in rows) == value(
        own, "select sum(suggested_order) from current_stock where store_location = 'Store_A'"
    )
    page = client.ask("/today/list/order").text
    assert f"{len(rows):,} rows, " in page


def test_a_store_is_called_by_its_id_and_its_name(own):
    client, called = own.signed_in("regional"), "Store_A Market Square"
    assert (STORE_A, called) in links(client.ask("/today/").text)
    assert f"{called} only." in client.ask(STORE_A).text
    assert f"· {called}</h1>" in client.ask("/today/notifications/?status=resolved&store=Store_A").text
    assert called in client.ask("/today/list/stock?store_location=Store_A").text
    assert called in client.ask(f"/today/notifications/{first_notification(client.ask(STORE_A).text)}").text
    assert "&lt;script" not in own.signed_in("store_a").ask("/today/").text  # nothing of the other store's name


def test_names_are_text_and_no_formulas_or_scripts(own):
    client = own.signed_in("regional")
    addresses = ("/today/", "/today/notifications/?store=Store_B", "/today/notifications/hostile", "/today/list/stores")
    for address in addresses:
        page = client.ask(address).text
        assert "<script" not in page, address
        assert "&lt;script&gt;" in page, address
    stock = client.ask("/today/list/stock.csv").text
    assert FORMULA in stock
    assert not [cell for row in csv.reader(io.StringIO(stock)) for cell in row if cell.startswith("=")]


def test_what_people_do_shows_at_once_and_is_kept(own):
    anna = own.signed_in("store_a")
    before = anna.ask("/today/").text
    episode = first_notification(before)
    assert act(anna, episode, action="acknowledge", comment=HOSTILE) == 303
    after = anna.ask("/today/").text
    assert waiting(after) == waiting(before) - 1
    assert f"/today/notifications/{episode}" not in after
    page = own.signed_in("regional").ask(f"/today/notifications/{episode}").text
    assert "Acknowledged by store_a" in page
    assert HOSTILE not in page
    assert act(anna, episode, action="snooze", days="3") == 303
    assert waiting(anna.ask("/today/").text) == waiting(after)
    assert act(anna, episode, action="reopen") == 303
    assert waiting(anna.ask("/today/").text) == waiting(before)
    assert current_states(own.data_dir)[episode].status == "open"


def test_only_who_sees_a_notification_acts_on_it_and_only_by_its_form(own):
    anna, ben = own.signed_in("store_a"), own.signed_in("store_b")
    assert act(anna, "hostile", action="resolve") == 404
    assert anna.ask("/today/notifications/hostile").status_code == 404
    assert act(ben, "hostile", action="resolve", csrf_token="forged") in {302, 400}
    assert act(ben, "hostile", action="no such action") == 400
    assert act(ben, "hostile", action="assign", assignee="") == 400
    assert act(ben, "hostile", action="snooze", days="9999") == 400
    assert act(ben, "hostile", action="resolve", comment="x" * 5000) == 400
    assert "hostile" not in current_states(own.data_dir)


@pytest.mark.parametrize(
    "address",
    [
        "/today/?store=Store_B",
        "/today/product",
        "/today/product?store_location=Store_A",
        "/today/product?store_location=Store_A&product_id=nothing",
        "/today/product?store_location=Store_B&product_id=P0001",
        "/today/product?store_location=Store_B' OR '1&product_id=P0001",
        "/today/list/nothing",
        "/today/list/stock.exe",
        "/today/list/day",
        "/today/list/stock?page=0",
        "/today/list/stock?page=999",
        "/today/list/stock?page=x",
        "/today/list/stock?event_date=2026-06-30",
        "/today/notifications/?status=x",
        "/today/notifications/nothing",
    ],
)
def test_what_does_not_exist_is_not_found(own, address):
    answer = own.signed_in("store_a").ask(address)
    assert answer.status_code == 404
    assert "There is no such page" in answer.text
    assert "Store_B" not in answer.text


def test_after_a_publication_nobody_waits_for_what_was_asked_before(own):
    """Once for all who see the same rows: an analyst asked, an administrator finds the answer."""
    analyst, admin = own.signed_in("analyst"), own.signed_in("admin")
    charts = analyst.ask("/api/v1/chart/?q=(page_size:100)").json()["result"]
    (dataset,) = {chart["datasource_id"] for chart in charts if chart["slice_name"] == "Out of stock"}
    question = {
        "datasource": {"id": dataset, "type": "table"},
        "queries": [{"columns": [], "metrics": ["products"], "row_limit": 7}],
        "result_type": "full",
    }

    def is_kept(client: Client) -> bool:
        answer = client.ask("/api/v1/chart/data", "POST", json=question)
        assert answer.status_code == 200, answer.text
        return bool(answer.json()["result"][0]["is_cached"])

    assert not is_kept(analyst)
    assert is_kept(admin)
    answers = own.data_dir / "superset/cache/data"
    kept = set(answers.iterdir())
    os.utime(own.data_dir / "export/inventory_metrics.db")
    deadline = time.monotonic() + 120
    while not set(answers.iterdir()) - kept:
        assert time.monotonic() < deadline, "nothing was asked again"
        time.sleep(1)
    assert is_kept(admin)


def test_a_person_acts_sixty_times_a_minute_at_most(own):
    client = own.signed_in("store_b")
    page = client.ask("/today/").text
    episode = first_notification(page)
    token = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert token
    form = {"csrf_token": token[1], "action": "no such action"}
    answers = [client.post(f"{client.url}/today/notifications/{episode}", data=form, timeout=60) for _ in range(61)]
    assert {answer.status_code for answer in answers[:50]} == {400}
    assert answers[-1].status_code == 429
    assert "You have acted 60 times within a minute." in answers[-1].text
    other = own.signed_in("store_a")
    assert act(other, first_notification(other.ask("/today/").text), action="snooze", days="1") == 303
