"""A store of finished results: no new data, no refit, the same bytes."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path
from threading import Lock

import pandas as pd

from ml.panel_files import write_table

SHARED = Path(__file__).parent  # its files, not its folders, are the code that all results share
DAYS_KEPT = 30  # a result that no build has needed for so long is of old data or code
IMPORTING = Lock()


def cached(
    cache_dir: Path | None,
    parameters: tuple[object, ...],
    frames: list[pd.DataFrame],
    compute: Callable[[], pd.DataFrame],
    *,
    code: Path,
    libraries: Sequence[str],
) -> pd.DataFrame:
    """The result of `compute`, from the cache where the same data, parameters, code (the files of a folder, and
    those that all share) and libraries were seen before.

    A cache file that cannot be read, such as one that a power cut left empty, is written again. What has not been
    needed for DAYS_KEPT days is removed.
    """
    if cache_dir is None:
        return compute()
    return _stored(cache_dir, parameters, frames, compute, code, libraries)[1]


def cached_file(
    cache_dir: Path,
    parameters: tuple[object, ...],
    frames: list[pd.DataFrame],
    compute: Callable[[], pd.DataFrame],
    *,
    code: Path,
    libraries: Sequence[str],
) -> Path:
    """The file in which `cached` keeps the result, for callers with more results than fit into memory."""
    return _stored(cache_dir, parameters, frames, compute, code, libraries)[0]


def _stored(
    cache_dir: Path,
    parameters: tuple[object, ...],
    frames: list[pd.DataFrame],
    compute: Callable[[], pd.DataFrame],
    code: Path,
    libraries: Sequence[str],
) -> tuple[Path, pd.DataFrame]:
    digest = hashlib.sha256(repr((parameters, [(name, version(name)) for name in libraries])).encode())
    for source in [*sorted(code.rglob("*.py")), *sorted(SHARED.glob("*.py"))]:
        digest.update(source.read_bytes())
    for frame in frames:
        digest.update(repr(list(frame.columns)).encode())
        digest.update(pd.util.hash_pandas_object(frame, index=False).to_numpy().tobytes())
    path = cache_dir / f"{digest.hexdigest()}.parquet"
    if path.exists():
        try:
            result = pd.read_parquet(path)
        except (OSError, ValueError):  # what pyarrow raises on a file that is not whole
            path.unlink(missing_ok=True)
        else:
            path.touch()
            return path, result
    # dbt runs models in threads, and two that import scikit-learn or what builds on it at once may deadlock: its import
    # is circular (narwhals)
    with IMPORTING:
        import sklearn  # noqa: F401
    result = compute()
    write_table(result, path)
    _prune(cache_dir)
    return path, result


@cache
def _prune(cache_dir: Path) -> None:
    """Once a process: it looks at every file, and a build may write tens of thousands."""
    oldest = time.time() - DAYS_KEPT * 86_400
    for path in cache_dir.glob("*.parquet*"):  # and what killed writers left unfinished
        with suppress(FileNotFoundError):  # another build may remove it, too
            if path.stat().st_mtime < oldest:
                path.unlink()
