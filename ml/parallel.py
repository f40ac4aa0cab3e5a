"""Work that joblib spreads over the cores of this machine, or over a cluster's (`cluster.fits`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from joblib import Parallel, delayed, effective_n_jobs

JOBS_WORTH_WORKERS = 8  # to start processes takes as long as some fits

K = TypeVar("K")
T = TypeVar("T")


def worker_count(jobs: int) -> int:
    """How many processes so many fits are worth."""
    return int(effective_n_jobs(-1)) if jobs >= JOBS_WORTH_WORKERS else 1


def spread(work: Callable[..., T], keys: Sequence[K], read: Callable[[K], tuple[object, ...]]) -> list[T]:
    """What `work(*read(key))` returns for each key. Only one for each worker is in memory at a time, never all."""
    workers = worker_count(len(keys))
    done: list[T] = []
    with Parallel(n_jobs=workers, batch_size=1) as parallel:
        for first in range(0, len(keys), workers):
            # read here: joblib would read in a thread of its own, and lose errors
            done += parallel([delayed(work)(*read(key)) for key in keys[first : first + workers]])
    return done
