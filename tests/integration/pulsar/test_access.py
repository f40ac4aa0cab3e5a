"""Brokers that cannot be used: the message says which setting to look at, and soon."""

from __future__ import annotations

import socket
from contextlib import closing

import pytest

from ingest import broker as brokers

from .loading import EXACT, account, events, new_topic, run, send


@pytest.fixture(scope="module")
def guarded(broker, tmp_path_factory):
    """A broker that wants a token; `broker` is asked for to know that one can run here."""
    with brokers.running(tmp_path_factory.mktemp("guarded"), with_token=True) as guarded:
        yield guarded


def token_file(tmp_path, token: str):
    path = tmp_path / "token"
    path.write_text(token + "\n")
    return path


def test_no_broker_is_told(tmp_path):
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        url = f"pulsar://127.0.0.1:{free.getsockname()[1]}"
    result = run(None, "load", "--url", url, "--until-caught-up", data_dir=tmp_path)
    assert result.returncode == 1
    assert f"{url}: no broker can be reached" in result.stderr
    assert "make broker" in result.stderr
    assert not list(tmp_path.rglob("*.parquet"))


def test_the_right_token_is_let_in(guarded, tmp_path, monkeypatch):
    path = token_file(tmp_path, guarded.token())
    monkeypatch.setenv("PULSAR_TOKEN_FILE", str(path))
    topic = new_topic("token")
    messages = events(100)
    send(guarded, topic, messages)
    result = run(guarded, "load", "--topic", topic, "--until-caught-up", data_dir=tmp_path, PULSAR_TOKEN_FILE=path)
    assert result.returncode == 0, result.stderr
    assert account(tmp_path, messages) == EXACT


def test_a_wrong_token_names_both_causes(guarded, tmp_path):
    """The client reports a refused token as a time-out, so the message cannot be sure."""
    path = token_file(tmp_path, guarded.token() + "x")
    result = run(guarded, "load", "--until-caught-up", data_dir=tmp_path, PULSAR_TOKEN_FILE=path)
    assert result.returncode == 1
    assert f"the token in {path} (PULSAR_TOKEN_FILE) is not accepted" in result.stderr
    assert "or it is too busy or not healthy" in result.stderr
    assert guarded.token() not in result.stderr


def test_a_token_without_the_right_is_told(guarded, tmp_path):
    path = token_file(tmp_path, guarded.token("somebody"))
    result = run(guarded, "load", "--until-caught-up", data_dir=tmp_path, PULSAR_TOKEN_FILE=path)
    assert result.returncode == 1
    assert "AuthorizationError" in result.stderr
    assert "lacks the right to this topic" in result.stderr
