"""What builds may do to a warehouse between two publications, whatever the destination."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
from hypothesis import strategies as st

texts = st.none() | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
readings = st.lists(
    st.tuples(
        texts,
        texts,
        st.sampled_from(["Store_A", "Store_B", None]) | texts,
        st.none() | st.integers(-(10**12), 10**12),
        st.none() | st.decimals(-(10**6), 10**6, places=9),
        st.none()
        | st.datetimes(datetime(2026, 6, 1), datetime(2026, 6, 5))
        | st.datetimes(datetime(1960, 1, 1), datetime(2200, 1, 1)),
    ),
    max_size=12,
)
steps = st.one_of(
    st.tuples(st.just("add"), readings),
    st.tuples(st.just("replace"), readings),
    st.tuples(st.just("repeat"), st.none()),
    st.tuples(st.just("withdraw"), st.integers(1, 3)),
    st.tuples(st.just("reprice"), st.integers(1, 3)),
    st.tuples(st.just("act"), st.integers(0, 2)),
)
builds = st.lists(steps, min_size=1, max_size=4)


def run_build(data_dir: Path, kind: str, detail: Any) -> None:
    """Change the readings as a step says, and a companion table as each build does. To `act` is for who publishes."""
    with duckdb.connect(str(data_dir / "warehouse/inventory.duckdb")) as connection:
        if kind == "replace":
            connection.execute("delete from inventory")
        if kind in {"add", "replace"} and detail:
            connection.executemany("insert into inventory values (?, ?, ?, ?, ?, ?)", detail)
        if kind == "repeat":
            connection.execute("insert into inventory select * from inventory")
        if kind == "withdraw":
            connection.execute(f"delete from inventory where hash(inventory) % {detail} = 0")
        if kind == "reprice":
            connection.execute(f"update inventory set price = 1 where hash(inventory) % {detail} = 0")
        connection.execute("update daily_stock set total_quantity = coalesce(total_quantity, 0) + 1")
