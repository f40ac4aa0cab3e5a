"""A clock that jumps back, as a machine's does when it is set right, keeps nothing waiting."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.integration.live.chaos import step, stepped_clock
from tests.inventory_process import ROOT, environment, inventory, inventory_command
from tests.waiting import wait_until

HOUR = 3_600  # seconds


def test_refining_goes_on_when_the_clock_jumps_back(tmp_path: Path) -> None:
    clock = stepped_clock(tmp_path)
    if not clock:
        pytest.skip("that needs a C compiler")
    data_dir = tmp_path / "data"

    def refined() -> int:
        return len(list((data_dir / "raw/readings").glob("batch-*/*/*.parquet")))

    land(data_dir, "P1")
    refining = subprocess.Popen(inventory_command("land"), cwd=ROOT, env=environment(data_dir) | clock)
    try:
        wait_until(lambda: refined() == 1, seconds=120)
        step(clock, -HOUR)
        land(data_dir, "P2")
        wait_until(lambda: refined() == 2, seconds=120)
    finally:
        refining.terminate()
        refining.wait(60)


def land(data_dir: Path, product: str) -> None:
    """Land a reading of a product from a file of its own."""
    data_dir.mkdir(exist_ok=True)
    source = data_dir.parent / f"{product}.csv"
    source.write_text(
        "product_id,category,store_location,quantity,price,event_timestamp\n"
        f"{product},Toys,Store_A,5,9.50,2026-06-30T10:00:00Z\n"
    )
    inventory(data_dir, "load", "--source", str(source))
