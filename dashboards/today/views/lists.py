"""The rows behind a number, as a page or as CSV."""

from __future__ import annotations

import csv
import io
from typing import Any

from flask import abort, make_response, request

from dashboards.today.lists import FILTERS, LISTS, ROWS_PER_PAGE, read_list
from dashboards.today.views.answers import kept_nowhere, page_count, page_number, render
from dashboards.today.views.blueprint import published, signed_in, today


@today.get("/list/<name>")
@signed_in
def listing(name: str) -> Any:
    """The rows behind a number, as a page or, with `.csv` at the end of the name, as a file."""
    stem, _, ending = name.partition(".")
    chosen = LISTS.get(stem) or abort(404)
    filters = {name: request.args[name] for name in FILTERS if request.args.get(name)}
    if ending not in {"", "csv"} or not set(chosen.needs) <= set(filters) <= chosen.filters:
        abort(404)
    number = None if ending else page_number()
    with published() as connection:
        found = read_list(connection, chosen, filters, number)
    if ending:
        return _as_csv(stem, [column.label for column in chosen.columns], [list(row.values()) for row in found.rows])
    pages = page_count(found.count, ROWS_PER_PAGE, number or 1)
    return render("list.html", name=stem, chosen=chosen, filters=filters, found=found, page=number, pages=pages)


def _as_csv(name: str, header: list[str], rows: list[list[Any]]) -> Any:
    from superset.utils.csv import escape_value

    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(header)
    # a spreadsheet runs a text that begins like a formula
    writer.writerows([escape_value(value) if isinstance(value, str) else value for value in row] for row in rows)
    answer = make_response(text.getvalue())
    answer.headers["Content-Type"] = "text/csv; charset=utf-8"
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return kept_nowhere(answer)
