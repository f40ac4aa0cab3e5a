"""A data folder whose last build was good."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.publish.warehouse import write_warehouse


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    write_warehouse(tmp_path)
    return tmp_path
