"""What dbt and the commands say of a data folder that they cannot build from, in one line and with the next step."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path

from tests.full_disk import FullDisk
from tests.integration.dbt.project import ROOT
from tests.integration.oracle import Event
from tests.integration.test_metrics import write_raw

READING = Event("Store_A", "P1", "Toys", 9, "1.00", datetime(2026, 1, 1))


def run(data_dir: Path, *command: str) -> subprocess.CompletedProcess[str]:
    arguments = [str(ROOT / ".venv/bin" / command[0]), *command[1:]]
    if command[0] == "dbt":
        own = data_dir.with_name(f"{data_dir.name} dbt")  # what dbt itself writes may lie on another disk
        arguments += ["--profiles-dir", str(ROOT), "--target-path", str(own), "--no-use-colors"]
        arguments += ["--log-path", str(own)]
    environment = os.environ | {"INVENTORY_DATA_DIR": str(data_dir)}
    return subprocess.run(arguments, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def test_an_empty_folder_and_one_that_is_not_refined_say_what_to_do(tmp_path):
    data_dir = tmp_path / "a shop's data"
    data_dir.mkdir()
    empty = run(data_dir, "dbt", "build")
    write_raw(data_dir, [READING])
    (data_dir / "raw").rename(data_dir / "elsewhere")
    landed = run(data_dir, "dbt", "build")
    for outcome, message in ((empty, "holds no events. Land some with"), (landed, "Run `inventory land --once`")):
        assert outcome.returncode != 0
        assert "Traceback" not in outcome.stdout + outcome.stderr
        (line,) = [line for line in outcome.stdout.splitlines() if str(data_dir) in line]
        assert message in line
    for command in ("export", "status"):
        outcome = run(data_dir, "inventory", command)
        assert "Traceback" not in outcome.stdout + outcome.stderr
        assert str(data_dir) in outcome.stdout + outcome.stderr


def test_a_warehouse_that_another_program_holds_is_named(tmp_path):
    write_raw(tmp_path, [READING])
    warehouse = tmp_path / "warehouse/inventory.duckdb"
    holding = "import duckdb, sys; held = duckdb.connect(sys.argv[1]); print('held', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", holding, str(warehouse)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        outcome = run(tmp_path, "dbt", "build")
        holder.communicate("\n")
    assert outcome.returncode != 0
    assert "Traceback" not in outcome.stdout + outcome.stderr
    (line,) = [line for line in outcome.stdout.splitlines() if str(warehouse) in line]
    assert "If another program holds it, close that" in line


def test_a_full_disk_is_named_before_anything_is_built(tmp_path):
    with FullDisk(tmp_path, 2_000):
        write_raw(tmp_path, [READING])
        outcome = run(tmp_path, "dbt", "build")
        assert not (tmp_path / "warehouse/inventory.duckdb").exists()
    assert outcome.returncode != 0
    assert "Traceback" not in outcome.stdout + outcome.stderr
    (line,) = [line for line in outcome.stdout.splitlines() if str(tmp_path) in line]
    assert f"the disk is full: {tmp_path} has " in line
