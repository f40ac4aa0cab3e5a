"""What Superset's process keeps of charts: answers of one publication each, and the questions to repeat."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.conftest import ROOT
from tests.serving import PYTHON

ANSWERS = """
from unittest import mock
from flask import Flask
from dashboards import kept_answers

app, cache = Flask("test"), kept_answers.KeptAnswers("answers")
published = mock.patch.object(kept_answers, "publication", side_effect=["old", "new", "new"])
with published, mock.patch.object(kept_answers, "rows_of_viewer", return_value="rows"):
    with app.app_context():
        found = cache.get("chart")
        cache.set("chart", "rows of the old publication")  # the new one came while the query ran
    with app.app_context():
        print(found, cache.get("chart"))
        cache.set("chart", "rows of the new publication")
    with app.app_context():
        print(cache.get("chart"))
"""
AWAY = """
from unittest import mock
from flask import Flask
from dashboards import kept_answers
from dashboards.access.database_connection import DatabaseAwayError

app, cache = Flask("test"), kept_answers.KeptAnswers("answers")
published = mock.patch.object(kept_answers, "publication", side_effect=DatabaseAwayError)
with published, mock.patch.object(kept_answers, "rows_of_viewer", return_value="rows"):
    with app.app_context():
        cache.set("chart", "rows of an unknown publication")
    with app.app_context():
        print(cache.get("chart"))
"""
QUESTIONS = """
from pathlib import Path
from types import SimpleNamespace
from unittest import mock
from flask import Flask, g
from dashboards import asked_again

app = Flask("test")
app.add_url_rule("/", "ChartDataRestApi.data", lambda: "", methods=["POST"])
asking = SimpleNamespace(id=1)
app.before_request(lambda: setattr(g, "user", asking))
questions = asked_again.Questions(app, Path())
with mock.patch.object(asked_again, "rows_of_viewer", return_value="rows"):
    for length in (10, 10_000, 200_000):
        app.test_client().post("/", json={"result_type": "full", "form_data": {"any": "x" * length}})
    print(len(questions._asked))
    asking.id = 2
    for number in range(100):
        app.test_client().post("/", json={"result_type": "full", "form_data": number})
    of = list(questions._asked.values())
    print(of.count(1), of.count(2))
"""


def run(script: str, folder: Path) -> list[str]:
    done = subprocess.run(
        [PYTHON, "-c", script],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "INVENTORY_DATA_DIR": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_an_answer_that_a_publication_overtook_is_not_kept_for_the_new_one(tmp_path):
    assert run(ANSWERS, tmp_path) == ["None None", "rows of the new publication"]


def test_while_the_database_is_away_no_answer_is_kept(tmp_path):
    assert run(AWAY, tmp_path) == ["None"]


def test_no_question_that_could_fill_the_memory_and_nobodys_alone_are_remembered(tmp_path):
    assert run(QUESTIONS, tmp_path) == ["2", "2 60"]
