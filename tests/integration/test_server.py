"""Starting and stopping a real server, and what reaches one that is serving."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.pulsar_broker import free_port
from tests.conftest import ROOT, make
from tests.serving import Site


@pytest.fixture(scope="module")
def own(applied_site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    own = applied_site.copy(tmp_path_factory.mktemp("server"))
    yield own
    own.run("stop")


def state(site: Site) -> dict[str, object]:
    return json.loads((site.data_dir / "superset/server.json").read_text())


def test_of_two_starts_at_once_one_waits_and_both_end_well(own):
    first, second = (own.begin("start") for _ in range(2))
    reported = [start.communicate()[0] for start in (first, second)]
    assert [first.returncode, second.returncode] == [0, 0], reported
    assert sorted("waiting for another start" in text for text in reported) == [False, True]
    assert sorted(f"serving already on {own.url}" in text for text in reported) == [False, True]


def test_a_server_knows_its_data_folder_port_and_configuration(own):
    own.start()
    known = state(own)
    assert (known["port"], known["data_dir"]) == (own.port, str(own.data_dir))
    assert os.getpgid(int(str(known["process"]))) == known["process"]
    assert "serving already" in own.start()
    assert state(own) == known
    files = (own.data_dir / "superset").rglob("server*")
    assert not [path for path in files if path.stat().st_mode & 0o077]


def test_another_port_is_refused_with_the_way_there(own):
    own.start()
    for command in ("check", "start"):
        result = Site(own.data_dir, free_port(), own.project).run(command)
        assert result.returncode == 1
        assert f"on port {own.port} already" in result.stderr
        assert "`make stop`" in result.stderr
    assert own.run("check").returncode == 0


def test_the_port_of_another_data_folder_is_taken(own, tmp_path):
    """Known before anything is built, and `status` of that folder does not take the server for its own."""
    own.start()
    (tmp_path / "superset/passwords").mkdir(parents=True)
    result = make("run", tmp_path, SUPERSET_PORT=str(own.port))
    assert result.returncode != 0
    assert f"port {own.port} is taken" in result.stderr
    assert not (tmp_path / "landing").exists()
    status = make_status(tmp_path, own.port)
    assert "Superset is not running" in status
    assert own.url not in status
    assert f"{own.url}/today/" in make_status(own.data_dir, own.port)


def make_status(data_dir: Path, port: int) -> str:
    return subprocess.run(
        [ROOT / ".venv/bin/inventory", "status"],
        env=os.environ | {"INVENTORY_DATA_DIR": str(data_dir), "SUPERSET_PORT": str(port)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def test_a_changed_configuration_takes_effect_at_the_next_start(own):
    own.start()
    before = state(own)["process"]
    assert "restarting the server" in own.start(SUPERSET_TLS="1")
    assert state(own)["process"] != before
    assert own.client().get(f"{own.url}/login/", allow_redirects=False).status_code == 302  # to https


def test_a_server_that_hangs_is_stopped_by_force(own):
    own.start()
    process = int(str(state(own)["process"]))
    os.killpg(process, signal.SIGSTOP)  # nothing in it can answer, as in a query without end
    assert "does not answer" in make_status(own.data_dir, own.port)
    stopped = own.run("stop")
    assert stopped.returncode == 0, stopped.stderr
    assert "by force" in stopped.stdout
    assert "not running" in own.run("stop").stdout


def test_a_server_whose_process_was_killed_is_not_running(own):
    own.start()
    os.killpg(int(str(state(own)["process"])), signal.SIGKILL)
    assert "not running" in make_status(own.data_dir, own.port)
    assert "not running" in own.run("stop").stdout
