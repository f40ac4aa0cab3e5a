"""Fixtures that more than one folder of tests needs."""

from __future__ import annotations

import os
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from dev import postgresql_server
from dev.postgresql_server import Postgresql
from dev.pulsar_broker import Broker, BrokerError, distribution, free_port, running
from tests.serving import Site

# the machines that run the tests are busy: an example may be slow, and a run is to be repeatable
settings.register_profile("repeatable", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("repeatable")

# `make` exports where dbt keeps the artefacts of its own data folder. The tests build folders of their own.
for name in [name for name in os.environ if name.startswith("DBT_")]:
    del os.environ[name]

ROOT = Path(__file__).parents[1]
UNIT = ROOT / "tests/unit"
SAMPLE = ROOT.parent / "shared" / "data"


def make(target: str, data_dir: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a make target as a user would, with its own data folder and no standard input."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name not in {"MAKEFLAGS", "MAKELEVEL", "MFLAGS"} and not name.startswith("INVENTORY_")
    }
    return subprocess.run(
        ["make", target],
        cwd=ROOT,
        env=inherited | {"INVENTORY_DATA_DIR": str(data_dir)} | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="session")
def tiny_events(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Events of the tiny profile, the same in every run."""
    events = tmp_path_factory.mktemp("events") / "tiny.ndjson"
    subprocess.run(
        [ROOT / ".venv/bin/inventory", "generate-data", "--profile", "tiny", "--end", "2026-06-30", "--out", events],
        check=True,
        capture_output=True,
    )
    return events


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory, tiny_events: Path) -> Path:
    """A data folder that `make pipeline` filled from the tiny events: landing to published SQLite files."""
    data_dir = tmp_path_factory.mktemp("built")
    result = make("pipeline", data_dir, INVENTORY_EVENTS=str(tiny_events))
    assert result.returncode == 0, result.stdout + result.stderr
    return data_dir


@pytest.fixture(scope="session")
def site(built: Path) -> Iterator[Site]:
    """A Superset that serves the built data folder. Tests that change its users or files take a copy of it."""
    site = Site(built, free_port())
    site.start()
    yield site
    site.run("stop")


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """One real Pulsar broker for the whole run, on free ports; each test takes topics of its own."""
    try:
        distribution()
    except BrokerError as error:
        pytest.skip(str(error))
    with running(tmp_path_factory.mktemp("broker")) as broker:
        yield broker


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Postgresql]:
    """One real PostgreSQL server for the whole run; each test takes a database of its own."""
    lacking = postgresql_server.missing_prerequisites()
    if lacking:
        pytest.skip(lacking)
    with postgresql_server.running() as server:
        yield server


# what takes long to make and is made once a run: its tests run in one process, the longest group first
SHARED = ("broker", "built", "spark", "postgresql")
# files that take long and share nothing: they start early, so that the short ones fill up both processes' last minute
LONG = (
    "test_sharding",
    "test_chaos",
    "test_incremental_builds",
    "test_metrics",
    "test_hostile_readings",
    "test_unit_tests",
)


@pytest.hookimpl(tryfirst=True)  # pytest-xdist reads the groups in the same hook
def pytest_collection_modifyitems(items: list[pytest.Function]) -> None:
    """Let `pytest -n` hand out whole groups: the tests of one shared fixture, or of one file."""
    first = (*SHARED, *LONG)

    def group(item: pytest.Function) -> str:
        return next((name for name in SHARED if name in item.fixturenames), item.path.stem)

    def place(item: pytest.Function) -> tuple[int, bool]:
        name = group(item)
        return first.index(name) if name in first else len(first), UNIT in item.path.parents

    for item in items:
        item.add_marker(pytest.mark.xdist_group(group(item)))
    items.sort(key=place)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say last what was not tested, so that a green line is not taken for more than it is."""
    skipped = terminalreporter.stats.get("skipped", [])
    if skipped:
        terminalreporter.section(f"{len(skipped)} tests did not run", red=True, bold=True)
        for reason, count in Counter(report.longrepr[2].removeprefix("Skipped: ") for report in skipped).items():
            terminalreporter.line(f"{count} did not run: {reason}", red=True)


@pytest.fixture(scope="session")
def sample() -> Path:
    """The folder with the real till data; it is not part of the project, so tests that want it may not run."""
    if not SAMPLE.is_dir():
        pytest.skip(f"the real sample data are not at {SAMPLE}")
    return SAMPLE
