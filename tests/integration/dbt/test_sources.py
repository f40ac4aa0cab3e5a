"""The sources as the intake leaves them, in each way that it can leave them."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from tests.integration.dbt.project import build
from tests.integration.oracle import Event
from tests.integration.test_metrics import write_raw


def counts(data_dir: Path) -> tuple[object, ...]:
    with duckdb.connect(str(data_dir / "warehouse/inventory.duckdb"), read_only=True) as connection:
        row = connection.execute(
            """
            select
                (select count(*) from stg_inventory_events__messages where not is_quarantined),
                (select count(*) from stg_inventory_events__messages where is_quarantined),
                (select sum(reading_count)::int from stg_inventory_events__features),
                (select sum(units_out)::int from stg_inventory_events__features)
            """
        ).fetchone()
        assert row is not None
        return row


@pytest.mark.parametrize(("landed", "quarantined"), [(True, False), (False, True), (True, True)])
def test_messages_are_counted_wherever_they_are_kept(tmp_path, landed, quarantined):
    events = [
        Event("Store_A", "P1", "Toys", 9 - hour, "1.00", datetime(2026, 1, 1) + timedelta(hours=hour))
        for hour in range(4)
    ]
    write_raw(tmp_path, events)
    if quarantined:
        folder = tmp_path / "quarantine/publish_date=2026-03-01"
        folder.mkdir(parents=True)
        duckdb.sql(
            "copy (select * replace (partition + 1 as partition, 'not_json: what' as error, 'what'::blob as raw) "
            f"from '{tmp_path}/landing/*/events-0.parquet') to '{folder}/batch-000000.parquet'"
        )
    if not landed:
        (tmp_path / "landing").rename(tmp_path / "elsewhere")
    build(tmp_path, "--select", "stg_inventory_events__messages", "stg_inventory_events__features", steps="build")
    # the last hour's window is still open
    assert counts(tmp_path) == (4 if landed else 0, 4 if quarantined else 0, 3, 2)
