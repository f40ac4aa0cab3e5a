"""The event contracts: what a stock reading and an inventory note are, and why a message is neither.

A reading is the level on hand of one product in one store at one moment, never a movement. Values that look wrong but
are well formed (negative stock, price 0, a jump, an empty note) are data: they are accepted here and judged by the
rules downstream.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import TYPE_CHECKING, Annotated, Any, Generic, NamedTuple, TypeVar

import msgspec

if TYPE_CHECKING:
    import pyarrow as pa

FUTURE_TOLERANCE = timedelta(minutes=5)
QUANTITY_LIMIT = 10**12
PRICE_LIMIT = 10**9
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

Name = Annotated[str, msgspec.Meta(min_length=1)]
Quantity = Annotated[int, msgspec.Meta(gt=-QUANTITY_LIMIT, lt=QUANTITY_LIMIT)]
Price = Annotated[float, msgspec.Meta(gt=-PRICE_LIMIT, lt=PRICE_LIMIT)]


class Reading(msgspec.Struct, frozen=True, gc=False):
    """One stock reading.

    `quantity` is in units, `price` in currency units per unit (None: unknown, the last known price holds), and
    `event_timestamp` is UTC. `extra` is the JSON text of the keys beyond the six, None where there are none.
    """

    product_id: Name
    category: Name
    store_location: Name
    quantity: Quantity
    price: Price | None
    event_timestamp: datetime
    extra: str | None = None


class Note(msgspec.Struct, frozen=True, gc=False):
    """What somebody wrote about a product; `event_timestamp` is UTC and `extra` as in a reading."""

    note_id: Name
    product_id: Name
    category: Name
    store_location: Name
    note: str
    event_timestamp: datetime
    extra: str | None = None


class Rejection(msgspec.Struct, frozen=True):
    """Why a message is not an event: `kind` is one word to count by, `detail` what to look at."""

    kind: str
    detail: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.detail}"


Event = TypeVar("Event", Reading, Note)


class Contract(Generic[Event]):
    """What a message must be to count as an event of one kind, message by message or in columns."""

    def __init__(self, event: type[Event], noun: str) -> None:
        self.noun = noun
        self._event: Callable[..., Event] = event
        fields = [(field.name, field.type) for field in msgspec.structs.fields(event) if field.name != "extra"]
        self.fields = tuple(name for name, _ in fields)
        payload = msgspec.defstruct("Payload", fields)
        only_these = msgspec.defstruct("OnlyThese", fields, gc=False, forbid_unknown_fields=True)
        self._payload_decoder = msgspec.json.Decoder(payload)
        self._only_these_decoder = msgspec.json.Decoder(only_these)
        self._keys_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])
        self._no_event = only_these(*[None] * len(fields))

    def decode(self, message: bytes, now: datetime) -> Event | Rejection:
        """Read one JSON message as an event.

        `now` is the clock (aware, UTC) that the message was published by; an event more than five minutes ahead of it
        is rejected. Never raises, whatever the bytes.
        """
        try:
            payload: Any = self._payload_decoder.decode(message)
            extra = self._extra_keys(message)
            moment = payload.event_timestamp
            moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        except msgspec.ValidationError as error:
            return _explain(str(error))
        except UNREADABLE as error:
            return _not_json(message, str(error))
        except OverflowError:
            return Rejection("out_of_range", "event_timestamp leaves the calendar when it is turned into UTC")
        if moment - now > FUTURE_TOLERANCE:
            return Rejection("future_timestamp", f"event_timestamp {moment.isoformat()} is more than 5 minutes ahead")
        values: dict[str, Any] = msgspec.structs.asdict(payload)
        return self._event(**(values | {"event_timestamp": moment, "extra": extra}))

    def decode_columns(self, messages: Sequence[bytes], published: pa.TimestampArray) -> Columns:
        """Read many messages at once: the same outcome as `decode` of each, several times as fast.

        `published` is the clock of each message. An event that is as the contract has it never becomes a Python
        object of ours; whatever is unusual (further keys, a rejection) takes the way of `decode`.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        events: list[Any] = []
        extras: dict[int, str] = {}
        rejections: dict[int, Rejection] = {}

        def look_closer(index: int) -> Any:
            outcome = self.decode(messages[index], published[index].as_py())
            if isinstance(outcome, Rejection):
                rejections[index] = outcome
                return self._no_event
            if outcome.extra is not None:
                extras[index] = outcome.extra
            return outcome

        decode = self._only_these_decoder.decode
        append = events.append
        for index, message in enumerate(messages):
            try:
                append(decode(message))
            except UNREADABLE:
                append(look_closer(index))

        moments = _column("event_timestamp", events)
        ahead = pc.greater(moments, pc.add(published, pa.scalar(FUTURE_TOLERANCE)))
        before_calendar = pc.less(moments, pa.scalar(datetime.min.replace(tzinfo=UTC), moments.type))
        doubtful = pc.indices_nonzero(pc.fill_null(pc.or_(ahead, before_calendar), False)).to_pylist()
        for index in doubtful:
            events[index] = look_closer(index)
        if doubtful:
            moments = _column("event_timestamp", events)
        fields = {name: moments if name == "event_timestamp" else _column(name, events) for name in self.fields}
        return Columns(fields, extras, rejections)

    def _extra_keys(self, message: bytes) -> str | None:
        keys = self._keys_decoder.decode(message)
        if len(keys) == len(self.fields):
            return None
        return msgspec.json.encode({key: value for key, value in keys.items() if key not in self.fields}).decode()


class Columns(NamedTuple):
    """Messages read in columns: an array for each field (NULL in rejected rows), and by row number the JSON of further
    keys and the rejections."""

    fields: dict[str, pa.Array]
    extras: dict[int, str]
    rejections: dict[int, Rejection]


READINGS = Contract(Reading, "stock reading")
NOTES = Contract(Note, "inventory note")
FIELDS = READINGS.fields
decode = READINGS.decode


def _column(name: str, events: list[Any]) -> pa.Array:
    import pyarrow as pa

    types = {"quantity": pa.int64(), "price": pa.float64(), "event_timestamp": pa.timestamp("us", tz="UTC")}
    return pa.array(list(map(attrgetter(name), events)), types.get(name, pa.string()))


def _explain(error: str) -> Rejection:
    """Turn msgspec's "Expected `int`, got `str` - at `$.quantity`" into field first, in plain words."""
    missing = re.search(r"missing required field `(\w+)`", error)
    if missing:
        return Rejection("missing_field", missing[1])
    problem, _, place = error.partition(" - at ")
    field = place.strip("`").removeprefix("$").removeprefix(".")
    plain = problem.replace("`", "").lower()
    beyond = "out of range" in plain or re.match(r"expected (int|float) [<>]", plain)
    return Rejection("out_of_range" if beyond else "wrong_type", f"{field}: {plain}" if field else plain)


def _not_json(message: bytes, error: str) -> Rejection:
    try:
        message.decode()
    except UnicodeDecodeError as problem:
        return Rejection("not_utf8", f"byte {problem.start}: {problem.reason}")
    return Rejection("not_json", error)
