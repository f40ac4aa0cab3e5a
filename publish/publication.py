"""What is published: the serving models that the publication list names, as the warehouse holds them."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import duckdb


EXPOSURE = "publication"  # its `depends_on` is the publication list
# facts about the intake as a whole; any other table without a store is for who sees all that is published
TABLES_WITHOUT_STORE = {"pipeline_status", "build_history", "stage_lags", "detector_scores", "ensemble_weights"}


class PublicationRefusedError(RuntimeError):
    """Why nothing may be published, and what to do about it."""


@dataclass(frozen=True)
class PublishedTable:
    """A table to publish: its relation in the warehouse, the types of its columns there, and the table that it is a
    mere view of, if it is one."""

    name: str
    relation: str
    columns: dict[str, str]
    view_of: str | None


def read_manifest(data_dir: Path) -> dict[str, Any]:
    """dbt's description of the project that built the warehouse."""
    # `make` keeps dbt's artefacts with the data; dbt by itself in its own folder
    configured = os.environ.get("DBT_TARGET_PATH")
    folders = [Path(configured)] if configured else [data_dir / "dbt" / "target", Path("target")]
    paths = [folder / "manifest.json" for folder in folders if (folder / "manifest.json").exists()]
    if not paths:
        raise PublicationRefusedError(f"{folders[0] / 'manifest.json'} does not exist. Run `dbt build` first.")
    path = max(paths, key=lambda path: path.stat().st_mtime)
    manifest: dict[str, Any] = json.loads(path.read_text())
    return manifest


def publication_list(
    manifest: dict[str, Any], connection: duckdb.DuckDBPyConnection
) -> dict[str, list[PublishedTable]]:
    """The serving models that the exposure `publication` depends on, by database (their folder's name)."""
    listed = [
        node_id
        for exposure in manifest["exposures"].values()
        if exposure["name"] == EXPOSURE
        for node_id in exposure["depends_on"]["nodes"]
    ]
    tables: dict[str, list[PublishedTable]] = {}
    for node_id in sorted(listed):
        node = manifest["nodes"][node_id]
        layer, *_, database, name = node["fqn"][1:]
        if layer != "serving":
            raise PublicationRefusedError(f"the exposure {EXPOSURE} lists {name}, which is no serving model")
        relation = f'"{node["schema"]}"."{node["alias"]}"'
        view_of = node["config"]["meta"].get("view_of")
        columns = warehouse_columns(connection, relation)
        tables.setdefault(database, []).append(PublishedTable(name, relation, columns, view_of))
    return tables


def warehouse_columns(connection: duckdb.DuckDBPyConnection, relation: str) -> dict[str, str]:
    """The columns of a relation of the warehouse and their types, in DuckDB's words."""
    import duckdb

    try:
        return {row[0]: row[1] for row in connection.execute(f"describe {relation}").fetchall()}
    except duckdb.CatalogException as error:
        raise PublicationRefusedError(f"the warehouse has no {relation}. Run `dbt build`.") from error
