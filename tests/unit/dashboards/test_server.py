"""Starting and stopping, as far as it goes without Superset."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from dashboards import server


@pytest.fixture
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("INVENTORY_DATA_DIR", "")  # so that what the command sets is undone
    (tmp_path / "export").mkdir()
    (tmp_path / "export" / "inventory_metrics.db").touch()
    (tmp_path / "superset").mkdir()
    return tmp_path


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


def test_stopping_what_does_not_run_is_fine(data_dir):
    result = run(data_dir, "stop")
    assert result.exit_code == 0
    assert "not running" in result.output


@pytest.mark.parametrize("process", ["", "not a number", "999999999"])
def test_a_stale_process_file_is_no_server(data_dir, process):
    (data_dir / "superset" / "server.pid").write_text(process)
    assert "not running" in run(data_dir, "stop").output


def test_a_process_id_that_now_is_another_programs_is_left_alone(data_dir):
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as other:
        (data_dir / "superset" / "server.pid").write_text(str(other.pid))
        assert "not running" in run(data_dir, "stop").output
        assert other.poll() is None
        other.kill()


def test_what_is_applied_changes_with_every_file_that_is(tmp_path, monkeypatch):
    for name in ("access.yml", "apply.py", "superset_config.py"):
        (tmp_path / "dashboards").mkdir(exist_ok=True)
        (tmp_path / "dashboards" / name).write_text(name)
    (tmp_path / "requirements-superset.lock").write_text("lock")
    (tmp_path / "dashboards" / "access").mkdir()
    (tmp_path / "dashboards" / "access" / "row_rules.py").write_text("rules")
    chart = tmp_path / "dashboards" / "assets" / "charts" / "chart.yaml"
    chart.parent.mkdir(parents=True)
    chart.write_text("chart")
    monkeypatch.setattr(server, "HERE", tmp_path / "dashboards")
    states = {server._state(set())}
    for path in server._applied_files():
        path.write_text(f"{path.read_text()} changed")
        states.add(server._state(set()))
    assert len(states) == 7
