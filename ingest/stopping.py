"""How a command that goes on for ever begins and ends, and how its children end.

It takes a folder over, and SIGTERM or SIGINT stop it. A child dies with its parent, however that ends.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click

from ingest.durable_files import FolderBusyError, file_lock

SECONDS_BETWEEN_LOOKS = 0.2
PR_SET_PDEATHSIG = 1  # of Linux's prctl


@contextmanager
def stop_signals() -> Iterator[threading.Event]:
    """An event that SIGTERM and SIGINT set, instead of ending the process in the middle of a step."""
    stop = threading.Event()
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def take_over(folder: Path, doing: str, held: ExitStack, stop: threading.Event) -> bool:
    """Hold a folder, waiting for the process that holds it to end if there is one; False if stopped meanwhile."""
    reported = False
    while not stop.is_set():
        try:
            held.enter_context(file_lock(folder, doing))
        except FolderBusyError as busy:
            if not reported:
                click.echo(f"{busy} Standing by to take over.", err=True)
                reported = True
            stop.wait(SECONDS_BETWEEN_LOOKS)
        else:
            return True
    return False


def die_with(parent: int) -> None:
    """Tie this process to its parent, given by its id: Linux kills it when the thread that started it ends."""
    # a signal that cannot be held up: a child that is stopped or busy would outlive its parent otherwise
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before the line above
        sys.exit(1)
