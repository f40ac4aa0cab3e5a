"""Imports between the packages, and between the rooms of ingest, run one way."""

from __future__ import annotations

import ast

import pytest

from tests.conftest import ROOT

# package: those that it may import
PACKAGES: dict[str, set[str]] = {
    "ingest": set(),
    "ml": set(),
    "cluster": {"ingest"},
    "notify": {"ingest"},
    "publish": {"ingest", "notify"},
    "live": {"publish", "notify", "ingest"},
    "dashboards": {"publish", "notify", "ingest"},
}
ROOMS: dict[str, set[str]] = {
    "ingest.landing": set(),
    "ingest.pulsar": {"ingest.landing"},
    "ingest.refining": {"ingest.landing", "ingest.pulsar"},
    "ingest.simulation": {"ingest.landing", "ingest.pulsar"},
}


@pytest.mark.parametrize(
    ("package", "may_import"), [(package, level) for level in (PACKAGES, ROOMS) for package in level]
)
def test_imports_run_one_way(package, may_import):
    forbidden = tuple(f"{other}." for other in may_import.keys() - {package} - may_import[package])
    against = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in (ROOT / package.replace(".", "/")).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        for name in _imported(node)
        if f"{name}.".startswith(forbidden)
    ]
    assert not against


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module or ""] if isinstance(node, ast.ImportFrom) else []
