"""The order list of `inventory orders`."""

from __future__ import annotations

import csv
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from dashboards.today.lists import LISTS, read_list
from publish.orders import COLUMNS, command, to_order

STOCK = [
    ("Store_A", "Playmark", "Toys", "P1", "Bear", 8, 20, 4.0, 7.0, 45, 135.0, "unit cost", 190.0),
    ("Store_A", "Playmark", "Toys", "P2", None, 90, 0, 1.0, 7.0, 0, 0.0, "price", None),
    ("Store_A", None, "Home", "=cmd()", None, 1, 0, 0.25, 6.0, 4, None, None, None),
    ("Store_B", "Playmark", "Toys", "P1", "Bear", 0, 0, 2.0, 7.0, 1_200, 11_400.0, "price", 1_330.4),
]


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    (tmp_path / "export").mkdir()
    with closing(sqlite3.connect(tmp_path / "export/inventory_metrics.db")) as database, database:
        database.execute(f"create table current_stock ({', '.join(COLUMNS)})")
        database.executemany(f"insert into current_stock values ({', '.join('?' * len(COLUMNS))})", STOCK)
    return tmp_path


def orders(data_dir: Path, *options: str) -> Result:
    return CliRunner().invoke(command, ["--data-dir", str(data_dir), *options])


def test_the_table_lists_what_is_to_be_ordered_the_most_at_risk_first(data_dir):
    assert orders(data_dir).output.splitlines() == [
        "store    supplier  category  product   on hand  on order  daily depletion  delivery  order     cost  at risk",
        "Store_B  Playmark  Toys      P1 Bear         0         0              2.0    7 days  1,200  11,400*    1,330",
        "Store_A  Playmark  Toys      P1 Bear         8        20              4.0    7 days     45      135      190",
        "Store_A  -         Home      =cmd()          1         0              0.2    6 days      4        -        -",
        "                             3 in all                                                1,249   11,535    1,520",
    ]


def test_a_store_category_or_supplier_narrows_the_list(data_dir):
    assert "Store_B" not in orders(data_dir, "--store", "Store_A").output
    assert "2 in all" in orders(data_dir, "--store", "Store_A").output
    assert "1 in all" in orders(data_dir, "--store", "Store_A", "--category", "Home").output
    assert "2 in all" in orders(data_dir, "--supplier", "Playmark").output
    # nobody is known to supply it
    assert "supplier" not in orders(data_dir, "--category", "Home").output
    assert orders(data_dir, "--store", "Store_B", "--category", "Home").output == "nothing to order\n"


def test_csv_holds_every_figure_and_no_formula(data_dir):
    header, *rows = csv.reader(orders(data_dir, "--csv").output.splitlines())
    assert tuple(header) == COLUMNS
    assert rows[0] == [
        *("Store_B", "Playmark", "Toys", "P1", "Bear"),
        *("0", "0", "2.0", "7.0", "1200", "11400.0", "price", "1330.4"),
    ]
    assert rows[2] == ["Store_A", "", "Home", "'=cmd()", "", "1", "0", "0.25", "6.0", "4", "", "", ""]


def test_today_lists_the_same(data_dir):
    listing = LISTS["order"]
    with closing(sqlite3.connect(data_dir / "export/inventory_metrics.db")) as database:
        shown = read_list(database, listing, {}, page=None).rows
    listed = to_order(data_dir / "export/inventory_metrics.db")
    assert set(COLUMNS) == {column.name for column in listing.columns}
    assert [row[name] for row in shown for name in COLUMNS] == [row[name] for row in listed for name in COLUMNS]


def test_an_unknown_store_is_named_with_the_known_ones(data_dir):
    result = orders(data_dir, "--store", "Store_Z\x1b[31m")
    assert result.exit_code == 1
    assert "no product of Store_Z\\x1b[31m is known. Known are Store_A, Store_B." in result.output


def test_without_published_tables_the_next_step_is_named(tmp_path):
    result = orders(tmp_path)
    assert result.exit_code == 1
    assert "is not published yet. Run `inventory build` first." in result.output


def test_tables_of_an_older_version_ask_for_a_build(data_dir):
    with closing(sqlite3.connect(data_dir / "export/inventory_metrics.db")) as database, database:
        database.execute("alter table current_stock drop column on_order")
    result = orders(data_dir)
    assert result.exit_code == 1
    assert "is of another version (no such column: on_order). Run `inventory build`." in result.output
