"""The broker that the other tests lean on: it is fetched whole, and that none is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from dev import pulsar_broker as brokers


def test_missing_maven_and_java_are_reported_with_the_way_to_install_them(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(brokers.BrokerError) as refused:
        brokers.distribution()
    assert "apt-get install maven" in str(refused.value)
    assert "apt-get install default-jre-headless" in str(refused.value)


def test_a_killed_fetch_leaves_nothing_that_counts(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    maven = tmp_path / "mvn"
    maven.write_text("#!/bin/sh\nmkdir -p unpacked/pulsar/bin\nexit 1\n")
    maven.chmod(0o755)
    with pytest.raises(brokers.BrokerError, match="Maven could not fetch"):
        brokers.distribution()
    maven.write_text(maven.read_text().replace("exit 1", "exit 0"))
    home = brokers.distribution()
    assert (home / "bin").is_dir()
    assert [path.name for path in home.parent.iterdir() if path.name != ".lock"] == [home.name]


def test_a_broker_ends_with_the_process_that_wanted_it(broker, tmp_path):
    """SIGKILL leaves no time to tidy up: the broker must notice by itself. (`broker` is asked for to know that one
    can run here.)"""
    wanting = subprocess.Popen(
        [
            sys.executable,
            "-c",
            textwrap.dedent("""
                import sys, time
                from pathlib import Path
                from dev.pulsar_broker import running
                with running(Path(sys.argv[1])) as broker:
                    print(broker.port, flush=True)
                    time.sleep(600)
            """),
            tmp_path / "broker",
        ],
        stdout=subprocess.PIPE,
    )
    assert wanting.stdout is not None
    assert int(wanting.stdout.readline()) > 0
    assert brokers.process_id(tmp_path / "broker")
    wanting.send_signal(signal.SIGKILL)
    wanting.wait()
    for _ in range(100):
        if not brokers.process_id(tmp_path / "broker"):
            return
        time.sleep(0.1)
    brokers.kill(tmp_path / "broker")
    pytest.fail("the broker outlived the process that wanted it")
