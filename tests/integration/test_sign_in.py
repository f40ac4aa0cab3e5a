"""Sessions, passwords and failed sign-ins on a real server, which stands behind one trusted proxy."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from itertools import count

import pytest

from tests.serving import Client, Site

_addresses = count(1)


@pytest.fixture(scope="module")
def behind_proxy(applied_site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server of its own, so that what fails here locks nobody out elsewhere."""
    own = applied_site.copy(tmp_path_factory.mktemp("behind_proxy"))
    own.start(SUPERSET_TRUSTED_PROXIES="1")
    yield own
    own.run("stop")


def somebody(site: Site) -> Client:
    """A client at an address that nobody else has."""
    client = site.client()
    client.headers["X-Forwarded-For"] = f"192.0.2.{next(_addresses)}"
    return client


def fail(client: Client, user: str, times: int) -> list[int]:
    return [client.try_to_sign_in(user, "wrong").status_code for _ in range(times)]


def by_api(client: Client, user: str, password: str) -> int:
    body = {"username": user, "password": password, "provider": "db", "refresh": True}
    return client.post(f"{client.url}/api/v1/security/login", json=body).status_code


def test_failures_lock_an_account_at_its_address_only(behind_proxy):
    """Ten wrong passwords, then not even the right one; by the form and by the API as one."""
    attacker = somebody(behind_proxy)
    assert fail(attacker, "store_a", 5) == [302] * 5
    assert [by_api(attacker, "Store_A ", "wrong") for _ in range(5)] == [401] * 5
    password = behind_proxy.password("store_a")
    assert attacker.try_to_sign_in("store_a", password).status_code == 429
    assert by_api(attacker, "store_a", password) == 429
    assert attacker.sign_in("store_b", behind_proxy.password("store_b"))
    assert somebody(behind_proxy).sign_in("store_a", password)


def test_good_sign_ins_are_not_counted(behind_proxy):
    client = somebody(behind_proxy)
    for _ in range(12):
        assert by_api(client, "regional", behind_proxy.password("regional")) == 200


def test_an_unknown_account_is_limited_like_a_known_one(behind_proxy):
    client = somebody(behind_proxy)
    assert fail(client, "nobody", 11) == [302] * 10 + [429]


def test_an_address_that_tries_many_names_is_limited(behind_proxy):
    client = somebody(behind_proxy)
    answers = [by_api(client, f"guess{number}", "wrong") for number in range(51)]
    assert answers == [401] * 50 + [429]


def test_an_address_is_not_believed_without_a_trusted_proxy(site):
    """What a client says of its own address would get it round the limit."""
    client = site.client()
    answers = []
    for _ in range(11):
        client.headers["X-Forwarded-For"] = f"192.0.2.{next(_addresses)}"
        answers.append(by_api(client, "made_up", "wrong"))
    assert answers == [401] * 10 + [429]


def test_an_answer_that_comes_late_does_not_undo_a_sign_in(site):
    """The sign-in page writes to the log while somebody signs in, with the session from before. Whether the server sees
    that before or after the sign-in, and whichever answer comes last: the browser keeps the new session."""
    for is_seen_first in (True, False):
        browser = site.client()
        form = {"username": "store_a", "password": site.password("store_a"), "csrf_token": browser._token()}
        before = browser.cookies.get_dict()
        assert before

        def write_to_log(cookies: dict[str, str] = before):
            return site.client().post(
                f"{site.url}/superset/log/?explode=events",
                data={"events": "[]"},
                cookies=cookies,
                allow_redirects=False,
            )

        late = write_to_log() if is_seen_first else None
        browser.post(f"{site.url}/login/", data=form, allow_redirects=False)
        late = late or write_to_log()
        assert browser.cookies.get_dict() != before
        browser.cookies.update(late.cookies)
        assert browser.is_signed_in()


def test_sign_ins_at_once_with_the_sign_in_pages_own_requests_all_hold(site):
    browsers = [site.client() for _ in range(8)]
    for browser in browsers:
        form = {"username": "store_a", "password": site.password("store_a"), "csrf_token": browser._token()}
        url = f"{browser.url}/superset/log/?explode=events"
        threads = [threading.Thread(target=browser.post, args=(url, {"events": "[]"})) for _ in range(3)]
        for thread in threads:
            thread.start()
        browser.post(f"{browser.url}/login/", data=form, allow_redirects=False)
        for thread in threads:
            thread.join()
    assert all(browser.is_signed_in() for browser in browsers)


