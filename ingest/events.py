"""The event contracts: what a stock reading, an inventory note, a notification action and a failure of a stage are, and
why a message is none of them.

A reading is the level on hand of one product in one store at one time, never a movement. Values that look wrong but
are well formed (negative stock, price 0, a jump, an empty note) are data: they are accepted here, and the rules judge
them downstream.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from operator import attrgetter
from typing import TYPE_CHECKING, Annotated, Any, Generic, Literal, NamedTuple, TypeVar

import msgspec

from ingest import names
from ingest.times import FUTURE_TOLERANCE, TimeError, implausibility, max_age, read_time

if TYPE_CHECKING:
    import pyarrow as pa

QUANTITY_LIMIT = 10**12
PRICE_LIMIT = 10**9
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

NAMES = ("note_id", "product_id", "category", "store_location", "action_id", "episode_id", "person", "assignee")
Quantity = Annotated[int, msgspec.Meta(gt=-QUANTITY_LIMIT, lt=QUANTITY_LIMIT)]
Price = Annotated[float, msgspec.Meta(gt=-PRICE_LIMIT, lt=PRICE_LIMIT)]
UtcTime = Annotated[datetime, msgspec.Meta(tz=True)]
COMMENT_LENGTH = 1_000
Comment = Annotated[str, msgspec.Meta(max_length=COMMENT_LENGTH, pattern=r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*\Z")]


class Reading(msgspec.Struct, frozen=True, gc=False):
    """One stock reading.

    `quantity` is in units, `price` in currency units per unit (None: unknown, the last known price holds), and
    `event_timestamp` is UTC. Names are tidy (`ingest.names`). `extra` is the JSON text of the keys beyond the six, None
    where there are none. It also holds each name that was not tidy as it was sent, for example as
    `store_location_as_sent`.
    """

    product_id: str
    category: str
    store_location: str
    quantity: Quantity
    price: Price | None
    event_timestamp: datetime
    extra: str | None = None


class Note(msgspec.Struct, frozen=True, gc=False):
    """What somebody wrote about a product; `event_timestamp` is UTC and `extra` as in a reading."""

    note_id: str
    product_id: str
    category: str
    store_location: str
    note: str
    event_timestamp: datetime
    extra: str | None = None


class Action(msgspec.Struct, frozen=True):
    """What a person did with the episode of a notification; `event_timestamp` is UTC and `extra` as in a reading.

    A snooze holds until `snoozed_until`. An assignment without `assignee` takes the one before back. `expected` says
    that nothing is wrong.
    """

    action_id: str
    episode_id: str
    action: Literal["acknowledge", "snooze", "assign", "resolve", "reopen", "expected"]
    person: str
    event_timestamp: datetime
    snoozed_until: UtcTime | None = None
    assignee: str | None = None
    comment: Comment | None = None
    extra: str | None = None


class StageFailure(msgspec.Struct, frozen=True):
    """A stage of the pipeline that did not work, though it was tried again; `event_timestamp` is UTC."""

    failure_id: str
    stage: str
    problem: str
    event_timestamp: datetime
    extra: str | None = None


class Rejection(msgspec.Struct, frozen=True):
    """Why a message is not an event: `kind` is one word to count by, `detail` what to look at."""

    kind: str
    detail: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.detail}"


Event = TypeVar("Event", Reading, Note, Action, StageFailure)


class FractionalQuantityError(ValueError):
    """A quantity that is no whole number of units, nor of the parts that a unit is counted in."""

    def __init__(self, quantity: object, scale: int = 1) -> None:
        times = f" times {scale}" if scale != 1 else ""
        super().__init__(f"quantity: {quantity}{times} is not whole; --quantity-scale counts in parts of a unit")


class Contract(Generic[Event]):
    """What a message must be to count as an event of one kind, message by message or in columns."""

    def __init__(self, event: type[Event], noun: str) -> None:
        self.noun = noun
        self._event: Callable[..., Event] = event
        fields = [
            (field.name, field.type) if field.required else (field.name, field.type, field.default)
            for field in msgspec.structs.fields(event)
            if field.name != "extra"
        ]
        self.fields = tuple(name for name, *_ in fields)
        self.names = tuple(name for name in NAMES if name in self.fields)
        payload = msgspec.defstruct("Payload", fields)
        only_these = msgspec.defstruct("OnlyThese", fields, gc=False, forbid_unknown_fields=True)
        self._payload_decoder = msgspec.json.Decoder(payload)
        self._only_these_decoder = msgspec.json.Decoder(only_these)
        self._keys_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])
        self._no_event = only_these(*[None] * len(fields))

    def decode(self, message: bytes, now: datetime | None) -> Event | Rejection:
        """Read one JSON message as an event.

        `now` is the clock (aware, UTC) that the message was published by: an event more than five minutes ahead of it,
        or older than `max_age`, is rejected. Without a clock every time is accepted. Never raises, whatever the bytes.
        """
        try:
            try:
                payload: Any = self._payload_decoder.decode(message)
            except msgspec.ValidationError:
                payload = self._leniently(message)
            keys = self._keys_decoder.decode(message)
            timestamp = read_time(payload.event_timestamp).time
        except TimeError as error:
            return Rejection(error.kind, f"event_timestamp: {error}")
        except FractionalQuantityError as error:
            return Rejection("fractional_quantity", str(error))
        except msgspec.ValidationError as error:
            return _explain(str(error))
        except UNREADABLE as error:
            return _not_json(message, str(error))
        problem = implausibility(timestamp, now) if now else None
        return Rejection(*problem) if problem else self._with_tidy_names(payload, keys, timestamp)

    def decode_columns(self, messages: Sequence[bytes | Rejection], published: pa.TimestampArray) -> Columns:
        """Read many messages at once: the same outcome as `decode` of each, several times as fast.

        `published` is the clock of each message. Ordinary events never become Python objects of ours. Whatever is
        unusual (further keys, a rejection, a name to tidy) goes through `decode`. A message that its source could not
        read is passed as the rejection that says why.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        events: list[Any] = []
        extras: dict[int, str] = {}
        rejections: dict[int, Rejection] = {}

        def look_closer(index: int) -> Any:
            message = messages[index]
            outcome = message if isinstance(message, Rejection) else self.decode(message, published[index].as_py())
            if isinstance(outcome, Rejection):
                rejections[index] = outcome
                return self._no_event
            if outcome.extra is not None:
                extras[index] = outcome.extra
            return outcome

        remaining: Iterator[Any] = iter(messages)
        while len(events) < len(messages):
            try:
                events.extend(map(self._only_these_decoder.decode, remaining))
            except (
                *UNREADABLE,
                TypeError,
            ):  # those before it are decoded; a rejection raises TypeError, since it is not bytes
                events.append(look_closer(len(events)))

        fields = {name: _column(name, events) for name in self.fields}
        ahead = pc.greater(fields["event_timestamp"], pc.add(published, pa.scalar(FUTURE_TOLERANCE)))
        too_old = pc.less(fields["event_timestamp"], pc.subtract(published, pa.scalar(max_age())))
        doubtful = set(pc.indices_nonzero(pc.fill_null(pc.or_(ahead, too_old), False)).to_pylist())
        doubtful.update(*(_untidy(fields[name]) for name in self.names))
        if doubtful:
            for index in sorted(doubtful):
                events[index] = look_closer(index)
            fields = {name: _column(name, events) for name in self.fields}
        return Columns(fields, extras, rejections)

    def _leniently(self, message: bytes) -> Any:
        """The payload of a message that writes 2.0 for 2, or its time as an epoch number or in another spelling.

        Raises msgspec.ValidationError, TimeError or FractionalQuantityError where it is no event even so.
        """
        keys: dict[str, Any] = self._keys_decoder.decode(message)
        if "quantity" in keys and "quantity" in self.fields:
            with suppress(msgspec.ValidationError):
                quantity = msgspec.json.decode(keys["quantity"], type=float)
                if not quantity.is_integer():
                    raise FractionalQuantityError(quantity)
                keys["quantity"] = int(quantity)
        if "event_timestamp" in keys:
            keys["event_timestamp"] = read_time(msgspec.json.decode(keys["event_timestamp"])).time
        return self._payload_decoder.decode(msgspec.json.encode(keys))

    def _with_tidy_names(self, payload: Any, keys: dict[str, msgspec.Raw], timestamp: datetime) -> Event | Rejection:
        values: dict[str, Any] = msgspec.structs.asdict(payload) | {"event_timestamp": timestamp}
        extra: dict[str, Any] = {key: value for key, value in keys.items() if key not in self.fields}
        for name in self.names:
            sent = values[name]
            if sent is not None and not names.is_tidy(sent):
                problem = names.problem(sent)
                if problem:
                    kind, detail = problem
                    return Rejection(kind, f"{name}: {detail}")
                values[name] = names.tidy(sent)
                if values[name] != sent:
                    extra[f"{name}_as_sent"] = sent
        return self._event(**values, extra=msgspec.json.encode(extra).decode() if extra else None)


