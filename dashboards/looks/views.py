"""What Superset has no setting for."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

from flask import Blueprint, Flask, Response, json, make_response, request
from jinja2 import ChoiceLoader, FileSystemLoader

from dashboards.looks.one_column import one_column
from dashboards.today import words
from publish.build_failure import failed_at

HERE = Path(__file__).parent
DATA_DIR = Path(os.environ.get("INVENTORY_DATA_DIR") or "data").resolve()
NARROW = "narrow"  # the cookie in which looks.js says that the window is narrow
# Superset 6.1 shows its makers a pixel in the menu; an empty picture stands in, which no browser has to ask for
PIXEL = b"https://apachesuperset.gateway.scarf.sh/pixel/"
EMPTY_PICTURE = b"data:image/gif;base64,R0lGODlhAQABAAAAACw=#"

looks = Blueprint("looks", __name__, static_folder="static", static_url_path="/looks")


@looks.get("/favicon.ico")
def icon() -> Response:
    """What browsers ask for on pages that name no icon."""
    return looks.send_static_file("icon.svg")


@looks.app_context_processor
def notice() -> dict[str, str]:
    """What looks.js writes above each of Superset's pages."""
    at = failed_at(DATA_DIR)
    return {"notice": words.failed_build(at, datetime.now(UTC)) if at else ""}


def adapt_looks(app: Flask) -> None:
    """Put our own stylesheet and script into Superset's pages, and arrange pages for the width of their window."""
    app.jinja_loader = ChoiceLoader([FileSystemLoader(HERE / "templates"), app.jinja_loader])
    app.before_request(_keep_colours)
    app.after_request(_arrange)
    app.after_request(_show_nobody_a_pixel)


def _keep_colours() -> Response | None:
    """A page saves the colours of its labels when it is left, whoever looks at it. They are set in files."""
    if request.method == "PUT" and (request.endpoint or "").endswith(".put_colors"):
        return make_response({"result": {}}, 200)
    return None


def _arrange(response: Response) -> Response:
    if (request.endpoint or "") != "DashboardRestApi.get" or response.status_code != 200:
        return response
    response.vary.add("Cookie")
    content = response.json
    if request.cookies.get(NARROW) == "1" and content["result"].get("position_json"):
        position = json.loads(content["result"]["position_json"])
        content["result"]["position_json"] = json.dumps(one_column(position))
        response.data = json.dumps(content)
    return response


def _show_nobody_a_pixel(response: Response) -> Response:
    if request.endpoint == "static" and request.path.endswith(".js") and response.status_code == 200:
        response.direct_passthrough = False
        if PIXEL in response.data:
            response.data = response.data.replace(PIXEL, EMPTY_PICTURE)
    return response
