"""The addresses below /today. Pages are served ready; what people do comes as forms."""

from __future__ import annotations

import csv
import hashlib
import io
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from functools import wraps
from pathlib import Path
from typing import Any
from urllib.parse import quote

from flask import Blueprint, abort, g, make_response, redirect, render_template, request, url_for

from dashboards.access.connection import Connection
from dashboards.access.database_connection import Published
from dashboards.access.database_connection import published as published_in
from dashboards.access.database_roles import COMPANY
from dashboards.access.stores import asks_freely, stores_of
from dashboards.today import words
from dashboards.today.explanation import read_product, steps
from dashboards.today.lists import FILTERS, LISTS, ROWS_PER_PAGE, read_list
from dashboards.today.queries import days, notifications, orders, summaries, time_zone, total
from notify.actions import ActionError, actions_of, current_states, new_action, record_action
from notify.episodes import NO_SINGLE_STORE, Episode
from notify.publication import show_actions
from publish.build_failure import failed_at
from serving_database import serving_database

HERE = Path(__file__).parent
DATA_DIR = Path(os.environ.get("INVENTORY_DATA_DIR", "data")).resolve()
SHOWN_AT_ONCE = 10  # as many as a store gets a day
STORES_SHOWN = 25
CARDS_PER_PAGE = 20
SNOOZES = {"1": "a day", "3": "3 days", "7": "a week"}
DONE = {
    "acknowledge": "Acknowledged. It no longer counts as waiting.",
    "snooze": "Snoozed. It comes back when the time is over.",
    "assign": "Assigned.",
    "resolve": "Resolved. It comes back if it is found again.",
    "expected": "Marked as expected. The detectors leave that time out of what they learn from.",
    "reopen": "Open again.",
}
STATUSES = {
    "waiting": "What needs you",
    "open": "Open notifications",
    "acknowledged": "Acknowledged notifications",
    "snoozed": "Snoozed notifications",
    "resolved": "Resolved notifications",
}
# stricter than for Superset's own pages: no script at all
POLICY = {
    "default-src": "'none'",
    "style-src": "'self'",
    "img-src": "'self'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
    "base-uri": "'none'",
}

today = Blueprint("today", __name__, url_prefix="/today", template_folder="templates", static_folder="static")
STYLE_VERSION = hashlib.sha256((HERE / "static" / "today.css").read_bytes()).hexdigest()[:12]

View = Callable[..., Any]


def signed_in(view: View) -> View:
    """A view for people who are signed in; others are sent to the sign-in page, and back here afterwards."""

    @wraps(view)
    def guarded(**parts: Any) -> Any:
        if g.user is None or g.user.is_anonymous:
            back = request.full_path.rstrip("?") if request.method == "GET" else url_for("today.page")
            return redirect(f"/login/?next={quote(back)}")
        return view(**parts)

    guarded.talisman_view_options = {"content_security_policy": POLICY}  # type: ignore[attr-defined]
    return guarded


@contextmanager
def published() -> Iterator[Connection | Published]:
    """The published tables, with the viewer's rows: one publication for a whole page, whatever is exported then."""
    from superset import security_manager

    roles = [role.name for role in security_manager.get_user_roles()]
    database = serving_database()
    if database:
        login = COMPANY if asks_freely(roles) else g.user.username
        with published_in(database, DATA_DIR / "superset", login) as tables:
            yield tables
        return
    address = f"file:{quote(str(DATA_DIR / 'export' / 'inventory_metrics.db'))}?mode=ro"
    with closing(Connection(address, uri=True, stores=stores_of(roles))) as connection:
        connection.execute("BEGIN")
        yield connection


@today.before_app_request
def start_here() -> Any:
    """Signing in, and the logo, lead to this page instead of Superset's own."""
    return redirect(url_for("today.page")) if request.path in {"/", "/superset/welcome/"} else None


@today.context_processor
def _context() -> dict[str, Any]:
    from superset import db
    from superset.models.dashboard import Dashboard

    pages = db.session.query(Dashboard.dashboard_title, Dashboard.slug).filter(
        Dashboard.published, Dashboard.slug.isnot(None)
    )
    return {
        "words": words,
        "now": datetime.now(UTC),
        "nobody": NO_SINGLE_STORE,
        "snoozes": SNOOZES,
        "style_version": STYLE_VERSION,
        "dashboards": pages.order_by(Dashboard.id).all(),
    }


@today.errorhandler(404)
def not_found(_: Exception) -> Any:
    """Superset's own page asks for fonts of another server."""
    return _render("message.html", title="Not found", text="There is no such page, or it is about another store."), 404


@today.get("/")
@signed_in
def page() -> Any:
    """What needs the viewer, what to order, and the figures against last week."""
    store = request.args.get("store") or None
    with published() as connection:
        compared = days(connection)
        stores = summaries(connection, compared, None)
        if store and store not in {each.store_location for each in stores}:
            abort(404)
        shown = [each for each in stores if store in {None, each.store_location}]
        open_now = notifications(connection, current_states(DATA_DIR), store=store)
        to_order = orders(connection, "store_location" if len(shown) > 1 else "category", store)
        zone = time_zone(connection, store)
    waiting = [each for each in open_now if each.needs_attention]
    waiting_by_store = Counter(each.store_location for each in waiting)
    return _render(
        "today.html",
        store=store,
        stores=sorted(shown, key=lambda each: -waiting_by_store[each.store_location]),
        lines=STORES_SHOWN,
        has_several=len(stores) > 1,
        summary=total(shown) if shown else None,
        compared=compared,
        waiting=waiting,
        shown_at_once=SHOWN_AT_ONCE,
        zone=zone,
        by_status=Counter(each.status for each in open_now),
        waiting_by_store=waiting_by_store,
        orders=to_order,
        failed_at=failed_at(DATA_DIR),
        done=DONE.get(request.args.get("done", "")),
    )


