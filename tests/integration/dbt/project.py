"""Run the dbt project in this process on a data folder; a second build, whatever its folder, skips dbt's start."""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import pytest

ROOT = Path(__file__).parents[3]

Tables = dict[str, list[tuple[object, ...]]]

# The arguments of `inventory build`: the generic tests of a model run with it, in one query. By themselves, all of them
# take half a minute of processor time.
WHOLE = ("--selector", "whole", "--exclude-resource-type", "unit_test")

# What dbt has parsed, by the setting of variables, which shape it. It names the data folder, so all of them go by the
# name of one link. To parse takes about eight seconds, a build of a few readings hardly more.
LINKS = TemporaryDirectory(prefix="dbt-tests-")
DATA_DIR = Path(LINKS.name) / "data"
PARSED = Path(LINKS.name) / "partial_parse.msgpack"  # what dbt keeps to parse only the files that differ
MANIFESTS: dict[tuple[str, ...], Any] = {}


class Project:
    """The dbt project on one data folder; parsed once, so that the next build takes its models' time only.

    Of a changed copy of the project dbt parses what differs.
    """

    def __init__(self, data_dir: Path, project_dir: Path = ROOT) -> None:
        self.data_dir = data_dir
        self._project_dir = project_dir
        self._manifests = MANIFESTS if project_dir == ROOT else {}

    def build(self, *arguments: str, steps: str = "run", with_seeds: bool = True) -> None:
        """Seed, then `dbt run` (or `steps`) with the arguments. Fails the test with the first errors of dbt.

        `dbt build` of everything seeds by itself.
        """
        place = arguments.index("--vars") if "--vars" in arguments else len(arguments)
        variables, others = arguments[place : place + 2], arguments[:place] + arguments[place + 2 :]
        if with_seeds:
            self._invoke(variables, "seed")
        self._invoke(variables, steps, *others)

    def generic_tests(self) -> dict[str, str]:
        """The id of each generic test, and of the model, seed or snapshot that it tests."""
        nodes = self._manifests[()].nodes.items()
        return {test: node.attached_node for test, node in nodes if getattr(node, "attached_node", None)}

    def _parse(self, settings: list[str]) -> Any:
        from dbt.cli.main import dbtRunner

        parsed = self.data_dir / "dbt" / PARSED.name
        if PARSED.exists() and not parsed.exists():
            parsed.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(PARSED, parsed)
        manifest = dbtRunner().invoke(["parse", *settings]).result
        if parsed.exists() and not PARSED.exists():
            shutil.copyfile(parsed, PARSED)
        return manifest

    def _invoke(self, variables: tuple[str, ...], *command: str) -> None:
        from dbt.adapters.duckdb.connections import DuckDBConnectionManager
        from dbt.cli.main import dbtRunner

        connections: Any = DuckDBConnectionManager
        places = ["--project-dir", str(self._project_dir), "--profiles-dir", str(self._project_dir), "--quiet"]
        artefacts = ["--target-path", str(self.data_dir / "dbt"), "--log-path", str(self.data_dir / "dbt")]
        settings = [*places, *artefacts, "--log-level-file", "none", *variables]
        DATA_DIR.unlink(missing_ok=True)
        DATA_DIR.symlink_to(self.data_dir.absolute())
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("INVENTORY_DATA_DIR", str(DATA_DIR))
            if variables not in self._manifests:
                self._manifests[variables] = self._parse(settings)
            outcome = dbtRunner(manifest=self._manifests[variables]).invoke([*command, *settings])
            faults = [
                f"{result.node.name}: {result.message}"
                for result in getattr(outcome.result, "results", [])
                if result.status in {"error", "fail"}
            ]
            # dbt holds the warehouse open for its next command; a test wants to read it
            connections.close_all_connections()
            assert outcome.success, "\n".join(faults[:5]) or outcome.exception


def copy_project(folder: Path) -> None:
    """The dbt project's own files, for a test that changes some of them."""
    for name in ("models", "macros", "seeds", "tests/dbt"):
        shutil.copytree(ROOT / name, folder / name)
    for name in ("dbt_project.yml", "profiles.yml", "selectors.yml"):
        shutil.copy(ROOT / name, folder / name)


def build(data_dir: Path, *arguments: str, steps: str = "run", with_seeds: bool = True) -> None:
    """One build of a data folder; see `Project`."""
    Project(data_dir).build(*arguments, steps=steps, with_seeds=with_seeds)


def take_fits(fitted: Path, data_dir: Path) -> None:
    """Let a data folder have what was fitted in another one. Models are fitted again only to data that differ."""
    for cache in fitted.glob("*_cache"):
        shutil.copytree(cache, data_dir / cache.name, dirs_exist_ok=True)


def served(data_dir: Path) -> Tables:
    """Every table that the serving layer holds, its rows sorted."""
    names = sorted(path.stem for path in (ROOT / "models/serving").glob("*/*.sql"))
    with duckdb.connect(str(data_dir / "warehouse/inventory.duckdb"), read_only=True) as connection:
        return {name: connection.execute(f'select * from "{name}" order by all').fetchall() for name in names}
