"""The event contract: what a stock reading is, and why a message is not one.

A reading is the level on hand of one product in one store at one moment, never a movement. Values that look wrong but
are well formed (negative stock, price 0, a jump) are data: they are accepted here and judged by the rules downstream.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated

import msgspec

FUTURE_TOLERANCE = timedelta(minutes=5)
QUANTITY_LIMIT = 10**12
PRICE_LIMIT = 10**9

Name = Annotated[str, msgspec.Meta(min_length=1)]


class Reading(msgspec.Struct, frozen=True):
    """One stock reading.

    `quantity` is in units, `price` in currency units per unit (None: unknown, the last known price holds), and
    `event_timestamp` is UTC. `extra` is the JSON text of the keys beyond the six, None where there are none.
    """

    product_id: Name
    category: Name
    store_location: Name
    quantity: int
    price: float | None
    event_timestamp: datetime
    extra: str | None = None


class Rejection(msgspec.Struct, frozen=True):
    """Why a message is not a reading: `kind` is one word to count by, `detail` what to look at."""

    kind: str
    detail: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.detail}"


class _Payload(msgspec.Struct):
    product_id: Name
    category: Name
    store_location: Name
    quantity: int
    price: float | None
    event_timestamp: datetime


FIELDS = _Payload.__struct_fields__
_payload_decoder = msgspec.json.Decoder(_Payload)
_keys_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])


def decode(message: bytes, now: datetime) -> Reading | Rejection:
    """Read one JSON message as a stock reading.

    `now` is the clock (aware, UTC) that the message was published by; a reading more than five minutes ahead of it is
    rejected. Never raises, whatever the bytes.
    """
    try:
        payload = _payload_decoder.decode(message)
        extra = _extra_keys(message)
        moment = payload.event_timestamp
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except msgspec.ValidationError as error:
        return _explain(str(error))
    except (msgspec.DecodeError, RecursionError) as error:
        return _not_json(message, str(error))
    except UnicodeDecodeError as error:
        return Rejection("not_utf8", str(error))
    except OverflowError:
        return Rejection("out_of_range", "event_timestamp leaves the calendar when it is turned into UTC")

    if abs(payload.quantity) >= QUANTITY_LIMIT:
        return Rejection("out_of_range", f"quantity {payload.quantity} is not within ±{QUANTITY_LIMIT:,}")
    if payload.price is not None and abs(payload.price) >= PRICE_LIMIT:
        return Rejection("out_of_range", f"price {payload.price} is not within ±{PRICE_LIMIT:,}")
    if moment - now > FUTURE_TOLERANCE:
        return Rejection("future_timestamp", f"event_timestamp {moment.isoformat()} is more than 5 minutes ahead")
    return Reading(
        product_id=payload.product_id,
        category=payload.category,
        store_location=payload.store_location,
        quantity=payload.quantity,
        price=payload.price,
        event_timestamp=moment,
        extra=extra,
    )


def _extra_keys(message: bytes) -> str | None:
    keys = _keys_decoder.decode(message)
    if len(keys) == len(FIELDS):
        return None
    return msgspec.json.encode({key: value for key, value in keys.items() if key not in FIELDS}).decode()


def _explain(error: str) -> Rejection:
    """Turn msgspec's "Expected `int`, got `str` - at `$.quantity`" into field first, in plain words."""
    missing = re.search(r"missing required field `(\w+)`", error)
    if missing:
        return Rejection("missing_field", missing[1])
    problem, _, place = error.partition(" - at ")
    field = place.strip("`").removeprefix("$").removeprefix(".")
    plain = problem.replace("`", "").lower()
    return Rejection(
        "out_of_range" if "out of range" in plain else "wrong_type", f"{field}: {plain}" if field else plain
    )


def _not_json(message: bytes, error: str) -> Rejection:
    try:
        message.decode()
    except UnicodeDecodeError as problem:
        return Rejection("not_utf8", f"byte {problem.start}: {problem.reason}")
    return Rejection("not_json", error)
