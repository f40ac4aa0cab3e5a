"""Run the dbt project in this process on a data folder; a second build skips most of dbt's start."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest

ROOT = Path(__file__).parents[3]

Tables = dict[str, list[tuple[object, ...]]]


def build(data_dir: Path, *arguments: str, steps: str = "run") -> None:
    """Seed, then `dbt run` (or `steps`) with the arguments. Fails the test with the first faults that dbt tells."""
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager
    from dbt.cli.main import dbtRunner

    connections: Any = DuckDBConnectionManager

    places = ["--project-dir", str(ROOT), "--profiles-dir", str(ROOT), "--quiet"]
    artefacts = ["--target-path", str(data_dir / "dbt"), "--log-path", str(data_dir / "dbt")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INVENTORY_DATA_DIR", str(data_dir))
        for command in (["seed"], [steps, *arguments]):
            outcome = dbtRunner().invoke([*command, *places, *artefacts])
            faults = [
                f"{result.node.name}: {result.message}"
                for result in getattr(outcome.result, "results", [])
                if result.status in {"error", "fail"}
            ]
            assert outcome.success, "\n".join(faults[:5]) or outcome.exception
            # dbt holds the warehouse open for its next command; a test wants to read it
            connections.close_all_connections()


def served(data_dir: Path) -> Tables:
    """Every table that the serving layer holds, its rows sorted."""
    names = sorted(path.stem for path in (ROOT / "models/serving").glob("*/*.sql"))
    with duckdb.connect(str(data_dir / "warehouse/inventory.duckdb"), read_only=True) as connection:
        return {name: connection.execute(f'select * from "{name}" order by all').fetchall() for name in names}