def test_a_session_id_from_before_the_sign_in_opens_nothing(site):
    browser = site.client()
    browser._token()
    planted = site.client()
    planted.cookies.update(browser.cookies)
    assert browser.sign_in("store_a", site.password("store_a"))
    assert not planted.is_signed_in()


NEW = "Another-Passw00rd!"


def set_by_api(client: Client, password: str, current: str | None) -> int:
    body = {"password": password} | ({"current_password": current} if current else {})
    return client.ask("/api/v1/me/", "PUT", json=body).status_code


def set_by_form(client: Client, password: str, current: str | None) -> int:
    form = {"password": password, "conf_password": password, "current_password": current, "csrf_token": client._token()}
    return client.ask("/resetmypassword/form", "POST", data=form, allow_redirects=False).status_code


@pytest.mark.parametrize("change", [set_by_api, set_by_form])
def test_a_new_password_needs_the_current_one_and_ends_other_sessions(behind_proxy, change):
    # the two ways in turn: each starts from the password that the other left
    old, new = (behind_proxy.password("store_b"), NEW) if change is set_by_api else (NEW, f"{NEW}2")
    own, other = somebody(behind_proxy), somebody(behind_proxy)
    assert own.sign_in("store_b", old)
    assert other.sign_in("store_b", old)
    body = {"username": "store_b", "password": old, "provider": "db", "refresh": True}
    tokens = somebody(behind_proxy).post(f"{own.url}/api/v1/security/login", json=body).json()
    for current in (None, "wrong"):
        change(own, new, current)
        assert other.is_signed_in()
    assert change(own, new, old) in {200, 302}
    assert own.is_signed_in()
    assert not other.is_signed_in()
    for path, token in (("/api/v1/me/", "access_token"), ("/api/v1/security/refresh", "refresh_token")):
        method = "POST" if token == "refresh_token" else "GET"
        bearer = {"Authorization": f"Bearer {tokens[token]}"}
        assert somebody(behind_proxy).request(method, f"{own.url}{path}", headers=bearer).status_code in {401, 422}
    assert somebody(behind_proxy).sign_in("store_b", new)
    assert not somebody(behind_proxy).sign_in("store_b", old)


def test_the_api_without_a_cookie_asks_for_the_current_password_too(behind_proxy):
    client = somebody(behind_proxy)
    body = {"username": "regional", "password": behind_proxy.password("regional"), "provider": "db"}
    token = client.post(f"{client.url}/api/v1/security/login", json=body).json()["access_token"]
    bearer = {"Authorization": f"Bearer {token}"}

    def set_password(**more: str) -> int:
        return client.ask("/api/v1/me/", "PUT", json={"password": NEW} | more, headers=bearer).status_code

    assert set_password() == 400
    assert by_api(client, "regional", body["password"]) == 200
    assert client.ask("/api/v1/me/", "PUT", json={"first_name": "Mallory"}, headers=bearer).status_code == 400


def test_guesses_of_the_current_password_are_limited(behind_proxy):
    client = somebody(behind_proxy)
    assert client.sign_in("regional", behind_proxy.password("regional"))
    assert [set_by_api(client, NEW, f"guess {number}") for number in range(10)] == [400] * 10
    assert set_by_api(client, NEW, behind_proxy.password("regional")) == 400


def test_an_administrator_sets_the_password_of_others_only(behind_proxy):
    """The own one would need the current one; setting somebody else's ends that person's sessions."""
    admin, manager = somebody(behind_proxy), somebody(behind_proxy)
    assert admin.sign_in("admin", behind_proxy.password("admin"))
    assert manager.sign_in("store_a", behind_proxy.password("store_a"))
    with closing(sqlite3.connect(behind_proxy.data_dir / "superset/superset.db")) as database:
        numbers = dict(database.execute("select username, id from ab_user"))

    def set_password(user: str) -> None:
        admin.ask(f"/api/v1/security/users/{numbers[user]}", "PUT", json={"password": NEW})
        form = {"password": NEW, "conf_password": NEW, "csrf_token": admin._token()}
        admin.ask(f"/resetpassword/form?pk={numbers[user]}", "POST", data=form)

    set_password("admin")
    assert somebody(behind_proxy).sign_in("admin", behind_proxy.password("admin"))
    set_password("store_a")
    assert not manager.is_signed_in()
    assert somebody(behind_proxy).sign_in("store_a", NEW)
