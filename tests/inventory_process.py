"""The command `inventory` in a process of its own, for tests and benchmarks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def inventory_command(*arguments: str) -> list[str]:
    """What starts `inventory` with these arguments in the folder ROOT."""
    return [sys.executable, "-c", "from inventory import main; main()", *arguments]


def environment(data_dir: Path) -> dict[str, str]:
    """This process's environment without its broker and dbt folders, for a data folder."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PULSAR_", "DBT_"))}
    return inherited | {"INVENTORY_DATA_DIR": str(data_dir)}


def inventory(data_dir: Path, *arguments: str) -> str:
    """Run `inventory` as a user would and return what it prints. Raises CalledProcessError."""
    return subprocess.run(
        inventory_command(*arguments),
        cwd=ROOT,
        env=environment(data_dir),
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout
