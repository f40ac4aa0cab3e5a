"""A page in one column."""

from __future__ import annotations

from dashboards.assets.bundle import read_assets
from dashboards.looks.one_column import one_column


def test_charts_stand_below_each_other_and_tiles_in_pairs():
    position = read_assets()["dashboards/overview.yaml"]["position"]
    narrow = one_column(position)
    rows = [narrow[name]["children"] for name in narrow["GRID_ID"]["children"]]
    assert rows[1:4] == [
        ["CHART-freshness"],
        ["CHART-needs_you_today", "CHART-out_of_stock_share"],
        ["CHART-stock_value", "CHART-units_on_hand"],
    ]
    for row in rows:
        assert sum(narrow[child]["meta"]["width"] for child in row) == 12
    assert {name for name in narrow if name.startswith("CHART")} == {
        name for name in position if name.startswith("CHART")
    }


def test_every_part_names_its_parents():
    for name in ("overview", "alerts"):
        narrow = one_column(read_assets()[f"dashboards/{name}.yaml"]["position"])
        for part in narrow.values():
            if isinstance(part, dict) and part.get("parents"):
                assert part["id"] in narrow[part["parents"][-1]]["children"]
                assert all(parent in narrow for parent in part["parents"])


def test_the_wide_page_stays_as_it_is():
    position = read_assets()["dashboards/alerts.yaml"]["position"]
    before = repr(position)
    one_column(position)
    assert repr(position) == before
