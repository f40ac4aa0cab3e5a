"""Notifications, and what people do about them."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import abort, g, redirect, request, url_for
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from dashboards.today.queries import notifications
from dashboards.today.views.answers import page_count, page_number, render
from dashboards.today.views.blueprint import DATA_DIR, SNOOZES, published, signed_in, today
from notify.actions import ActionError, actions_of, current_states, new_action, record_action
from notify.episodes import Episode
from notify.publication import show_actions

CARDS_PER_PAGE = 20
ACTIONS_PER_PERSON = RateLimitItemPerMinute(60)  # each is landed, and shown in what is published
DONE = {
    "acknowledge": "Acknowledged. It no longer counts as waiting.",
    "snooze": "Snoozed. It comes back when the time is over.",
    "assign": "Assigned.",
    "resolve": "Resolved. It comes back if it is found again.",
    "expected": "Marked as expected. The detectors leave that time out of what they learn from.",
    "reopen": "Open again.",
}
TOO_MANY = f"You have acted {ACTIONS_PER_PERSON.amount} times within a minute. Try again in a minute."
STATUSES = {
    "waiting": "What needs you",
    "open": "Open notifications",
    "acknowledged": "Acknowledged notifications",
    "snoozed": "Snoozed notifications",
    "resolved": "Resolved notifications",
}

_actions = MovingWindowRateLimiter(MemoryStorage())


@today.get("/notifications/")
@signed_in
def notification_list() -> Any:
    """The notifications with a status, each with what can be done about it."""
    status, store, number = request.args.get("status", "waiting"), request.args.get("store") or None, page_number()
    if status not in STATUSES:
        abort(404)
    with published() as connection:
        found = notifications(connection, current_states(DATA_DIR), store=store, resolved=status == "resolved")
        chosen = [each for each in found if (each.needs_attention if status == "waiting" else each.status == status)]
        first = (number - 1) * CARDS_PER_PAGE
        shown = chosen[first : first + CARDS_PER_PAGE]
    return render(
        "notifications.html",
        title=STATUSES[status],
        status=status,
        store=store,
        count=len(chosen),
        notifications=shown,
        page=number,
        pages=page_count(len(chosen), CARDS_PER_PAGE, number),
        done=DONE.get(request.args.get("done", "")),
    )


@today.get("/notifications/<episode_id>")
@signed_in
def notification(episode_id: str) -> Any:
    """One notification and what was done about it."""
    found = _seen(episode_id)
    return render(
        "notification.html",
        notification=found,
        actions=actions_of(DATA_DIR, episode_id),
        done=DONE.get(request.args.get("done", "")),
    )


@today.post("/notifications/<episode_id>")
@signed_in
def act(episode_id: str) -> Any:
    """Record what the viewer does about a notification. Who sees its row may act on it."""
    if not _actions.hit(ACTIONS_PER_PERSON, g.user.username):
        return render("message.html", title="Nothing was recorded", text=TOO_MANY), 429
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
        return render("message.html", title="Nothing was recorded", text=f"{error}."), 400
    # the pages of Superset follow; this page shows it already
    threading.Thread(target=show_actions, args=(DATA_DIR,)).start()
    back = request.form.get("back", "")
    # only addresses below this one, so that no form leads elsewhere
    back = back if back.startswith(url_for("today.page")) else url_for("today.page")
    return redirect(f"{back}{'&' if '?' in back else '?'}done={action}", 303)


def _seen(episode_id: str) -> Episode:
    """The notification with this id. For a viewer who does not see its row, there is none."""
    with published() as connection:
        found = notifications(connection, current_states(DATA_DIR), episode_id=episode_id, resolved=True)
    return found[0] if found else abort(404)
