"""Work that joblib spreads over the cores of this machine, or over a cluster's (`cluster.fits`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from joblib import Parallel, delayed, effective_n_jobs

JOBS_WORTH_WORKERS = 8  # to start processes takes as long as some fits
STORES_PER_WORKER = 4  # that are read at once, so that no worker waits for the next one

T = TypeVar("T")


def worker_count(jobs: int) -> int:
    """How many processes so many fits are worth."""
    return int(effective_n_jobs(-1)) if jobs >= JOBS_WORTH_WORKERS else 1


def each_store(work: Callable[..., T], stores: Sequence[str], read: Callable[[str], tuple[object, ...]]) -> list[T]:
    """What `work(store, *read(store))` returns for each store. Some stores are in memory at a time, never all."""
    workers = worker_count(len(stores))
    at_once = STORES_PER_WORKER * workers
    done: list[T] = []
    with Parallel(n_jobs=workers) as parallel:
        for first in range(0, len(stores), at_once):
            # read here: joblib would read in a thread of its own, and lose errors
            done += parallel([delayed(work)(store, *read(store)) for store in stores[first : first + at_once]])
    return done
