"""The page /today itself."""

from __future__ import annotations

from collections import Counter
from typing import Any

from flask import abort, request

from dashboards.today.queries import days, notifications, orders, summaries, time_zone, total
from dashboards.today.views.answers import render
from dashboards.today.views.blueprint import DATA_DIR, published, signed_in, today
from dashboards.today.views.notifications import DONE
from notify.actions import current_states
from publish.build_failure import failed_at

SHOWN_AT_ONCE = 10  # as many as a store gets a day
STORES_SHOWN = 25


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
    return render(
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