@today.get("/list/<name>")
@signed_in
def listing(name: str) -> Any:
    """The rows behind a number, as a page or, with `.csv` at the end of the name, as a file."""
    stem, _, ending = name.partition(".")
    chosen = LISTS.get(stem) or abort(404)
    filters = {name: request.args[name] for name in FILTERS if request.args.get(name)}
    if ending not in {"", "csv"} or not set(chosen.needs) <= set(filters) <= chosen.filters:
        abort(404)
    number = None if ending else _page_number()
    with published() as connection:
        found = read_list(connection, chosen, filters, number)
    if ending:
        return _as_csv(stem, [column.label for column in chosen.columns], [list(row.values()) for row in found.rows])
    pages = _pages(found.count, ROWS_PER_PAGE, number or 1)
    return _render("list.html", name=stem, chosen=chosen, filters=filters, found=found, page=number, pages=pages)


@today.get("/product")
@signed_in
def product() -> Any:
    """How the figures of a product in a store come about."""
    store, product_id = request.args.get("store_location", ""), request.args.get("product_id", "")
    with published() as connection:
        found = read_product(connection, store, product_id)
        if found is None:
            # a notification may name a product of which no reading counts
            named = {each.product_id for each in notifications(connection, {}, store=store, resolved=True)}
            if product_id not in named - {NO_SINGLE_STORE}:
                abort(404)
            text = "None of its readings counts, so there is no figure to explain."
            return _render("message.html", title=f"{product_id} · {store}", text=text)
    return _render("product.html", product=found, steps=steps(found), readings=_item_page(found["product_id"]))


@today.get("/notifications/")
@signed_in
def notification_list() -> Any:
    """The notifications with a status, each with what can be done about it."""
    status, store, number = request.args.get("status", "waiting"), request.args.get("store") or None, _page_number()
    if status not in STATUSES:
        abort(404)
    with published() as connection:
        found = notifications(connection, current_states(DATA_DIR), store=store, resolved=status == "resolved")
    chosen = [each for each in found if (each.needs_attention if status == "waiting" else each.status == status)]
    first = (number - 1) * CARDS_PER_PAGE
    return _render(
        "notifications.html",
        title=STATUSES[status],
        status=status,
        store=store,
        count=len(chosen),
        notifications=chosen[first : first + CARDS_PER_PAGE],
        page=number,
        pages=_pages(len(chosen), CARDS_PER_PAGE, number),
        done=DONE.get(request.args.get("done", "")),
    )


@today.get("/notifications/<episode_id>")
@signed_in
def notification(episode_id: str) -> Any:
    """One notification and what was done about it."""
    return _render(
        "notification.html",
        notification=_seen(episode_id),
        actions=actions_of(DATA_DIR, episode_id),
        done=DONE.get(request.args.get("done", "")),
    )


@today.post("/notifications/<episode_id>")
@signed_in
def act(episode_id: str) -> Any:
    """Record what the viewer does about a notification. Who sees its row may act on it."""
    action = request.form.get("action", "")
    if action not in DONE:
        abort(400)
    _seen(episode_id)
    length = SNOOZES.get(request.form.get("days", "")) and timedelta(days=int(request.form["days"]))
    try:
        record_action(
            DATA_DIR,
            new_action(
                episode_id,
                action,
                g.user.username,
                snoozed_until=datetime.now(UTC) + length if action == "snooze" and length else None,
                assignee=request.form.get("assignee", "").strip() or None if action == "assign" else None,
                comment=request.form.get("comment", "").strip() or None,
            ),
        )
    except ActionError as error:
        return _render("message.html", title="Nothing was recorded", text=f"{error}."), 400
    # the pages of Superset follow; this page shows it already
    threading.Thread(target=show_actions, args=(DATA_DIR,)).start()
    back = request.form.get("back", "")
    # only addresses below this one, so that no form leads elsewhere
    back = back if back.startswith(url_for("today.page")) else url_for("today.page")
    return redirect(f"{back}{'&' if '?' in back else '?'}done={action}", 303)


def _item_page(product_id: str) -> str:
    """The address of the page `Item and forecast`, with its filter set to a product."""
    import prison

    name = "NATIVE_FILTER-product"
    chosen = {
        "id": name,
        "filterState": {"value": [product_id]},
        "extraFormData": {"filters": [{"col": "product_id", "op": "IN", "val": [product_id]}]},
        "ownState": {},
    }
    page = url_for("Superset.dashboard", dashboard_id_or_slug="item-and-forecast")
    return f"{page}?native_filters={quote(prison.dumps({name: chosen}))}"


def _seen(episode_id: str) -> Episode:
    """The notification with this id. For a viewer who does not see its row, there is none."""
    with published() as connection:
        found = notifications(connection, current_states(DATA_DIR), episode_id=episode_id, resolved=True)
    return found[0] if found else abort(404)


def _render(template: str, **values: Any) -> Any:
    return _kept_nowhere(make_response(render_template(f"today/{template}", **values)))


def _kept_nowhere(answer: Any) -> Any:
    """Whoever uses the browser next sees nothing of it."""
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _page_number() -> int:
    text = request.args.get("page", "1")
    number = int(text) if text.isdecimal() and len(text) < 10 else 0
    return number or abort(404)


def _pages(count: int, per_page: int, number: int) -> int:
    """How many pages there are; a page beyond the last one does not exist."""
    pages = max(1, -(-count // per_page))
    if number > pages:
        abort(404)
    return pages


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
    return _kept_nowhere(answer)
