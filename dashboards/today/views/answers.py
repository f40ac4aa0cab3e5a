"""The answers of the views: no browser stores them, and a long one has numbered pages."""

from __future__ import annotations

from typing import Any

from flask import abort, make_response, render_template, request


def render(template: str, **values: Any) -> Any:
    return kept_nowhere(make_response(render_template(f"today/{template}", **values)))


def kept_nowhere(answer: Any) -> Any:
    """The answer, not to be stored: whoever uses the browser next sees nothing of it."""
    answer.headers["Cache-Control"] = "no-store"
    return answer


def page_number() -> int:
    """The page that is asked for, counted from 1."""
    text = request.args.get("page", "1")
    number = int(text) if text.isdecimal() and len(text) < 10 else 0
    return number or abort(404)


def page_count(count: int, per_page: int, number: int) -> int:
    """How many pages there are; a page beyond the last one does not exist."""
    pages = max(1, -(-count // per_page))
    if number > pages:
        abort(404)
    return pages
