"""The figures of a product with the reason for each: its formula, with the values put in.

The formulas are those of `int_current_stock`. A test works them out and compares them with the figures.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from dashboards.today import words
from dashboards.today.queries import Tables

Product = dict[str, Any]

# the forecast's own verdict: a status, from the chance to run out on that it stands for
BY_FORECAST = {"runs out before delivery": 0.5, "reorder": 0.05, "ok": 0.0}


@dataclass(frozen=True)
class Step:
    """A figure as the page writes it, how it comes about, and the dbt model that makes it."""

    figure: str
    value: str
    reason: str
    model: str = "int_current_stock"


def read_product(connection: Tables, store: str, product_id: str) -> Product | None:
    """What is served of a product of a store, if the viewer sees it."""
    found = connection.execute(
        "SELECT * FROM current_stock WHERE store_location = :store AND product_id = :product",
        {"store": store, "product": product_id},
    )
    names = [column[0] for column in found.description]
    row = found.fetchone()
    return dict(zip(names, row, strict=True)) if row else None


def steps(product: Product) -> Iterator[Step]:
    """The figures, each after those that it is made of."""
    on_hand = words.units(product["quantity"])
    read_at = words.time(words.parse(product["last_reading_at"]))
    yield Step("On hand", on_hand, f"read on {read_at}", "int_stock_levels")
    if product["on_order"]:
        due = product["next_delivery_at"]
        reason = f"the next delivery is due on {words.date(due)}" if due else "overdue, or without a date"
        yield Step("On order", words.units(product["on_order"]), reason, "int_order_lines")
    if product["price"] is not None:
        yield Step("Stock value", words.money(product["stock_value"]), f"{on_hand} × {_exact(product['price'])}")
    if product["daily_units_out"] is None:
        reason = "not known: in four weeks it was in stock for a day or less"
        yield Step("Daily depletion", words.UNKNOWN, reason, "int_product_demand")
        return
    yield from _pace(product)
    yield from _order(product)
    yield from _risk(product)


def _pace(product: Product) -> Iterator[Step]:
    pace, on_hand = _exact(product["daily_units_out"]), words.units(product["quantity"])
    reason = f"a day in stock, the mean of four weeks, give or take {_exact(product['daily_units_out_sd'])}"
    yield Step("Daily depletion", words.number(product["daily_units_out"]), reason, "int_product_demand")
    if product["days_of_supply"] is not None:
        yield Step("Days of supply", words.number(product["days_of_supply"]), f"{on_hand} ÷ {pace}")
    if product["quantity"] and product["sell_out_date"]:
        reason = "the day of the newest reading + the days of supply"
        yield Step("Empty on", words.date(product["sell_out_date"]), reason)


def _order(product: Product) -> Iterator[Step]:
    pace, pace_sd = _exact(product["daily_units_out"]), _exact(product["daily_units_out_sd"])
    lead_time, lead_time_sd = _exact(product["lead_time_days"]), _exact(product["lead_time_sd_days"])
    review, safety = _exact(product["review_period_days"]), _exact(product["safety_stock"])
    if product["lead_time_from"] == "orders":
        source, model = (
            f"the mean of deliveries from {product['supplier']} in half a year",
            "int_supplier_lead_times",
        )
    else:
        source, model = "by the replenishment policy", "replenishment_policies"
    reason = f"{source}, give or take {lead_time_sd}; orders are placed every {review} days"
    yield Step("Delivery takes (days)", lead_time, reason, model)
    reason = f"{product['service_z']:g} × √({lead_time} × {pace_sd}² + {pace}² × {lead_time_sd}²)"
    yield Step("Safety stock", words.number(product["safety_stock"]), reason)
    yield Step("Reorder point", words.number(product["reorder_point"]), f"{pace} × {lead_time} + {safety}")
    reason = f"{pace} × ({lead_time} + {review}) + {safety}"
    yield Step("An order fills up to", words.number(product["order_up_to_level"]), reason)
    on_hand, on_order = words.units(product["quantity"]), words.units(product["on_order"])
    full = _exact(product["order_up_to_level"])
    if product["suggested_order"]:
        reason = f"{full} − {on_hand}{f' − {on_order}' if product['on_order'] else ''}, rounded up"
        reason += f" to packs of {product['pack_size']:,}" if product["pack_size"] > 1 else ""
        reason += (
            f", but at least {product['minimum_order']:,}" if product["minimum_order"] > product["pack_size"] else ""
        )
        yield Step("Order now", words.units(product["suggested_order"]), reason)
        if product["order_cost"] is not None:
            yield Step("Cost", words.money(product["order_cost"]), _cost(product))
    else:
        together = f"{on_hand} on hand and {on_order} on order" if product["on_order"] else on_hand
        yield Step("Order now", "0", f"nothing: {together} are not below the reorder point")
    if product["excess_quantity"]:
        yield Step("Excess", words.units(product["excess_quantity"]), f"{on_hand} − {full}, rounded down")


def _cost(product: Product) -> str:
    units = words.units(product["suggested_order"])
    if product["order_cost_from"] == "unit cost":
        return f"{units} × {_exact(product['unit_cost'])}"
    return f"{units} × {_exact(product['price'])}, the shelf price: the unit cost is not known"


def _risk(product: Product) -> Iterator[Step]:
    pace, lead_time = _exact(product["daily_units_out"]), _exact(product["lead_time_days"])
    on_hand = words.units(product["quantity"])
    if product["value_at_risk"]:
        missed = _exact(product["missed_units"]) if product["on_order"] else f"({pace} × {lead_time} − {on_hand})"
        reason = f"{missed} × {_exact(product['price'])}"
        reason += ": so many units go missing before a delivery" if product["on_order"] else ""
        yield Step("Sales at risk", words.money(product["value_at_risk"]), reason)
    elif product["value_at_risk"] is not None:
        lasting = f"{on_hand}, with what is due," if product["on_order"] else on_hand
        reason = f"nothing: {lasting} outlast a delivery, in which {pace} × {lead_time} go out"
        yield Step("Sales at risk", words.money(0), reason)
    # an empty shelf has run out
    if product["lead_time_demand"] is not None and product["quantity"]:
        reason = (
            f"the forecast expects {_exact(product['lead_time_demand'])} units to go out before a delivery, "
            f"in 95 of 100 cases at most {_exact(product['lead_time_demand_95'])}"
        )
        by_forecast = next(status for status, least in BY_FORECAST.items() if product["stock_out_probability"] >= least)
        if by_forecast != product["status"]:
            reason += f". The status goes by the pace of four weeks; by this forecast it would be “{by_forecast}”"
        chance = words.chance(product["stock_out_probability"])
        yield Step("Chance to run out before a delivery", chance, reason, "int_lead_time_demand")


def _exact(value: float) -> str:
    """A number in a formula, with as many digits as it takes to work out what is shown."""
    return f"{value:.3g}" if value < 1 else f"{value:,.2f}".rstrip("0").rstrip(".")
