"""How stores are divided into shards."""

from __future__ import annotations

import pytest

from cluster.shards import shards_of


def test_shards_have_about_as_many_readings_each():
    stores = {"A": 9, "B": 5, "C": 4, "D": 4, "E": 1, "F": 1}
    assert shards_of(stores, 2) == {"A": 0, "B": 1, "C": 1, "D": 0, "E": 1, "F": 1}


@pytest.mark.parametrize("count", [1, 3, 5])
def test_no_shard_is_empty_and_the_order_of_stores_does_not_matter(count):
    stores = {f"Store_{number}": 7 for number in range(5)}
    shards = shards_of(stores, count)
    assert set(shards.values()) == set(range(count))
    assert shards_of(dict(reversed(stores.items())), count) == shards
