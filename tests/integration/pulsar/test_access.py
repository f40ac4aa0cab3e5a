"""Brokers that cannot be used: the message says which setting to look at, and soon."""

from __future__ import annotations

import re
import socket
import subprocess
from contextlib import closing

import pytest

from dev import pulsar_broker as brokers

from .loading import EXACT, account, events, landed, new_topic, run, send


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate for 127.0.0.1, not for localhost, and its key: its own authority."""
    folder = tmp_path_factory.mktemp("certificate")
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=broker"),
            *("-addext", "subjectAltName=IP:127.0.0.1", "-keyout", folder / "key.pem", "-out", folder / "cert.pem"),
        ],
        check=True,
        capture_output=True,
    )
    return folder / "cert.pem"


@pytest.fixture(scope="module")
def guarded(broker, certificate, tmp_path_factory):
    """A broker that wants a token and speaks TLS, too; `broker` is asked for to know that one can run here."""
    tls = {
        "brokerServicePortTls": brokers.free_port(),
        "tlsCertificateFilePath": certificate,
        "tlsKeyFilePath": certificate.with_name("key.pem"),
    }
    folder = tmp_path_factory.mktemp("guarded")
    with brokers.running(folder, with_token=True, further=tls) as guarded:
        yield guarded


@pytest.fixture
def tls_url(guarded):
    (line,) = re.findall(r"^brokerServicePortTls=(.*)$", (guarded.folder / "standalone.conf").read_text(), re.MULTILINE)
    return f"pulsar+ssl://127.0.0.1:{line}"


def token_file(tmp_path, token: str):
    path = tmp_path / "token"
    path.write_text(token + "\n")
    return path


def test_no_broker_is_reported(tmp_path):
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


def test_a_token_without_the_right_is_reported(guarded, tmp_path):
    path = token_file(tmp_path, guarded.token("somebody"))
    result = run(guarded, "load", "--until-caught-up", data_dir=tmp_path, PULSAR_TOKEN_FILE=path)
    assert result.returncode == 1
    assert "AuthorizationError" in result.stderr
    assert "lacks the right to this topic" in result.stderr


def test_a_token_over_a_trusted_connection_is_let_in(guarded, tls_url, certificate, tmp_path):
    access = {
        "PULSAR_URL": tls_url,
        "PULSAR_TOKEN_FILE": token_file(tmp_path, guarded.token()),
        "PULSAR_TLS_TRUST_CERTS": certificate,
    }
    topic = new_topic("tls")
    published = run(
        None, "generate-data", "--profile", "tiny", "--to-pulsar", "--topic", topic, data_dir=tmp_path, **access
    )
    assert published.returncode == 0, published.stderr
    loaded = run(None, "load", "--topic", topic, "--until-caught-up", data_dir=tmp_path, **access)
    assert loaded.returncode == 0, loaded.stderr
    assert f"{len(landed(tmp_path)):,} messages published" in published.stdout


@pytest.mark.parametrize("wrong", ["authority", "host name"])
def test_a_connection_that_cannot_be_trusted_is_refused(guarded, tls_url, certificate, tmp_path, wrong):
    """Before the token is shown: whoever listens there need not be the cluster."""
    access = {"PULSAR_TOKEN_FILE": token_file(tmp_path, guarded.token())}
    if wrong == "host name":
        access |= {"PULSAR_TLS_TRUST_CERTS": certificate}
        tls_url = tls_url.replace("127.0.0.1", "localhost")
    result = run(None, "load", "--url", tls_url, "--until-caught-up", data_dir=tmp_path, **access)
    assert result.returncode == 1
    assert "PULSAR_TLS_TRUST_CERTS" in result.stderr
    assert not list(tmp_path.rglob("*.parquet"))
