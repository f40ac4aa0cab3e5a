"""How the figures of a product come about."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from flask import abort, request, url_for

from dashboards.today.explanation import read_product, steps
from dashboards.today.queries import notifications
from dashboards.today.views.answers import render
from dashboards.today.views.blueprint import published, signed_in, today
from notify.episodes import NO_SINGLE_STORE


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
            return render("message.html", title=f"{product_id} · {store}", text=text)
    return render("product.html", product=found, steps=steps(found), readings=_item_page(found["product_id"]))


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
