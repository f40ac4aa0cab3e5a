"""Fixtures that more than one folder of tests needs."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from dev import postgresql_server
from dev.postgresql_server import Postgresql
from dev.pulsar_broker import Broker, BrokerError, distribution, free_port, running
from ingest.durable_files import file_lock
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


def pytest_make_parametrize_id(val: object) -> str | None:
    """Bytes name no test: an archive holds the time it was made, and each process must collect the same names."""
    return "bytes" if isinstance(val, bytes) else None


@pytest.fixture(scope="session")
def folder_of_the_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What all processes of a run share."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


def made_once(folder: Path, fill: Callable[[Path], None]) -> Path:
    """A folder that the first process of a run to want it fills, while the others wait. They only read it."""
    data_dir, is_filled = folder / "data", folder / "is_filled"
    with file_lock(folder, "filling it", wait=True):
        if not is_filled.exists():
            fill(data_dir)
            is_filled.touch()
    return data_dir


@pytest.fixture(scope="session")
def tiny_events(folder_of_the_run: Path) -> Path:
    """Events of the tiny profile, the same in every run."""

    def generate(folder: Path) -> None:
        profile = ["--profile", "tiny", "--end", "2026-06-30", "--out", folder / "tiny.ndjson"]
        subprocess.run([ROOT / ".venv/bin/inventory", "generate-data", *profile], check=True, capture_output=True)

    return made_once(folder_of_the_run / "events", generate) / "tiny.ndjson"


@pytest.fixture(scope="session")
def built(folder_of_the_run: Path, tiny_events: Path) -> Path:
    """A data folder that `make pipeline` filled from the tiny events: landing to published SQLite files."""

    def build(data_dir: Path) -> None:
        result = make("pipeline", data_dir, INVENTORY_EVENTS=str(tiny_events))
        assert result.returncode == 0, result.stdout + result.stderr

    return made_once(folder_of_the_run / "built", build)


@pytest.fixture(scope="session")
def applied_site(folder_of_the_run: Path, built: Path) -> Site:
    """A Superset with the built tables, its users and charts. It does not serve: tests take copies and start them."""

    def apply(data_dir: Path) -> None:
        shutil.copytree(built / "export", data_dir / "export", dirs_exist_ok=True)
        first = Site(data_dir, free_port())
        first.start()
        first.run("stop")

    return Site(made_once(folder_of_the_run / "applied", apply), free_port())


@pytest.fixture(scope="session")
def site(applied_site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A Superset that serves the built tables, for tests that leave its users and files as they are."""
    site = applied_site.copy(tmp_path_factory.mktemp("site"))
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


# servers that are started once a run: their tests run in one process
SHARED = ("site", "broker", "postgresql")
# the groups that take minutes start first, the longest before the others, so that short ones fill up the last minute of
# every process
LONGEST_FIRST = (
    "broker",
    "test_chaos",
    "test_sharding",
    "site",
    "test_incremental_builds",
    "test_crafted_requests",
    "test_pipeline",
    "test_refinement",
    "test_hostile_readings",
    "test_tables",
    "test_changed_dashboards",
    "test_simulation",
    "test_episodes",
    "test_metrics",
    "test_withdrawals",
    "test_server",
    "test_unit_tests",
)


@pytest.hookimpl(tryfirst=True)  # pytest-xdist reads the groups in the same hook
def pytest_collection_modifyitems(items: list[pytest.Function]) -> None:
    """Let `pytest -n` hand out whole groups: the tests of one shared fixture, or of one file."""

    def group(item: pytest.Function) -> str:
        return next((name for name in SHARED if name in item.fixturenames), item.path.stem)

    def place(item: pytest.Function) -> tuple[int, bool]:
        name = group(item)
        return (*LONGEST_FIRST, name).index(name), UNIT in item.path.parents

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
