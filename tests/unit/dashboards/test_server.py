"""Starting and stopping, as far as it goes without Superset."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from dashboards import digests, server
from dev.pulsar_broker import free_port
from publish.server_state import Server, open_state, running_server, write_state
from tests.conftest import ROOT
from tests.full_disk import FullDisk


@pytest.fixture
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    # so that what the command sets is undone
    monkeypatch.setenv("INVENTORY_DATA_DIR", "")
    mask = os.umask(0)
    os.umask(mask)
    (tmp_path / "export").mkdir()
    (tmp_path / "export" / "inventory_metrics.db").touch()
    (tmp_path / "superset").mkdir()
    yield tmp_path
    os.umask(mask)


def run(data_dir: Path, *arguments: str, port: int = 1) -> Result:
    return CliRunner().invoke(server.server, ["--data-dir", str(data_dir), "--port", str(port), *arguments])


def test_start_without_published_files_says_what_to_run(data_dir):
    (data_dir / "export" / "inventory_metrics.db").unlink()
    result = run(data_dir, "start")
    assert result.exit_code == 1
    assert "make pipeline" in result.output


def test_a_port_that_another_program_holds_is_named(data_dir):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        result = run(data_dir, "start", port=port)
    assert result.exit_code == 1
    assert f"port {port} is taken" in result.output
    assert "SUPERSET_PORT" in result.output


def test_a_full_disk_is_one_line(data_dir):
    with FullDisk(data_dir / "superset", kilobytes=4):
        (data_dir / "superset" / ".lock").touch()
        with suppress(OSError):
            (data_dir / "superset" / "rest").write_bytes(b"x" * 10_000)
        result = run(data_dir, "start", port=free_port())
    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit)
    assert result.output.startswith(f"Error: the disk is full: {data_dir}/superset could not be written")


def test_stopping_what_does_not_run_is_fine(data_dir):
    result = run(data_dir, "stop")
    assert result.exit_code == 0
    assert "not running" in result.output


@pytest.mark.parametrize("state", ["", "not json", '{"process": 999999999}'])
def test_a_state_file_that_nobody_holds_is_no_server(data_dir, state):
    (data_dir / "superset" / "server.json").write_text(state)
    assert "not running" in run(data_dir, "stop").output


def test_a_process_of_the_same_number_is_left_alone(data_dir):
    """A killed server leaves its state behind, and its number may be given to another program."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as other:
        with open_state(data_dir / "superset") as state:
            write_state(state, Server(other.pid, 1, str(data_dir), ""))
            assert running_server(data_dir / "superset") == Server(other.pid, 1, str(data_dir), "")
        assert running_server(data_dir / "superset") is None
        assert "not running" in run(data_dir, "stop").output
        assert other.poll() is None
        other.kill()


@pytest.mark.parametrize("command", ["check", "start"])
def test_another_port_than_the_running_servers_is_refused(data_dir, command):
    with open_state(data_dir / "superset") as state:
        write_state(state, Server(1, 8288, str(data_dir), ""))
        result = run(data_dir, command, port=8289)
    assert result.exit_code == 1
    assert f"serves {data_dir} on port 8288 already" in result.output
    assert "make stop" in result.output
    assert "SUPERSET_PORT=8288" in result.output


def test_what_is_applied_and_what_a_server_reads_once(tmp_path, monkeypatch):
    """Code reaches both; people and charts reach a server through its database, and settings only its start."""
    code = [
        *("requirements-superset.lock", "serving_database.py"),
        *("dashboards/apply.py", "dashboards/access/sign_in.py", "notify/actions.py"),
        *("dashboards/today/templates/today/base.html", "dashboards/today/static/today.css"),
    ]
    applied = ["dashboards/access.yml", "dashboards/filters.yaml", "dashboards/charts/chart.yaml"]
    applied += ["models/serving/inventory_metrics/_stock__models.yml", "models/docs/columns.md"]
    for name in (*code, *applied):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    monkeypatch.setattr(digests, "HERE", tmp_path / "dashboards")

    def both() -> tuple[str, str]:
        return digests.to_apply({"Store_A": "North"}), digests.configuration()

    for name in (*code, *applied):
        before = both()
        (tmp_path / name).write_text("changed")
        changed = [one != other for one, other in zip(before, both(), strict=True)]
        assert changed == [True, name in code], name
    before = both()
    monkeypatch.setenv("SUPERSET_PORT", "1")
    assert both() == before
    assert digests.to_apply({"Store_A": "North", "Store_B": "North"}) != before[0]
    monkeypatch.setenv("SUPERSET_TLS", "1")
    assert both()[0] == before[0]
    assert both()[1] != before[1]


def test_the_log_stays_small_and_keeps_its_newest_lines(tmp_path):
    log = tmp_path / "server.log"
    command = [sys.executable, "-m", "dashboards.rotating_log", log]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        for number in range(4000):
            process.stdin.write(b"%d %s\n" % (number, b"x" * 10_000))
        process.stdin.write(b"\xff" * 200_000 + b"\nlast")
    files = list(tmp_path.glob("server.log*"))
    assert len(files) == 4
    assert sum(path.stat().st_size for path in files) < 21_000_000
    assert log.read_text().endswith("last")
