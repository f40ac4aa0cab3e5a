"""Which models read which, by the rules of `dbt-bouncer.yml`. dbt-bouncer itself is not among the development tools."""

from __future__ import annotations

import re

import pytest
import yaml

from tests.conftest import ROOT

CHECKS = yaml.safe_load((ROOT / "dbt-bouncer.yml").read_text())["manifest_checks"]
FILES = {
    path.stem: str(path.relative_to(ROOT)) for path in (ROOT / "models").rglob("*.*") if path.suffix in {".sql", ".py"}
}


def checked(name: str) -> list[dict[str, str]]:
    return [check for check in CHECKS if check["name"] == name]


def applies(check: dict[str, str], file: str) -> bool:
    return bool(re.match(check.get("include", ""), file)) and not re.match(check.get("exclude", "$^"), file)


@pytest.mark.parametrize(
    "check", checked("check_lineage_permitted_upstream_models"), ids=lambda check: check["include"]
)
def test_a_layer_reads_only_those_below_it(check):
    above = [
        f"{file} reads {read}"
        for file in FILES.values()
        if applies(check, file)
        for read in re.findall(r"\bref\(['\"](\w+)['\"]\)", (ROOT / file).read_text())
        if read in FILES and not re.match(check["upstream_path_pattern"], FILES[read])
    ]
    assert not above


def test_a_staging_model_has_one_source_but_for_those_that_are_named():
    (check,) = checked("check_model_depends_on_multiple_sources")
    several = [
        file
        for file in FILES.values()
        if applies(check, file)
        and len(set(re.findall(r"\bsource\(['\"]\w+['\"], ['\"](\w+)['\"]\)", (ROOT / file).read_text()))) > 1
    ]
    assert not several
