"""What the server of a data folder says of itself, in `superset/server.json`, and whether it lives.

The server's processes hold a lock on that file for as long as they live. So a file that a killed server left behind, a
copied data folder or another program with the same process id are never taken for a server.
"""

from __future__ import annotations

import fcntl
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TextIO
from urllib.request import urlopen


@dataclass(frozen=True)
class Server:
    """A running server: its process (the leader of its group), its port, and a digest of the code and settings that
    it has read."""

    process: int
    port: int
    data_dir: str
    configuration: str

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def answers(self) -> bool:
        try:
            with urlopen(f"{self.url}/health", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


def running_server(home: Path) -> Server | None:
    """The server whose files lie in `home`, if it lives."""
    try:
        with (home / "server.json").open() as state:
            if _lock(state, fcntl.LOCK_SH):
                return None
            return Server(**json.load(state))
    except (FileNotFoundError, ValueError):  # no server yet, or one that has not written its state
        return None


def open_state(home: Path) -> TextIO:
    """The state file, locked, to be handed to the server's processes. The caller makes sure that none is running."""
    state = (home / "server.json").open("a+")
    if not _lock(state, fcntl.LOCK_EX):
        raise RuntimeError(f"another server holds {home / 'server.json'}")
    state.truncate(0)
    return state


def write_state(state: TextIO, server: Server) -> None:
    json.dump(asdict(server), state)
    state.flush()


def _lock(state: TextIO, kind: int) -> bool:
    """Lock the file and return whether that was possible."""
    try:
        fcntl.flock(state, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
