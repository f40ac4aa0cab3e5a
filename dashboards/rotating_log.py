"""Write standard input to a log that never grows beyond four files of 5 MB: `python -m dashboards.rotating_log FILE`.

The server's processes and libraries write to one pipe, whatever they write with. This ends when the last of them does.
"""

from __future__ import annotations

import logging
import sys
from logging.handlers import RotatingFileHandler

LONGEST_LINE = 65_536


def write_rotating(path: str) -> None:
    logging.raiseExceptions = False  # on a full disk lines are lost, and the server goes on
    log = RotatingFileHandler(path, maxBytes=5_000_000, backupCount=3, encoding="utf-8", errors="replace")
    log.terminator = ""
    lines = iter(lambda: sys.stdin.buffer.readline(LONGEST_LINE), b"")
    for line in lines:
        log.emit(logging.makeLogRecord({"msg": line.decode(errors="replace")}))


if __name__ == "__main__":
    write_rotating(sys.argv[1])
