"""What must hold before anything is published: the build was good, and the copy is what the warehouse holds."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from publish.publication import PublicationRefusedError, warehouse_columns

if TYPE_CHECKING:
    import duckdb


def audit_build(connection: duckdb.DuckDBPyConnection, manifest: dict[str, Any]) -> None:
    """Refuse unless the last build ended, and the latest result of every model, seed and test was good."""
    for table in ("invocations", "node_results"):
        warehouse_columns(connection, f"build_audit.{table}")
    last = connection.execute(
        "select command, started_at, finished_at from build_audit.invocations order by started_at desc limit 1"
    ).fetchone()
    if last is None or last[2] is None:
        started = f"started at {last[1]:%Y-%m-%d %H:%M} UTC" if last else "was never started"
        raise PublicationRefusedError(f"the last build ({started}) did not end. Run `dbt build` again.")
    results = connection.execute(
        """
        select node_id, arg_max(status, finished_at), arg_max(message, finished_at)
        from build_audit.node_results
        group by node_id
        """
    ).fetchall()
    known = {node_id: (status, message) for node_id, status, message in results}
    wanted = [
        node_id
        for node_id, node in manifest["nodes"].items()
        if node["resource_type"] in {"model", "seed", "test"} and node["config"]["enabled"]
    ]
    # a build may leave unit tests out, but not fail them
    wanted += [node_id for node_id in manifest["unit_tests"] if node_id in known]
    bad = [node_id for node_id in wanted if known.get(node_id, ("not built", ""))[0] not in {"success", "pass", "warn"}]
    if bad:
        reported = "; ".join(
            ": ".join([node_id.split(".")[2], *known.get(node_id, ("not built", ""))]) for node_id in bad[:5]
        )
        raise PublicationRefusedError(
            f"{len(bad)} of the last build's models and tests were not good ({reported}). "
            "What was published before stays. Mend them and run `dbt build` again."
        )


def digest_query(columns: dict[str, bool], text_bytes: str, relation: str, number: str = "1e0 * {}") -> str:
    """A query for a digest of a table, one row: the row count, and the count, sum, minimum and maximum of each column.

    `columns` says of each column whether it holds text, `text_bytes` how the dialect counts a text's bytes and
    `number` how it makes a float of a number (`{}` is the column).
    """
    digests = []
    for name, is_text in columns.items():
        summand = (text_bytes if is_text else number).format(name)
        digests.append(f"count({name}), sum({summand}), min({name}), max({name})")
    return f"select count(*), {', '.join(digests)} from {relation}"


def audit_copy(place: str, columns: Iterable[str], written: tuple[Any, ...], wanted: tuple[Any, ...]) -> None:
    """Refuse unless the rows of `digest_query` over the copy and over the warehouse agree."""
    aspects = [f"{aspect} of {name}" for name in columns for aspect in ("count", "sum", "least", "greatest")]
    for aspect, ours, theirs in zip(["row count", *aspects], written, wanted, strict=True):
        if not _same(ours, theirs):
            raise PublicationRefusedError(f"{place}: {aspect} is {ours}, in the warehouse {theirs}. Export again.")


def _same(ours: float | str | None, theirs: float | str | None) -> bool:
    """Equal; sums of floats may differ in their last digits, since each side adds in its own order."""
    if isinstance(ours, float) and isinstance(theirs, float):
        return math.isclose(ours, theirs, rel_tol=1e-9, abs_tol=1e-6)
    return ours == theirs
