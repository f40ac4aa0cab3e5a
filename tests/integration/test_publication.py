"""Publications that are killed, and readers who read all the time."""

from __future__ import annotations

import multiprocessing
import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from dashboards.access.connection import Connection
from tests.conftest import ROOT
from tests.unit.publish.test_changes import differences, dump, publish, write_generation
from tests.unit.publish.warehouse import write_warehouse

# Publishes copies of a data folder, and is killed at SQL statements and changes of files (each or some), or at a time.
KILLED = """
import itertools, os, shutil, signal, sqlite3, sys
from pathlib import Path
from publish import export
from publish.destinations.sqlite import SqliteFiles

data_dir, stride, kills = Path(sys.argv[1]), int(sys.argv[2]), [float(kill) for kill in sys.argv[3:]]
connect = sqlite3.connect

def publish(copy, kill):
    count = itertools.count()
    def step(*_):
        if next(count) == kill:
            os.kill(os.getpid(), signal.SIGKILL)
    def traced(*arguments, **settings):
        connection = connect(*arguments, **settings)
        connection.set_trace_callback(step)
        return connection
    sqlite3.connect = traced
    sys.addaudithook(lambda event, _: event in {"os.rename", "os.remove", "os.rmdir"} and step())
    if kill < 1 and kill:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, kill)
    export.publish(copy, SqliteFiles(copy / "export"))

for kill in kills or itertools.count(step=stride):
    copy = data_dir.with_name(f"killed-{kill}")
    shutil.copytree(data_dir, copy)
    child = os.fork()
    if not child:
        publish(copy, kill)
        os._exit(0)
    if not os.waitpid(child, 0)[1] and not kills:
        break
"""


@pytest.mark.parametrize("kills", [[], [f"{number / 200 + 0.001}" for number in range(12)]], ids=["steps", "times"])
@pytest.mark.parametrize("is_whole", [False, True], ids=["changes", "whole"])
def test_a_killed_publication_leaves_the_old_or_the_new_state_and_the_next_one_mends_it(tmp_path, is_whole, kills):
    data_dir = tmp_path / "data"
    write_warehouse(data_dir)
    write_generation(data_dir, 1)
    publish(data_dir)
    if is_whole:
        for note in (data_dir / "export").glob("*.parts-*"):
            note.unlink()
    paths = [path.relative_to(data_dir) for path in (data_dir / "export").glob("*.db")]
    old = {path: dump(data_dir / path) for path in paths}
    write_generation(data_dir, 2)
    shutil.copytree(data_dir, tmp_path / "whole")
    publish(tmp_path / "whole")
    new = {path: dump(tmp_path / "whole" / path) for path in paths}
    stride = "4" if is_whole else "1"  # nearly all steps of a whole one are out of readers' sight
    subprocess.run([sys.executable, "-c", KILLED, data_dir, stride, *kills], cwd=ROOT, check=True)
    killed = list(tmp_path.glob("killed-*"))
    assert len(killed) >= 12
    for copy in killed:
        for path in paths:
            assert dump(copy / path) in (old[path], new[path])
        publish(copy)
        assert differences(copy) == []
        assert {path: dump(copy / path) for path in paths} == new
        assert not list((copy / "export").glob(".tmp-*"))


def read(path: Path, is_over: Event, counts: multiprocessing.Queue) -> None:
    """Read as a page does until the end, and report how often and what was wrong."""
    problems, count, last = [], 0, 0
    while not is_over.is_set():
        try:
            with closing(Connection(f"file:{path}?mode=ro", uri=True, stores=None)) as connection:
                connection.execute("BEGIN")
                (metrics,) = connection.execute("SELECT max(total_quantity) FROM metrics").fetchone()
                (daily,) = connection.execute("SELECT max(total_quantity) FROM daily_stock").fetchone()
                (stock,) = connection.execute("SELECT count(*) FROM current_stock").fetchone()
            if metrics != daily or metrics < last or stock != 2:
                problems.append(f"{metrics} and {daily} after {last}, {stock} rows")
            last = metrics
        except sqlite3.Error as error:
            problems.append(str(error))
        count += 1
        time.sleep(0.002)
    counts.put((count, problems))


def test_no_reader_sees_half_a_publication_or_an_error(tmp_path):
    """Ten thousand reads during two hundred publications, some of which are whole."""
    data_dir = tmp_path / "data"
    write_warehouse(data_dir)
    write_generation(data_dir, 1)
    publish(data_dir)
    processes = multiprocessing.get_context("spawn")
    is_over, counts = processes.Event(), processes.Queue()
    path = data_dir / "export/inventory_metrics.db"
    readers = [processes.Process(target=read, args=(path, is_over, counts)) for _ in range(3)]
    for reader in readers:
        reader.start()
    for generation in range(2, 202):
        write_generation(data_dir, generation)
        if generation % 20 == 0:
            for note in (data_dir / "export").glob("*.parts-*"):
                note.unlink()
        assert publish(data_dir)["inventory_metrics"].startswith("published")
    is_over.set()
    results = [counts.get() for _ in readers]
    for reader in readers:
        reader.join()
    assert not [problem for _, problems in results for problem in problems]
    assert sum(count for count, _ in results) >= 10_000
