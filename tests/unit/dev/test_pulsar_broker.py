"""A broker whose storage does not come back after a crash is started again."""

from __future__ import annotations

import pytest

from dev import pulsar_broker as brokers


@pytest.fixture
def starts(monkeypatch, tmp_path):
    """What each start of a broker is to log; what is left of it when a test is done was not started."""
    logs: list[bytes] = []

    def launch(broker: brokers.Broker, home: object) -> None:
        (broker.folder / "out.log").write_bytes(logs.pop(0))

    monkeypatch.setattr(brokers, "_launch", launch)
    monkeypatch.setattr(brokers, "_configure", lambda *_: None)
    monkeypatch.setattr(brokers, "distribution", lambda: tmp_path)
    return logs


LOST = brokers.LOST_REGISTRATION + b"127.0.0.1:3181 was invalidated\n"


def test_storage_that_lost_its_registration_for_good_is_started_again(starts, tmp_path):
    starts += [LOST * 1000, LOST * 2, b"not reached"]
    assert brokers.start(tmp_path / "broker").folder == tmp_path / "broker"
    assert starts == [b"not reached"]


def test_storage_that_never_comes_back_is_reported(starts, tmp_path):
    starts += [LOST * 1000] * brokers.START_ATTEMPTS
    with pytest.raises(brokers.BrokerError, match="did not come back"):
        brokers.start(tmp_path / "broker")
