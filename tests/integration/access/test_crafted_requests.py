"""Nobody gets at rows of other stores, at the machine, or at other people, however a request is written.

All requests are asked in one process; `superset_process` says how. Each layer of access is asked alone, too, and with
parts taken out, where these tests would fail.
"""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.serving import PYTHON, Site

Answers = dict[str, list[dict[str, Any]]]


@pytest.fixture(scope="module")
def answers(applied_site: Site) -> Answers:
    """What came of each request, by the layers that stood."""
    asked = subprocess.run(
        [PYTHON, "-m", "tests.integration.access.superset_process", applied_site.data_dir],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert asked.returncode == 0, asked.stderr[-3000:]
    return json.loads(asked.stdout)


def leaks(answers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [answer for answer in answers if answer["stores"] or answer["inside"] or answer["people"]]


def of(answers: list[dict[str, Any]], user: str) -> list[dict[str, Any]]:
    return [answer for answer in answers if answer["user"] == user]


def figures(answers: list[dict[str, Any]]) -> dict[str, Any]:
    """What the saved charts showed the manager of Store_A."""
    return {answer["name"]: answer["data"] for answer in of(answers, "store_a") if answer["data"] is not None}


@pytest.mark.parametrize("user", ["anonymous", "store_a", "regional"])
def test_each_user_asks_much(answers, user):
    assert len({answer["name"] for answer in of(answers["all"], user) if not answer["saved"]}) >= 150


@pytest.mark.parametrize("asked", ["all", "every address", "today", "malformed"])
def test_no_answer_shows_what_its_user_is_not_to_see(answers, asked):
    assert leaks(answers[asked]) == []


def test_only_saved_charts_and_filters_are_answered(answers):
    managers = of(answers["all"], "store_a") + of(answers["all"], "regional")
    assert [answer for answer in managers if (answer["status"] == 200) != answer["saved"]] == []


def test_a_refusal_says_why(answers):
    (answer,) = [answer for answer in of(answers["all"], "store_a") if answer["name"] == "union as metric"]
    assert answer["status"] == 403
    assert "Only the columns and metrics of a saved chart may be asked for." in answer["text"]


def test_a_malformed_request_is_refused_in_one_sentence(answers):
    assert [answer for answer in answers["malformed"] if answer["status"] not in {400, 404}] == []
    (answer,) = [
        answer
        for answer in of(answers["malformed"], "store_a")
        if answer["name"] == "a filter {'op': 'IN', 'val': None}"
    ]
    assert json.loads(answer["text"]) == {"message": "A filter with IN needs a list of values."}


def test_a_request_that_would_fill_the_memory_is_refused(answers):
    assert [answer["status"] for answer in answers["too large"]] == [413] * 4


def test_a_statement_that_the_database_refuses_is_no_failure_of_the_server(answers):
    translations, *statements = answers["files and statements"]
    assert translations["status"] == 200
    assert [answer for answer in statements if answer["status"] != 422] == []


def test_who_is_not_signed_in_is_sent_away(answers):
    assert {answer["status"] for answer in of(answers["all"], "anonymous")} <= {302, 401, 403, 404}


def test_managers_see_their_own_rows(answers):
    region = "a notification of the whole north"
    for user, stores in {"store_a": ["Store_A"], "regional": ["O'Hara: 5 %", "Store_A", "Store_B", region]}.items():
        shown = [answer for answer in of(answers["all"], user) if "attention" in answer["name"]]
        assert shown
        assert all(answer["own"] == stores for answer in shown)


@pytest.mark.parametrize("layer", ["all", "row rules", "today"])
def test_a_notification_of_a_region_is_shown_once_to_each_store_and_to_who_sees_the_region(answers, layer):
    asked = {"today": "/today/"}.get(layer, "What needs attention, most urgent first as json")
    for user, shown in {"store_a": (True, False), "regional": (False, True)}.items():
        (answer,) = [answer for answer in of(answers[layer], user) if answer["name"] == asked]
        assert (answer["shares"] > 0, "a notification of the whole north" in answer["own"]) == shown, user


def test_today_shows_managers_their_own_rows(answers):
    for user, stores in {"store_a": ["Store_A"], "regional": ["O'Hara: 5 %", "Store_A", "Store_B"]}.items():
        pages = [answer for answer in of(answers["today"], user) if answer["saved"]]
        assert {answer["status"] for answer in pages} == {200}
        assert {tuple(answer["own"]) for answer in pages if answer["name"].startswith("/today/list/stock.csv")} == {
            tuple(stores)
        }


def test_a_notification_is_acted_on_by_who_sees_it(answers):
    acted = [answer for answer in of(answers["today"], "store_a") if "that of" in answer["name"]]
    assert len(acted) > 20
    for answer in acted:
        assert answer["status"] == (303 if answer["name"].endswith("Store_A") else 404), answer
        assert "elsewhere" not in answer["text"]


# ------------------------------------------------------------------ each layer alone


def test_the_connection_alone_shows_nothing_of_others(answers):
    assert leaks(answers["connection"]) == []
    assert [answer for answer in answers["connection"] if answer["saved"] and answer["status"] != 200] == []
    # it holds by itself: SQL does run
    assert len([answer for answer in answers["connection"] if not answer["saved"] and answer["own"]]) > 20


def test_the_check_of_what_may_be_asked_holds_alone(answers):
    assert [answer for answer in answers["saved charts"] if (answer["status"] == 200) != answer["saved"]] == []


def test_the_check_of_the_sql_holds_alone(answers):
    assert leaks(answers["one table"]) == []


def test_superset_s_row_rules_hold_alone_for_saved_charts(answers):
    assert leaks(answers["row rules"]) == []


@pytest.mark.parametrize("layer", ["connection", "row rules"])
def test_figures_are_the_same_whichever_layer_keeps_rows_apart(answers, layer):
    assert figures(answers[layer]) == figures(answers["all"])


# ------------------------------------------------------------------ the tests see what is missing


@pytest.mark.parametrize(
    "missing",
    [
        "connection without authorizer",
        "connection without conditions",
        "row rules alone against tricks",
        "nothing",
    ],
)
def test_without_a_part_rows_of_others_are_seen(answers, missing):
    assert leaks(answers[missing])


def test_without_any_layer_figures_are_those_of_all_stores(answers):
    assert figures(answers["nothing"]) != figures(answers["all"])


def test_without_the_check_of_what_may_be_asked_sql_runs(answers):
    assert [answer for answer in answers["connection"] if not answer["saved"] and answer["status"] == 200]


# ------------------------------------------------------------------ kept answers and long queries


def test_a_kept_answer_is_for_who_sees_the_same_rows(answers):
    assert leaks(answers["kept answers"]) == []
    assert leaks(answers["kept answers of anybody"])


def test_a_query_that_takes_too_long_ends_with_a_message(answers):
    chart, administrator, afterwards = answers["time limit"]
    for answer in (chart, administrator):
        assert answer["status"] >= 400
        assert "The query took longer than 0 seconds. Ask for fewer days, stores or products." in answer["text"]
        assert "Traceback" not in answer["text"]
    assert "sqlite3" not in chart["text"]
    assert afterwards["status"] == 200
