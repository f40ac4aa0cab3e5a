"""Settings that are refused before anything is sent, and what a service URL names."""

from __future__ import annotations

import pytest

from ingest.landing.sources import full_topic
from ingest.pulsar.connection import PulsarError, hosts, partition_number, settings


@pytest.fixture
def token(tmp_path, monkeypatch):
    path = tmp_path / "token"
    path.write_text("secret\n")
    monkeypatch.setenv("PULSAR_TOKEN_FILE", str(path))
    return path


@pytest.mark.parametrize("url", [None, "", "127.0.0.1:6650", "http://broker:8080", "pulsar://"])
def test_what_is_no_service_url_is_refused(url):
    with pytest.raises(PulsarError, match="pulsar"):
        settings(url)


@pytest.mark.parametrize("url", ["pulsar://broker.example:6650", "pulsar://127.0.0.1:6650,broker.example:6650"])
def test_a_token_is_not_sent_in_clear_text(token, url):
    with pytest.raises(PulsarError, match="clear text") as refused:
        settings(url)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    "url", ["pulsar://localhost", "pulsar://127.0.0.1:6650", "pulsar://[::1]:6650", "pulsar+ssl://broker.example:6651"]
)
def test_a_token_is_sent_on_loopback_or_encrypted(token, url):
    assert settings(url).token_file == token


@pytest.mark.parametrize("variable", ["PULSAR_TOKEN_FILE", "PULSAR_TLS_TRUST_CERTS"])
def test_a_named_file_must_be_there_and_hold_something(variable, tmp_path, monkeypatch):
    monkeypatch.setenv(variable, str(tmp_path / "missing"))
    with pytest.raises(PulsarError, match=f"{variable}=.*No such file"):
        settings("pulsar://127.0.0.1")
    (tmp_path / "missing").touch()
    with pytest.raises(PulsarError, match=f"{variable}=.*empty"):
        settings("pulsar://127.0.0.1")


def test_hosts_of_a_service_url():
    assert hosts("pulsar+ssl://a.example,b.example:7000/") == [("a.example", 6651), ("b.example", 7000)]
    assert hosts("pulsar://[::1]:6650") == [("::1", 6650)]


def test_topics_have_one_name():
    assert full_topic("readings") == "persistent://public/default/readings"
    assert full_topic("shop/stock/readings") == "persistent://shop/stock/readings"
    assert full_topic("persistent://shop/stock/readings") == "persistent://shop/stock/readings"
    assert partition_number("persistent://public/default/readings-partition-11") == 11
    assert partition_number("persistent://public/default/readings") == 0
