"""Work that is spread over workers, store by store."""

from __future__ import annotations

import operator

import pytest
from joblib import parallel_config

from ml.parallel import spread, worker_count

STORES = [f"Store_{number}" for number in range(40)]


@pytest.mark.parametrize("stores", [[], STORES[:3], STORES])
def test_results_come_in_the_order_of_the_stores(stores):
    assert spread(operator.add, stores, lambda store: (store, "!")) == [f"{store}!" for store in stores]


def test_never_all_stores_are_in_memory():
    waiting: set[str] = set()
    most = 0

    def read(store: str) -> tuple[str]:
        nonlocal most
        waiting.add(store)
        most = max(most, len(waiting))
        return (store,)

    with parallel_config(backend="threading"):
        spread(waiting.remove, STORES, read)
        workers = worker_count(len(STORES))
    assert not waiting
    assert most <= workers < len(STORES)


@pytest.mark.parametrize("number", [0, 39])
def test_a_store_that_cannot_be_read_fails_the_rest(number):
    def read(store: str) -> tuple[str]:
        if store == STORES[number]:
            raise OSError("the disk is gone")
        return (store,)

    with pytest.raises(OSError, match="the disk is gone"):
        spread(str.lower, STORES, read)
