"""Files that appear whole or not at all, and folders with one writer at a time."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from threading import Thread

import pytest

from ingest import durable_files
from ingest.durable_files import FolderBusyError, atomic_write, file_lock


def test_a_file_has_its_name_only_when_it_is_whole(tmp_path):
    path = tmp_path / "events.csv"
    path.write_text("old")
    with atomic_write(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
        assert list(tmp_path.glob("*.csv")) == [path]
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_appears_with_all_that_is_in_it(tmp_path):
    with atomic_write(tmp_path / "batch-1") as temporary:
        (temporary / "month").mkdir(parents=True)
        (temporary / "month" / "part").write_text("rows")
        assert not (tmp_path / "batch-1").exists()
    assert (tmp_path / "batch-1" / "month" / "part").read_text() == "rows"
    assert [path.name for path in tmp_path.iterdir()] == ["batch-1"]


def test_an_error_leaves_nothing_and_what_was_there(tmp_path):
    path = tmp_path / "events.csv"
    path.write_text("old")

    def fill_the_disk() -> None:
        with atomic_write(path) as temporary:
            temporary.write_text("half")
            temporary.with_suffix(".journal").write_text("what a writer keeps beside it")
            raise OSError("full")

    with pytest.raises(OSError, match="full"):
        fill_the_disk()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_all_is_synced_before_the_rename_and_the_name_after_it(tmp_path, monkeypatch):
    steps: list[str] = []

    def recorded(owner: object, name: str, describe) -> None:
        original = getattr(owner, name)

        def step(*arguments):
            steps.append(describe(*arguments))
            return original(*arguments)

        monkeypatch.setattr(owner, name, step)

    recorded(durable_files.os, "fsync", lambda descriptor: f"sync {Path(f'/proc/self/fd/{descriptor}').resolve().name}")
    recorded(Path, "rename", lambda source, target: f"rename {target.name}")
    with atomic_write(tmp_path / "batch") as temporary:
        temporary.mkdir()
        (temporary / "part").write_text("rows")
    assert steps == ["sync part", "sync batch", "rename batch", f"sync {tmp_path.name}"]


def test_what_a_killed_writer_left_goes_when_the_next_one_holds_the_folder(tmp_path):
    writer = textwrap.dedent("""
        import os, signal, sys
        from pathlib import Path
        from ingest.durable_files import atomic_write, file_lock

        folder = Path(sys.argv[1])
        with file_lock(folder, "landing"), atomic_write(folder / "a") as a, atomic_write(folder / "day/b") as b:
            a.write_text("half")
            b.write_text("half")
            os.kill(os.getpid(), signal.SIGKILL)
    """)
    (tmp_path / "day").mkdir()
    killed = subprocess.run([sys.executable, "-c", writer, tmp_path], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert len(list(tmp_path.rglob(".tmp-*"))) == 2
    with file_lock(tmp_path, "landing"):
        assert not list(tmp_path.rglob(".tmp-*"))


def test_a_second_writer_is_refused_and_learns_who_holds_the_folder(tmp_path):
    message = rf"process {os.getpid()} is landing here"
    with file_lock(tmp_path, "landing"), pytest.raises(FolderBusyError, match=message), file_lock(tmp_path, "refining"):
        pass


def test_a_second_writer_that_waits_goes_on_when_the_first_is_done(tmp_path):
    order: list[str] = []

    def second() -> None:
        with file_lock(tmp_path, "landing", wait=True):
            order.append("second")

    with file_lock(tmp_path, "landing"):
        waiting = Thread(target=second)
        waiting.start()
        waiting.join(0.2)
        order.append("first")
    waiting.join()
    assert order == ["first", "second"]