class Columns(NamedTuple):
    """Messages read in columns: an array for each field (NULL in rejected rows), and by row number the JSON of further
    keys and the rejections."""

    fields: dict[str, pa.Array]
    extras: dict[int, str]
    rejections: dict[int, Rejection]


READINGS = Contract(Reading, "stock reading")
NOTES = Contract(Note, "inventory note")
ACTIONS = Contract(Action, "notification action")
FAILURES = Contract(StageFailure, "stage failure")
FIELDS = READINGS.fields
decode = READINGS.decode


def _untidy(column: pa.Array) -> list[int]:
    """The rows of a column of names that are not tidy; each distinct name is looked at once."""
    import pyarrow as pa
    import pyarrow.compute as pc

    encoded = column.dictionary_encode()
    untidy = [number for number, name in enumerate(encoded.dictionary.to_pylist()) if not names.is_tidy(name)]
    return pc.indices_nonzero(pc.is_in(encoded.indices, pa.array(untidy, pa.int32()))).to_pylist() if untidy else []


def _column(name: str, events: list[Any]) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    time = pa.timestamp("us", tz="UTC")
    types = {"quantity": pa.int64(), "price": pa.float64(), "event_timestamp": time, "snoozed_until": time}
    column = pa.array(list(map(attrgetter(name), events)), types.get(name, pa.string()))
    return pc.add(column, 0.0) if name == "price" else column  # -0.0 is 0.0


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
