"""A stage of `inventory live` as a process of its own, which dies with the process that started it, however that ends.

`python -m live.child PARENT ARGUMENTS…` runs a subcommand of `inventory` or one of STAGES.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from ingest.stopping import die_with

NAME_FILES = ("PULSAR_TOKEN_FILE", "PULSAR_TLS_TRUST_CERTS", "PGPASSFILE")
STAGES = {
    "follow": "live.building",
    "whole": "live.whole_build",
    "merge": "live.compacting",
    "serve": "live.serving",
    "deliver": "live.delivering",
}


def start(*arguments: str, data_dir: Path, **options: Any) -> subprocess.Popen[str]:
    """Start a child in a process group of its own. It lives no longer than the thread that calls this."""
    return subprocess.Popen(
        [sys.executable, "-m", "live.child", str(os.getpid()), *arguments],
        cwd=Path(__file__).parents[1],
        env={**os.environ, **_named_files(), "INVENTORY_DATA_DIR": str(data_dir)},
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        text=True,
        errors="replace",  # a stage that writes other bytes is read on
        **options,
    )


def _named_files() -> dict[str, str]:
    """The settings that name files, for a child that works in another folder."""
    return {name: str(Path(os.environ[name]).absolute()) for name in NAME_FILES if os.environ.get(name)}


def end(process: subprocess.Popen[str], seconds: float = 0.0) -> None:
    """End a child and all that it has started: with SIGTERM and, after so many seconds, SIGKILL."""
    if seconds and process.poll() is None:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def main(parent: int, arguments: list[str]) -> None:
    """Tie this process to its parent and run the stage."""
    die_with(parent)
    name, *rest = arguments
    if name in STAGES:
        import_module(STAGES[name]).command.main(rest, prog_name=name)
    else:
        import_module("inventory").main.main(arguments, prog_name="inventory")


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
