"""Two minutes of kills, stops, restarts and full disks change no table, and send nothing twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from dev import pulsar_broker as brokers
from tests.integration.live import chaos


def test_a_disturbed_run_comes_to_the_same(built: Path, tmp_path: Path) -> None:
    if reason := brokers.missing_prerequisites():
        pytest.skip(reason)
    # a broker of its own, since it is killed
    with brokers.running(tmp_path / "broker") as broker:
        report = chaos.run(broker, tmp_path, minutes=2, seed=7, longest_stop=5, fitted=built)
    assert chaos.is_sound(report), report
