"""After a publication the server asks again what people asked before it, so that the first of them need not wait.

A browser writes a chart's query itself, so the server can only repeat what browsers sent. It does so once for all who
see the same rows, one question at a time, and rests as long as each took. Where publications follow each other faster
than it looks, it asks nothing.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from contextlib import suppress
from pathlib import Path

from flask import Flask, Response, g, json, request

from dashboards.published import publication
from dashboards.viewer import rows_of_viewer

QUESTIONS = 300  # a page asks ten; the ones that were asked last are repeated
QUESTIONS_PER_PERSON = 60  # so that nobody displaces those of all others
BYTES_PER_QUESTION = 100_000  # a browser sends a tenth of it; longer ones could fill the memory
SECONDS_BETWEEN_LOOKS = 10

log = logging.getLogger(__name__)


class Questions:
    """What was asked last, by whom, and the thread that repeats it."""

    def __init__(self, app: Flask, data_dir: Path) -> None:
        self._app = app
        self._data_dir = data_dir
        self._asked: OrderedDict[tuple[str, bytes], int] = OrderedDict()  # the id of who asked, by rows and question
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._follow, name="asked again", daemon=True)
        app.after_request(self._remember)

    def _remember(self, response: Response) -> Response:
        if request.endpoint != "ChartDataRestApi.data" or response.status_code != 200 or not request.is_json:
            return response
        asked, question = request.get_json(), request.get_data()
        # not what somebody looked into or wanted anew
        wanted = asked.get("result_type") == "full" and not asked.get("force")
        if wanted and len(question) <= BYTES_PER_QUESTION:
            key = (rows_of_viewer(), question)
            with self._lock:
                self._asked[key] = g.user.id
                self._asked.move_to_end(key)
                own = [each for each, person in self._asked.items() if person == g.user.id]
                if len(own) > QUESTIONS_PER_PERSON:
                    del self._asked[own[0]]
                if len(self._asked) > QUESTIONS:
                    self._asked.popitem(last=False)
                if not self._thread.is_alive():  # in the process that answers, not in the one that it came from
                    self._thread.start()
        return response

    def _follow(self) -> None:
        answered = seen = self._published()
        while True:
            time.sleep(SECONDS_BETWEEN_LOOKS)
            before, seen = seen, self._published()
            if seen == before != answered:
                self._ask_again(seen)
                answered = seen

    def _published(self) -> str:
        """What is published; nothing for a moment, while a file is replaced or the database is away."""
        with suppress(Exception):
            return publication(self._data_dir)
        return ""

    def _ask_again(self, published: str) -> None:
        with self._lock:
            questions = [(person, question) for (_, question), person in reversed(self._asked.items())]
        for person, question in questions:
            if self._published() != published:
                return
            start = time.monotonic()
            try:
                self._ask(person, question)
            except Exception as error:
                log.warning("a chart's question was not repeated: %r", error)
            time.sleep(time.monotonic() - start)

    def _ask(self, person: int, question: bytes) -> None:
        from superset import security_manager
        from superset.charts.schemas import ChartDataQueryContextSchema
        from superset.commands.chart.data.get_data_command import ChartDataCommand

        with self._app.test_request_context():
            g.user = security_manager.get_user_by_id(person)
            if g.user and g.user.is_active:
                command = ChartDataCommand(ChartDataQueryContextSchema().load(json.loads(question)))
                command.validate()
                command.run()
