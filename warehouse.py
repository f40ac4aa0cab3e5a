"""What can keep dbt from its warehouse, checked before dbt opens it and reported in one line (see profiles.yml)."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import duckdb
from dbt.adapters.duckdb.plugins import BasePlugin
from dbt_common.exceptions import DbtRuntimeError

SMALLEST_BUILD = 10 * 1024**2  # bytes; the tables take 2 MB without a row, and a build rewrites most of them


class Plugin(BasePlugin):
    """dbt-duckdb makes one of these as it starts, and reports the error that it raises without a traceback."""

    def initialize(self, plugin_config: dict[str, Any]) -> None:
        """Make the warehouse's folder. Raises DbtRuntimeError where there is nothing to build from or no way in."""
        if self.creds is None:
            return
        warehouse = Path(self.creds.path)
        data_dir = warehouse.parents[1]
        if not any(data_dir.glob("raw/readings/batch-*/*/*.parquet")):
            raise DbtRuntimeError(_nothing_to_build_from(data_dir))
        free = shutil.disk_usage(data_dir).free
        if free < SMALLEST_BUILD:
            raise DbtRuntimeError(f"the disk is full: {data_dir} has {free // 1024:,} kB left. Free some space.")
        warehouse.parent.mkdir(exist_ok=True)
        try:
            duckdb.connect(str(warehouse)).close()
        except duckdb.IOException as error:
            raise DbtRuntimeError(
                f"{warehouse} cannot be opened. If another program holds it, close that or wait for its build to end. "
                f"DuckDB says: {' '.join(str(error).split())}"
            ) from error


def _nothing_to_build_from(data_dir: Path) -> str:
    if any(data_dir.glob("landing/publish_date=*/*.parquet")):
        return f"{data_dir / 'raw'} holds no readings, and {data_dir / 'landing'} does. Run `inventory land --once`."
    return (
        f"{data_dir.absolute()} holds no events. Land some with `inventory load --source FILE` and "
        "`inventory land --once`, or name another folder in INVENTORY_DATA_DIR."
    )
