"""The options of commands that read a file of events."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import fields
from datetime import UTC, datetime, tzinfo
from functools import wraps
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click
import msgspec

from ingest.landing.files.mapping import AS_THEY_ARE, ColumnMapping, mapping_named, pairs, save_mapping
from ingest.landing.files.rows import AS_IT_COMES, FileOptions, SourceError
from ingest.times import TimeError, TimeFormat, read_time

OPTIONS = (
    click.option("--encoding", help="Encoding of a text file: windows-1252, say  [default: what the file shows]"),
    click.option("--sheet", help="Sheet of an Excel workbook  [default: the first]"),
    click.option(
        "--decimal", type=click.Choice(["point", "comma"]), help="Decimal mark  [default: what the file shows]"
    ),
    click.option(
        "--day-first/--month-first", default=None, help="How 03/01/2026 is meant  [default: what the file shows]"
    ),
    click.option(
        "--time-zone", default="UTC", show_default=True, help="Zone of times that name none: Europe/Berlin, say"
    ),
    click.option(
        "--quantity-scale",
        type=click.IntRange(min=1),
        default=1,
        help="Count in parts of a unit: 1000 makes 1.25 kg 1,250 g, and a price per kg one per g",
    ),
    click.option("--mapping", help="Whose columns these are: a ready mapping, such as shopify, or a file of your own"),
    click.option("--columns", multiple=True, help='Which column holds what: product_id=SKU,quantity="On hand"'),
    click.option("--set", "values", multiple=True, help="What no column says: category=Unknown"),
    click.option("--stores", help='Columns that hold the levels of a store each: "Stock *", or North,South'),
    click.option("--as-of", help="When the stock was counted, for files that do not say: 2026-01-31T18:00"),
    click.option(
        "--save-mapping",
        type=click.Path(path_type=Path, dir_okay=False),
        help="Save what --mapping, --columns, --set and --stores say together as a file for --mapping",
    ),
)


def file_options(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command these options; it receives them as one argument, `options`."""

    @wraps(function)
    def with_options(**arguments: Any) -> None:
        said = {option: arguments.pop(option) for option in SAID}
        function(options=_options(**said), **arguments)

    for option in reversed(OPTIONS):
        with_options = option(with_options)
    return with_options


SAID = (
    *("encoding", "sheet", "decimal", "day_first", "time_zone", "quantity_scale"),
    *("mapping", "columns", "values", "stores", "as_of", "save_mapping"),
)


def _options(
    *,
    mapping: str | None,
    columns: tuple[str, ...],
    values: tuple[str, ...],
    stores: str | None,
    as_of: str | None,
    save_mapping: Path | None,
    time_zone: str,
    day_first: bool | None,
    decimal: Any,
    **others: Any,
) -> FileOptions:
    zone = _zone(time_zone)
    chosen = _mapping(mapping, columns, values, stores)
    if save_mapping is not None:
        _save(chosen, save_mapping)
    said = {
        "--decimal": decimal,
        "--time-zone": time_zone if zone is not UTC else None,
        "--quantity-scale": others["quantity_scale"] if others["quantity_scale"] != 1 else None,
        "--mapping": mapping,
        "--stores": stores,
        "--as-of": as_of,
    }
    arguments = [f"{option} {shlex.quote(str(value))}" for option, value in said.items() if value is not None]
    arguments += [f"--columns {shlex.quote(text)}" for text in columns]
    arguments += [f"--set {shlex.quote(text)}" for text in values]
    arguments += [] if day_first is None else ["--day-first" if day_first else "--month-first"]
    return FileOptions(
        decimal=decimal or (chosen.decimal if chosen else None),
        day_first=day_first,
        time_zone=zone,
        mapping=chosen,
        set_fields=frozenset(_pairs("--set", values)) - (_base(mapping).values.keys()),
        as_of=None if as_of is None else _time(as_of, TimeFormat(day_first, zone)),
        arguments=" ".join(arguments),
        **others,
    )


SAID_OTHERWISE = ("arguments", "set_fields")  # what the mapping and the other options say as well


def how_read(options: FileOptions) -> str:
    """What of the options decides which events a row becomes, as JSON; empty where it is left to the file."""
    said = {
        field.name: getattr(options, field.name)
        for field in fields(options)
        if field.name not in SAID_OTHERWISE and getattr(options, field.name) != getattr(AS_IT_COMES, field.name)
    }
    return msgspec.json.encode(said, enc_hook=str, order="deterministic").decode() if said else ""


def is_read_alike(one: str, other: str) -> bool:
    """Whether rows were read in the same way, if for another time."""
    ways: list[dict[str, Any]] = [msgspec.json.decode(text or "{}") for text in (one, other)]
    for way in ways:
        way.pop("as_of", None)
    return ways[0] == ways[1]


def _mapping(
    name: str | None, columns: tuple[str, ...], values: tuple[str, ...], stores: str | None
) -> ColumnMapping | None:
    if not (name or columns or values or stores):
        return None
    listed = stores.split(",") if stores and "*" not in stores else stores or ""
    return _base(name).with_options(_pairs("--columns", columns), _pairs("--set", values), listed)


def _base(name: str | None) -> ColumnMapping:
    """What is mapped without further options."""
    try:
        return mapping_named(name) if name else AS_THEY_ARE
    except SourceError as error:
        raise click.ClickException(str(error)) from error


def _pairs(option: str, texts: tuple[str, ...]) -> dict[str, str]:
    try:
        return pairs(texts)
    except ValueError as error:
        raise click.BadParameter(f"{error}: write FIELD=COLUMN,FIELD=COLUMN.", param_hint=option) from error


def _save(mapping: ColumnMapping | None, path: Path) -> None:
    if mapping is None:
        raise click.BadParameter("there is nothing to save without --columns, --set or --stores.")
    try:
        save_mapping(mapping, path)
    except OSError as error:
        raise click.ClickException(f"{path}: {error.strerror}.") from error
    click.echo(f"{path}: saved; --mapping {path} reads it")


def _time(text: str, time_format: TimeFormat) -> datetime:
    try:
        return read_time(text, time_format).time
    except TimeError as error:
        raise click.BadParameter(f"{error}.", param_hint="--as-of") from error


def _zone(name: str) -> tzinfo:
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise click.BadParameter(
            f"{name} is no time zone. Name one like Europe/Berlin.", param_hint="--time-zone"
        ) from None
