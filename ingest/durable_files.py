"""Files and folders that appear whole or not at all, outlive a power cut, and have one writer at a time.

Whatever is written gets a temporary name first. It is synced, renamed and its folder synced; the rename is the commit
point. A process that is killed leaves temporary names only, and the next writer of the folder removes them.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

TEMPORARY = ".tmp-"
# what the operating system, SQLite, its Arrow driver, DuckDB and Java report, each with an error class of its own
DISK_FULL = re.compile("No space left|disk is full|Disk quota exceeded")
AT_FDCWD, RENAME_EXCHANGE = -100, 2  # of Linux's renameat2


class FolderBusyError(RuntimeError):
    """Another process is writing into the same folder; the message names it."""


class ExchangeError(RuntimeError):
    """A folder cannot be replaced safely here; nothing was changed."""


def says_disk_full(error: BaseException) -> bool:
    """Whether an error, of whatever class, says that a disk is full."""
    return DISK_FULL.search(str(error)) is not None


@contextmanager
def file_lock(folder: Path, doing: str, *, wait: bool = False) -> Iterator[None]:
    """Hold a folder for one writer, and remove what it, or a killed one before, left unfinished there and one level
    below.

    The lock ends with its process, however that ends. Raises FolderBusyError, which names the process that holds
    the folder and what it is `doing`, unless the caller would rather `wait`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise FolderBusyError(f"{folder}: {lock.read().strip()} here. Wait for it or stop it.") from None
        lock.truncate(0)
        lock.write(f"process {os.getpid()} is {doing}")
        lock.flush()
        _remove_unfinished(folder)
        try:
            yield
        except BaseException:
            _remove_unfinished(folder)  # a full disk needs the space
            raise


def lock_holder(folder: Path) -> str | None:
    """Which process holds a folder, and what it is doing; None where none does."""
    try:
        with (folder / ".lock").open() as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return lock.read().strip()
    except FileNotFoundError:
        pass
    return None


def _remove_unfinished(folder: Path) -> None:
    for leftover in [*folder.glob(f"{TEMPORARY}*"), *folder.glob(f"*/{TEMPORARY}*")]:
        if leftover.is_dir():
            shutil.rmtree(leftover)
        else:
            leftover.unlink()


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """A temporary path for a file or a folder, which is committed under its name when the block ends.

    A file of that name is replaced, a folder is not. The path is in a temporary folder. It is removed with whatever
    a writer leaves in it, also after an error: a full disk needs the space.
    """
    # another ending than the file's, by which readers list what is whole
    folder = path.with_name(f"{TEMPORARY}{path.name}.part")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        yield folder / path.name
        commit(folder / path.name, path)
    except OSError as error:
        if error.errno and not error.filename:  # writing to an open file names none
            error.filename = str(path)
        raise
    finally:
        shutil.rmtree(folder)


def commit(temporary: Path, path: Path) -> None:
    """Make a file, or a folder with all that is in it, durable and give it its name."""
    sync_tree(temporary)
    temporary.rename(path)  # the commit point
    sync_folder(path.parent)


def exchange(one: Path, other: Path) -> None:
    """Give two folders each other's name in one step. Raises ExchangeError where that cannot be done."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    arguments = (AT_FDCWD, os.fsencode(one), AT_FDCWD, os.fsencode(other), RENAME_EXCHANGE)
    if rename is None or rename(*arguments):
        reason = os.strerror(ctypes.get_errno()) if rename else "no renameat2 on this system"
        raise ExchangeError(
            f"{other}: two folders cannot be exchanged in one step on this file system ({reason}); nothing was "
            "changed. Keep the data folder on a local Linux file system (ext4, xfs, btrfs, tmpfs)."
        )


def sync_tree(path: Path) -> None:
    """Make a file durable, or a folder with all that is in it and the names of that."""
    for each in [*path.rglob("*"), path]:
        _sync(each)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    _sync(folder)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
