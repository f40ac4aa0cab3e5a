"""Column mappings: how the columns of other software become the fields of an event, in YAML, ready or one's own."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache
from itertools import chain
from pathlib import Path

import msgspec

from ingest.landing.files.rows import DecimalMark, SourceError
from ingest.names import tidy

READY = Path(__file__).parents[1] / "mappings"
LEVEL, STORE = "quantity", "store_location"
_PAIR = re.compile(r'\s*(\w+)\s*=\s*(?:"([^"]*)"|([^,]*))\s*(?:,|$)')


class ColumnMapping(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """How the rows of a file become events. A field that it does not name is the column of its own name."""

    software: str = ""
    """The software that writes such files, as messages name it."""
    about: str = ""
    """Which of its exports this is, and what its levels are."""
    columns: dict[str, str | list[str | list[str]]] = {}
    """The column of each field; of several the first that is there and not empty. Columns in an
    inner list make up the field together: a day and a time of the day, say."""
    values: dict[str, str | int | float] = {}
    """What a field is where no column says it."""
    stores: str | list[str] | dict[str, str] = ""
    """The columns that hold a store's levels each: a pattern with * for the store's name, or the columns themselves."""
    stores_after: list[str] = []
    """A file without columns for store and level has a column of levels for each store, after the last of these."""
    store_prices: str = ""
    """The columns that hold a store's prices each: a pattern with * for the store's name."""
    adds_up: bool = False
    """Whether the software splits a level over rows (lots, owners), to be added up. If not, the last row holds."""
    not_stores: list[str] = []
    """Names of places that are no stores, with * for any text. Their rows are no readings."""
    optional: list[str] = []
    """Fields whose columns may be missing."""
    not_kept: list[str] = []
    """Values that mean that the store does not keep the product; such rows are not readings."""
    no_price: list[str] = []
    """Values that mean an unknown price."""
    decimal: DecimalMark | None = None
    recognised_by: list[str] = []
    """Columns that together identify the software."""

    def alternatives(self, field: str) -> list[tuple[str, ...]]:
        """The columns that may hold a field; several together where they make it up."""
        columns = self.columns.get(field, field)
        listed = [columns] if isinstance(columns, str) else columns
        return [(one,) if isinstance(one, str) else tuple(one) for one in listed]

    def store_columns(self, columns: Sequence[str]) -> dict[str, str]:
        """Which of a file's columns hold the levels of which store."""
        if isinstance(self.stores, dict):
            return self.stores
        if isinstance(self.stores, list):
            return {column: column for column in self.stores}
        if self.stores:
            pattern = re.compile(_with_wildcard(self.stores, "(.+)"), re.DOTALL)
            matches = {column: pattern.fullmatch(column) for column in columns}
            return {column: match[1] for column, match in matches.items() if match}
        before = [place for place, column in enumerate(columns) if column in self.stores_after]
        named = {column for field in (LEVEL, STORE) for column in chain(*self.alternatives(field))}
        if not before or not named.isdisjoint(columns):
            return {}
        return {column: column for column in columns[before[-1] + 1 :]}

    def price_column(self, store: str) -> str:
        """The column of the store's own prices; empty where stores have none."""
        return self.store_prices.replace("*", store)

    def is_store(self, name: object) -> bool:
        """Whether the value in the store's column is a level."""
        patterns = "|".join(_with_wildcard(one, ".*") for one in self.not_stores)
        return not (patterns and isinstance(name, str) and re.fullmatch(patterns, name.strip(), re.IGNORECASE))

    def with_options(
        self, columns: Mapping[str, str], values: Mapping[str, str], stores: str | list[str]
    ) -> ColumnMapping:
        """This mapping with a user's options on top. A field whose column the user names must have that column."""
        return msgspec.structs.replace(
            self,
            columns={**self.columns, **columns},
            values={**self.values, **values},
            stores=stores or self.stores,
            optional=[field for field in self.optional if field not in columns],
        )


AS_THEY_ARE = ColumnMapping()


@cache
def ready_mappings() -> dict[str, ColumnMapping]:
    """The mappings that come with the project, by name."""
    return {path.stem: read_mapping(path) for path in sorted(READY.glob("*.yml"))}


def mapping_named(name: str) -> ColumnMapping:
    """A ready mapping, or the one in a file. Raises SourceError."""
    ready = ready_mappings()
    if name in ready:
        return ready[name]
    if not Path(name).is_file():
        raise SourceError(f"{name}: no such mapping. Name a file, or one of {', '.join(ready)}.")
    return read_mapping(Path(name))


def read_mapping(path: Path) -> ColumnMapping:
    """The mapping in a file. Raises SourceError."""
    import yaml

    try:
        return msgspec.convert(yaml.safe_load(path.read_bytes()) or {}, ColumnMapping)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SourceError(f"{path}: is no YAML ({error}). Correct it.") from error
    except msgspec.ValidationError as error:
        known = ", ".join(ColumnMapping.__struct_fields__)
        raise SourceError(f"{path}: {error}. A mapping has {known}; see those in {READY.name}/.") from error


def save_mapping(mapping: ColumnMapping, path: Path) -> None:
    """Write a mapping that `--mapping FILE` reads."""
    import yaml

    path.write_text(yaml.safe_dump(msgspec.to_builtins(mapping), sort_keys=False, allow_unicode=True), encoding="utf-8")


def spelled_in(columns: Collection[str], name: str) -> str | None:
    """The column of this name, or the only one that differs from it in upper and lower case, and in spaces, hyphens and
    underscores between words, alone."""
    if name in columns:
        return name
    alike = [column for column in columns if _in_words(column) == _in_words(name)]
    return alike[0] if len(alike) == 1 else None


def _in_words(name: str) -> str:
    return re.sub(r"[\s_-]+", " ", tidy(name).casefold())


def _with_wildcard(pattern: str, wildcard: str) -> str:
    return re.escape(pattern).replace(r"\*", wildcard)


def pairs(texts: Iterable[str]) -> dict[str, str]:
    """The fields and what they are set to, from texts like `product_id=SKU,quantity="Available, net"`.

    Raises ValueError with the text that is no pair.
    """
    found: dict[str, str] = {}
    for text in texts:
        position = 0
        while position < len(text):
            match = _PAIR.match(text, position)
            if match is None:
                raise ValueError(text[position:])
            found[match[1]] = match[2] if match[2] is not None else match[3].strip()
            position = match.end()
    return found


def recognised(columns: Collection[str]) -> str:
    """A sentence that names the ready mapping that fits a file's columns; empty where none does."""
    for name, mapping in ready_mappings().items():
        if set(mapping.recognised_by) <= set(columns):
            article = "an" if mapping.software[0] in "AEIOU" else "a"
            return f" It looks like {article} {mapping.software} export: add --mapping {name} and --as-of TIME."
    return ""


def missing_column(field: str, wanted: Sequence[str], columns: Collection[str]) -> str:
    """A sentence on a field's missing column, with the column that was probably meant."""
    from difflib import get_close_matches

    name = wanted[0].lower()
    # a column may say more than its name: Available (not editable)
    spelled = {column.lower()[: len(name) + 1]: column for column in columns} | {one.lower(): one for one in columns}
    holding = sorted((one for one in spelled if name in one), key=lambda one: one.index(name))
    near = holding or get_close_matches(name, spelled, n=1)
    meant = f" (did you mean {spelled[near[0]]!r}?)" if near else ""
    return f"no column {' or '.join(map(repr, wanted))} for {field}{meant}"
