"""Imports between the packages run one way."""

from __future__ import annotations

import ast

import pytest

from tests.conftest import ROOT

# package: those that it may import
MAY_IMPORT = {
    "ingest": set(),
    "ml": set(),
    "publish": {"ingest"},
    "dashboards": {"publish", "ingest"},
}


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_imports_run_one_way(package):
    others = MAY_IMPORT.keys() - {package} - MAY_IMPORT[package]
    against = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in (ROOT / package).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        for name in _imported(node)
        if name.split(".")[0] in others
    ]
    assert not against


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module or ""] if isinstance(node, ast.ImportFrom) else []
