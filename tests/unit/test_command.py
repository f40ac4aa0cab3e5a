"""What all subcommands of `inventory` share."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from random import Random

import msgspec
import pytest
from click.testing import CliRunner

from inventory import main
from tests.conftest import ROOT
from tests.full_disk import FullDisk
from tests.unit.ingest.test_events import EVENT

RANDOM = Random(7)  # what it gives cannot be compressed
LINES = [msgspec.json.encode(EVENT), *(b"not json " + RANDOM.randbytes(500).hex().encode() for _ in range(60))]
MORE = [*LINES, *(RANDOM.randbytes(500).hex().encode() for _ in range(2_000))]


def inventory(folder: Path, data_dir: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """In a process of its own, so that nothing is open any more when the disk is taken away."""
    return subprocess.run(
        [ROOT / ".venv/bin/inventory", *arguments],
        cwd=folder,
        env=os.environ | {"INVENTORY_DATA_DIR": str(data_dir)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def landed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with events, and with a data folder in which some of them are landed."""
    folder = tmp_path_factory.mktemp("landed")
    (folder / "events.ndjson").write_bytes(b"\n".join(LINES) + b"\n")
    (folder / "more.ndjson").write_bytes(b"\n".join(MORE) + b"\n")
    assert inventory(folder, folder / "data", "load", "--source", "events.ndjson").returncode == 0
    return folder


@pytest.mark.parametrize(
    ("command", "kilobytes_left"),
    [
        ("load --source more.ndjson", 0),
        ("load --source more.ndjson", 24),
        ("withdraw --source events.ndjson", 0),
        ("quarantine export --out DATA/rejected.ndjson", 24),
        ("generate-data --profile tiny --out DATA/events/tiny.ndjson", 24),
        ("generate-text-data --out DATA/events/notes.ndjson", 24),
    ],
)
def test_a_full_disk_is_one_line_and_leaves_nothing_unfinished(tmp_path, landed, command, kilobytes_left):
    with FullDisk(tmp_path, 2_000):
        shutil.copytree(landed / "data", tmp_path, dirs_exist_ok=True)
        (tmp_path / "filling").write_bytes(b"0" * (shutil.disk_usage(tmp_path).free - kilobytes_left * 1024))
        before = {path for path in tmp_path.rglob("*") if path.is_file()}
        result = inventory(landed, tmp_path, *command.replace("DATA", str(tmp_path)).split())
        left = {path for path in tmp_path.rglob("*") if path.is_file() and path.name != ".lock"}
    assert result.returncode == 1, result.stdout
    line = result.stdout.splitlines()[-1]
    assert line.startswith(f"Error: the disk is full: {tmp_path}")
    assert "Traceback" not in result.stdout
    assert left <= before


def test_another_error_of_the_system_is_shown_as_it_is(tmp_path):
    result = CliRunner().invoke(main, ["generate-data", "--profile", "tiny", "--out", "/dev/null/events.ndjson"])
    assert isinstance(result.exception, FileExistsError)
