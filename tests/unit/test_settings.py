"""An empty setting is no setting, for dbt as for the commands: otherwise the two would work with different values."""

from __future__ import annotations

import re
from datetime import timedelta

import jinja2
import pytest

from ingest.currency import currency
from ingest.times import max_age
from tests.conftest import ROOT

EXPRESSION = re.compile(r"\{\{-?(?:(?!\}\}).)*env_var\(['\"](\w+)['\"], (?:(?!\}\}).)*\}\}")


def expressions() -> list[tuple[str, str]]:
    """The setting and the text of each place where the dbt project reads one that has a default."""
    files = [ROOT / "profiles.yml", *(ROOT / "models").rglob("*.*"), *(ROOT / "macros").rglob("*.sql")]
    texts = [path.read_text() for path in files if path.suffix in {".sql", ".yml"}]
    return [(match[1], match[0].replace('\\"', '"')) for text in texts for match in EXPRESSION.finditer(text)]


def rendered(expression: str, value: str | None) -> str:
    template = jinja2.Template(expression)
    return template.render(
        env_var=lambda _, default: default if value is None else value, **{"return": lambda value: value}
    )


@pytest.mark.parametrize(
    ("setting", "empty"),
    [
        ("INVENTORY_DATA_DIR", ""),
        ("INVENTORY_DETECTORS", ""),
        *((name, empty) for name in ("INVENTORY_CURRENCY", "INVENTORY_MAX_AGE_YEARS") for empty in ("", " ")),
    ],
)
def test_dbt_takes_the_default_of_an_empty_setting(setting: str, empty: str) -> None:
    found = {expression for name, expression in expressions() if name == setting}
    assert found
    assert {rendered(expression, empty) for expression in found} == {rendered(expression, None) for expression in found}


def test_the_commands_take_the_default_of_an_empty_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    for empty in ("", " "):
        monkeypatch.setenv("INVENTORY_CURRENCY", empty)
        monkeypatch.setenv("INVENTORY_MAX_AGE_YEARS", empty)
        max_age.cache_clear()
        assert currency() == "EUR"
        assert max_age() == timedelta(days=15 * 365.25)
    max_age.cache_clear()
