"""The serving models' YAML: the tables that charts may read, and what their columns are called on a page.

A column's label is its `config.meta.label`, else its name in words. Its `config.meta.format` is `money`, `price`,
`percent` or `ratio`; other numbers are rounded by their type.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from publish.schema import AS_IN_EVENTS, published_column

DOC = re.compile(r"\{\{ doc\('(\w+)'\) \}\}")
DOC_BLOCK = re.compile(r"\{% docs (\w+) %\}\s*(.*?)\s*\{% enddocs %\}", re.DOTALL)
TIME_FORMATS = {"DATE": "%Y-%m-%d", "TIMESTAMP": "%Y-%m-%d %H:%M:%S"}
# how Superset writes the numbers of a format; money gets its currency beside it
NUMBER_FORMATS = {
    "money": ",.0f",
    "price": ",.2f",
    "percent": ".1%",
    "ratio": ".2f",
    "DOUBLE": ",.1f",
    "BIGINT": ",d",
    "INTEGER": ",d",
}


@dataclass(frozen=True)
class Column:
    """A column as SQLite declares it and as a page shows it; `time_format` is None for what is no time."""

    declared: str
    label: str
    description: str
    time_format: str | None
    number_format: str | None
    is_money: bool


@dataclass(frozen=True)
class Model:
    """A served table, and the published file that holds it."""

    name: str
    database: str
    description: str
    columns: dict[str, Column]


def read_models(project: Path) -> dict[str, Model]:
    """The serving models below a dbt project, by name."""
    blocks = {
        name: text
        for path in sorted((project / "models" / "docs").glob("*.md"))
        for name, text in DOC_BLOCK.findall(path.read_text())
    }

    def text(description: str) -> str:
        return DOC.sub(lambda part: blocks[part[1]], description)

    return {
        model["name"]: Model(
            model["name"],
            path.parent.name,
            text(model["description"]).partition("\n")[0],
            {column["name"]: made for column in model["columns"] if (made := _column(model["name"], column, text))},
        )
        for path in sorted((project / "models" / "serving").glob("*/_*__models.yml"))
        for model in yaml.safe_load(path.read_text())["models"]
    }


def _column(table: str, column: dict[str, Any], text: Any) -> Column | None:
    name, kind = column["name"], column["data_type"].upper()
    written = published_column(table, name, kind)
    if written is None:
        return None
    meta = column.get("config", {}).get("meta", {})
    time_format = TIME_FORMATS.get(kind)
    if kind == "TIMESTAMP" and (table, name) in AS_IN_EVENTS:
        time_format = "%Y-%m-%dT%H:%M:%SZ"
    return Column(
        declared=written.declared,
        label=meta.get("label", _in_words(name)),
        description=text(column["description"]),
        time_format=time_format,
        number_format=NUMBER_FORMATS.get(meta.get("format", re.sub(r"\(.*", "", kind))),
        is_money=meta.get("format") in {"money", "price"},
    )


def _in_words(name: str) -> str:
    words = re.sub(r"^is_|_(id|at|location|timestamp)$", "", name).replace("_", " ")
    return words[:1].upper() + words[1:]
