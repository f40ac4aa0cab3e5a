"""Spark's log of the landed files that it has refined, without those that are gone.

Spark never shortens this log. It reads all of it at each start and writes it again every ten micro-batches, so its cost
grows with all files ever landed.
"""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ingest.durable_files import commit
from ingest.refining.raw import temporary_for

LOG = "_checkpoint/sources/0"


def forget_gone_files(raw: Path) -> None:
    """Drop the files that compaction has merged into others from the log: nobody can land them again.

    The newest entry stays. Spark passes over files that are a week older than it, as merged ones seem to be. The caller
    holds raw (`file_lock`), and no micro-batch is unfinished.
    """
    log = max((raw / LOG).glob("*.compact"), key=lambda path: int(path.stem), default=None)
    if log is None:
        return
    version, *lines = log.read_text().splitlines()
    entries = {line: json.loads(line) for line in lines}
    newest = max(lines, key=lambda line: int(entries[line]["timestamp"]), default=None)
    kept = [line for line in lines if line == newest or _landed_path(entries[line]["path"]).exists()]
    if len(kept) == len(lines):
        return
    temporary = temporary_for(raw / "log")
    temporary.write_text("\n".join([version, *kept]))
    # Hadoop checks a file against the sums beside it, and takes one without sums as it is
    log.with_name(f".{log.name}.crc").unlink(missing_ok=True)
    commit(temporary, log)


def _landed_path(url: str) -> Path:
    return Path(unquote(urlsplit(url).path))
