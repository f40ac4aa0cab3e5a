"""A second `inventory live`, and what Prometheus reads."""

from __future__ import annotations

import socket
import threading
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from urllib.request import urlopen

import pytest
from click.testing import CliRunner

from dev.pulsar_broker import free_port
from ingest.stopping import take_over
from live import command, monitoring
from live.monitoring import Monitor
from live.supervisor import Stage
from publish.lags import Lag

DOING = "running `inventory live` since 2026-06-30 10:00:00 UTC"


def test_a_second_one_says_why_it_waits_and_takes_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second, stop = ExitStack(), ExitStack(), threading.Event()
    assert take_over(tmp_path / "live", DOING, first, stop)
    threading.Timer(0.5, first.close).start()
    with second:
        assert take_over(tmp_path / "live", DOING, second, stop)
    reported = capsys.readouterr().err
    assert "is running `inventory live` since 20" in reported
    assert reported.endswith("Standing by to take over.\n")
    assert reported.count("\n") == 1


def test_one_that_is_stopped_while_it_waits_does_not_run(tmp_path: Path) -> None:
    stop = threading.Event()
    with ExitStack() as first, ExitStack() as second:
        assert take_over(tmp_path / "live", DOING, first, stop)
        threading.Timer(0.3, stop.set).start()
        assert not take_over(tmp_path / "live", DOING, second, stop)


def test_without_a_broker_the_setting_is_named(tmp_path: Path) -> None:
    result = CliRunner().invoke(
        command.command, ["--data-dir", str(tmp_path / "data"), "--url", ""], env={"PULSAR_URL": ""}
    )
    assert result.exit_code == 1
    assert "no broker is named. Set PULSAR_URL or --url" in result.output
    assert not (tmp_path / "data").exists()


def test_notes_and_actions_are_loaded_where_their_topics_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PULSAR_NOTES_TOPIC", raising=False)
    monkeypatch.setenv("PULSAR_ACTIONS_TOPIC", "actions")
    stages = command._stages(tmp_path, "landing", 24, 1_000)
    assert [stage.arguments for stage in stages if stage.name.startswith("load")] == [["load"], ["load", "--actions"]]


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        arguments = ["--data-dir", str(tmp_path), "--url", "pulsar://127.0.0.1:1", "--metrics-port", str(port)]
        result = CliRunner().invoke(command.command, arguments, env={"PULSAR_URL": "", "PULSAR_TOPIC": ""})
    assert result.exit_code == 1
    assert f"metrics cannot be served on port {port} (Address already in use)" in result.output


def test_no_stage_outlives_one_that_ends_by_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(command, "_stages", lambda *_: [Stage("load", [], lambda: False)])
    monkeypatch.setattr(Monitor, "run", breaks)
    arguments = ["--data-dir", str(tmp_path), "--url", "pulsar://127.0.0.1:1"]
    result = CliRunner().invoke(command.command, arguments, env={"PULSAR_URL": "", "PULSAR_TOPIC": ""})
    assert isinstance(result.exception, MemoryError)
    assert "load" not in {thread.name for thread in threading.enumerate()}


def test_lags_that_cannot_be_measured_stop_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stop = threading.Event()

    def fails(*_: object) -> list[Lag]:
        stop.set()
        raise ValueError("a file is damaged")

    monkeypatch.setattr(monitoring, "lags", fails)
    monkeypatch.setattr(monitoring, "SECONDS_BETWEEN_MEASUREMENTS", 0.01)
    Monitor(tmp_path, [], None, "readings").run(stop)
    assert capsys.readouterr().err == "the lags could not be measured: a file is damaged\n"


def test_prometheus_reads_lags_and_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "live").mkdir()
    newest = datetime(2026, 6, 30, tzinfo=UTC)
    monkeypatch.setattr(monitoring, "lags", lambda *_: [Lag("refined", 2.5, newest), Lag("delivered", 0.0, None)])
    monitor = Monitor(tmp_path, [Stage("land", [], failures=3)], None, "readings")
    monitor.measure()
    port = free_port()
    monitor.serve(port)
    with urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    assert 'inventory_stage_lag_seconds{stage="refined"} 2.5' in lines
    assert any(
        line.startswith('inventory_stage_newest_message_timestamp_seconds{stage="refined"} 1.78') for line in lines
    )
    assert 'inventory_stage_lag_seconds{stage="delivered"} 0.0' in lines
    assert 'inventory_process_failures_total{process="land"} 3.0' in lines
    assert 'inventory_process_up{process="land"} 0.0' in lines
    written = (tmp_path / "live/lags.csv").read_text().splitlines()
    assert written[0] == "stage,lag_seconds,newest_message_at,measured_at"
    assert written[1].startswith("refined,2.5,2026-06-30T00:00:00+00:00,20")


@pytest.mark.parametrize(("address", "serves"), [("postgresql://inventory@db/inventory", True), ("", False)])
def test_a_serving_database_has_a_stage_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str, serves: bool
) -> None:
    monkeypatch.setenv("INVENTORY_SERVING_DATABASE", address)
    names = [stage.name for stage in command._stages(tmp_path, "landing", 24.0, 1000)]
    assert ("serve" in names) == serves


def test_what_is_no_address_of_a_database_is_named_at_once(tmp_path: Path) -> None:
    result = CliRunner().invoke(
        command.command,
        ["--data-dir", str(tmp_path / "data"), "--url", "pulsar://127.0.0.1:1"],
        env={"INVENTORY_SERVING_DATABASE": "sqlite:///x.db", "PULSAR_URL": "", "PULSAR_TOPIC": ""},
    )
    assert result.exit_code == 1
    assert "is no address of a database" in result.output
    assert not (tmp_path / "data").exists()
