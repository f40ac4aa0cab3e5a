"""Files of other software land as events: by a ready mapping, by one of one's own, with a column for each store."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import msgspec
import pytest
import xlsxwriter
import yaml
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest import load
from ingest.events import FIELDS
from ingest.landing import file_loader, quarantine, withdraw
from ingest.landing.files.mapping import ColumnMapping, pairs, read_mapping, ready_mappings, recognised, save_mapping

EXPORTS = Path(__file__).with_name("exports")
AS_OF = "2026-11-01T18:00"
COUNTED = datetime(2026, 11, 1, 18, tzinfo=UTC)


def run(data_dir: Path, source: Path, *arguments: object, exit_code: int = 0) -> str:
    result = CliRunner().invoke(
        load.command, ["--source", str(source), "--data-dir", str(data_dir), *map(str, arguments)]
    )
    assert result.exit_code == exit_code, result.output
    return result.output


def landed(data_dir: Path, columns: str = "store_location, product_id, quantity") -> list[tuple[object, ...]]:
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        return connection.execute(
            f"select {columns} from read_parquet('{data_dir}/landing/*/*.parquet') where error is null "
            "order by ledger_id, entry_id, batch_index"
        ).fetchall()


def table(path: Path, *rows: list[object]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    return path


@pytest.mark.parametrize(
    ("name", "expected"),
    list(
        {
            "shopify": [
                ("North Street", "LS-S", "Unknown", 24, None),
                ("Warehouse", "LS-S", "Unknown", 110, None),
                ("North Street", "LS-M", "Unknown", 2, None),
                ("North Street", "gift-card / Default Title", "Unknown", 5, None),
            ],
            "square": [
                ("High Street", "BR-RYE", "Bread", 14, 4.2),
                ("Market Hall", "BR-RYE", "Bread", 9, 4.2),
                ("High Street", "4HD9W8PLAC", "Drinks", 40, 2.95),
            ],
            "woocommerce": [
                ("Web shop", "MUG-1", "Kitchen", 18, 14.5),
                ("Web shop", "SC-RED", "Unknown", 7, 29.0),
                ("Web shop", "15", "Kitchen", 0, 6.0),
            ],
            "odoo": [
                ("WH/Stock", "FURN_6666", "All / Office", 36, None),
                ("WH2/Stock", "FURN_6666", "All / Office", 12, None),
                ("WH/Stock", "E-COM07", "All / Office", -3, None),
            ],
            "erpnext": [
                ("Stores - AC", "BOLT-M8", "Hardware", 1250, 0.25),
                ("Shop - AC", "BOLT-M8", "Hardware", 80, 0.25),
                ("Stores - AC", "GLUE", "Chemicals", 12, 4.5),
            ],
            "lightspeed": [
                ("Main_Outlet", "10001", "Footwear", 6, 119.0),
                ("Harbour", "10001", "Footwear", 3, 119.0),
                ("Main_Outlet", "10002", "Footwear", 0, 119.0),
            ],
            "amazon_fba": [
                ("Amazon FBA", "TOTAL-CARE-250", "Unknown", 40, 12.99),
                ("Amazon FBA", "LAMP-07", "Unknown", 0, 34.5),
            ],
        }.items()
    ),
)
def test_an_export_lands_by_its_ready_mapping_and_is_recognised_without_it(tmp_path, name, expected):
    (source,) = EXPORTS.glob(f"{name}.*")
    run(tmp_path, source, "--mapping", name, "--as-of", AS_OF)
    assert landed(tmp_path, "store_location, product_id, category, quantity, price") == expected
    assert set(landed(tmp_path, "event_timestamp")) == {(COUNTED,)}
    output = run(tmp_path, source, exit_code=1)
    assert f"looks like a{'n' * (name[0] in 'aoe')} {ready_mappings()[name].software} export" in output
    assert f"--mapping {name} and --as-of TIME" in output
    assert "add --as-of" in run(tmp_path, source, "--mapping", name, exit_code=1)


def test_every_ready_mapping_has_an_export_and_only_its_own_is_recognised_by_it():
    assert sorted(path.stem for path in EXPORTS.glob("*.*")) == sorted(ready_mappings())
    for path in EXPORTS.glob("*.*"):
        with path.open(newline="", encoding="utf-8-sig") as file:
            columns = next(csv.reader(file, delimiter="\t" if path.suffix == ".txt" else ","))
        matching = [name for name, mapping in ready_mappings().items() if set(mapping.recognised_by) <= set(columns)]
        assert matching == [path.stem]
    assert recognised(FIELDS) == ""


def test_what_is_no_field_is_kept_as_extra_under_its_own_name(tmp_path):
    run(tmp_path, EXPORTS / "shopify.csv", "--mapping", "shopify", "--as-of", AS_OF)
    ((extra,), *_) = landed(tmp_path, "extra")
    kept = msgspec.json.decode(extra)
    assert (kept["Handle"], kept["Available (not editable)"]) == ("linen-shirt", "20")
    assert "SKU" not in kept


def test_columns_constants_and_the_time_are_given_on_the_command_line_and_saved(tmp_path):
    source = table(
        tmp_path / "count.csv",
        ["SKU", "Available, net", "quantity", "Shop", "price"],
        ["A1", "1.250", "9", "East", "2,50"],
        ["A2", "3", "9", "East", ""],
    )
    saved = tmp_path / "ours.yml"
    options = [
        *("--columns", 'product_id=SKU,quantity="Available, net"', "--columns", "store_location=Shop"),
        *("--set", "category=Unknown", "--save-mapping", saved),
    ]
    run(tmp_path, source, *options, "--as-of", "2026-11-01 19:00", "--time-zone", "Europe/Berlin", "--decimal", "comma")
    columns = "product_id, category, quantity, price, event_timestamp, extra"
    expected = [
        ("A1", "Unknown", 1250, 2.5, COUNTED, '{"quantity (column)":"9"}'),
        ("A2", "Unknown", 3, None, COUNTED, '{"quantity (column)":"9"}'),
    ]
    assert landed(tmp_path, columns) == expected
    assert yaml.safe_load(saved.read_text())["columns"]["quantity"] == "Available, net"
    run(tmp_path / "again", source, "--mapping", saved, "--as-of", AS_OF, "--decimal", "comma")
    assert landed(tmp_path / "again", columns) == expected


def test_a_file_with_times_and_prices_of_its_own_needs_no_more_than_names(tmp_path):
    source = table(
        tmp_path / "log.csv",
        ["sku", "category", "store_location", "quantity", "price", "read at"],
        ["A1", "Toys", "East", 4, 1.5, "2026-11-01 18:00"],
    )
    run(tmp_path, source, "--columns", "product_id=sku,event_timestamp=read at")
    assert landed(tmp_path, "product_id, quantity, price, event_timestamp") == [("A1", 4, 1.5, COUNTED)]
    output = run(tmp_path, source, "--columns", "product_id=sku,event_timestamp=read at", "--as-of", AS_OF, exit_code=1)
    assert "times of its own, in read at" in output


@pytest.mark.parametrize(
    ("day", "time"),
    [("01.11.2026", "18:00"), ("20261101", "180000"), ("11/01/2026", "6:00 PM"), ("2026-11-01T18:00Z", "")],
)
def test_the_day_and_the_time_of_the_day_may_have_a_column_each(tmp_path, day, time):
    (tmp_path / "till.yml").write_text("columns: {product_id: Item, event_timestamp: [[Date, Time]]}")
    header = ["Item", "category", "store_location", "quantity", "price", "Date", "Time"]
    source = table(tmp_path / "count.csv", header, ["P1", "Toys", "East", 5, 9.5, day, time])
    run(tmp_path, source, "--mapping", tmp_path / "till.yml", "--month-first")
    assert landed(tmp_path, "event_timestamp, extra") == [(COUNTED, None)]


def test_a_workbook_may_have_the_day_and_the_time_in_cells_of_their_own(tmp_path):
    (tmp_path / "till.yml").write_text("columns: {event_timestamp: [[Date, Time]]}")
    sheet = xlsxwriter.Workbook(str(tmp_path / "count.xlsx"), {"default_date_format": "yyyy-mm-dd"})
    page = sheet.add_worksheet()
    page.write_row(0, 0, ["product_id", "category", "store_location", "quantity", "price", "Date", "Time"])
    page.write_row(1, 0, ["P1", "Toys", "East", 5, 9.5])
    page.write_datetime(1, 5, COUNTED.replace(hour=0, tzinfo=None))
    page.write_datetime(1, 6, COUNTED.time(), sheet.add_format({"num_format": "hh:mm"}))
    sheet.close()
    run(tmp_path, tmp_path / "count.xlsx", "--mapping", tmp_path / "till.yml")
    assert landed(tmp_path, "event_timestamp") == [(COUNTED,)]


def test_a_column_is_found_however_its_accents_are_composed(tmp_path):
    source = table(tmp_path / "count.csv", ["Item", "Gescha\u0308ft", "Units"], ["P1", "East", 5])
    options = ["--columns", "product_id=item,store_location=Gesch\u00e4ft,quantity=Units", "--set", "category=Toys"]
    run(tmp_path, source, *options, "--as-of", AS_OF)
    assert landed(tmp_path) == [("East", "P1", 5)]


def test_json_is_mapped_by_its_keys(tmp_path):
    source = tmp_path / "items.ndjson"
    source.write_bytes(b'{"sku":"A1","qty":"4","site":{"id":7}}\n{"sku":"A2"}\nbroken\n')
    options = [
        "--columns",
        "product_id=sku,quantity=qty",
        "--set",
        "category=Toys,store_location=East",
        "--as-of",
        AS_OF,
    ]
    assert "landed 1 readings, quarantined 2" in run(tmp_path, source, *options)
    assert landed(tmp_path, "product_id, quantity, price, extra") == [("A1", 4, None, '{"site":{"id":7}}')]


WIDE = [
    ["Item", "Group", "Stock North", "Stock South", "Stock East"],
    ["A1", "Toys", 4, 0, ""],
    ["A2", "Toys", 7, "many", 2],
    ["Total", "", 11, 0, 2],
]
WIDE_COLUMNS = ["--columns", "product_id=Item,category=Group", "--as-of", AS_OF]


@pytest.mark.parametrize(
    ("stores", "names"),
    [
        ("Stock *", ["North", "South", "East"]),
        ("Stock North,Stock South,Stock East", ["Stock North", "Stock South", "Stock East"]),
    ],
)
def test_a_column_for_each_store_becomes_a_reading_for_each_store(tmp_path, stores, names):
    output = run(tmp_path, table(tmp_path / "wide.csv", *WIDE), *WIDE_COLUMNS, "--stores", stores)
    north, south, east = names
    assert landed(tmp_path) == [(north, "A1", 4), (south, "A1", 0), (north, "A2", 7), (east, "A2", 2)]
    assert "landed 4 readings, quarantined 2 (1 wrong_type, 1 total_line)" in output
    assert "1 levels of products that are not kept there" in output


def test_stores_can_have_other_names_than_their_columns(tmp_path):
    mapping = tmp_path / "wide.yml"
    mapping.write_text("columns: {product_id: Item, category: Group}\nstores: {Stock North: Nordstadt}\n")
    run(tmp_path, table(tmp_path / "wide.csv", *WIDE), "--mapping", mapping, "--as-of", AS_OF)
    assert landed(tmp_path) == [("Nordstadt", "A1", 4), ("Nordstadt", "A2", 7)]


def test_a_wide_row_that_is_cut_by_a_kill_lands_each_level_once(tmp_path, monkeypatch):
    source = table(tmp_path / "wide.csv", WIDE[0], *[[f"P{row}", "Toys", row, row, row] for row in range(5)])
    for calls in (1, 2):
        with monkeypatch.context() as patch:
            patch.setattr(file_loader, "FLUSH_ROWS", 2)
            patch.setattr(file_loader, "land", stopping_after(calls))
            result = CliRunner().invoke(
                load.command,
                ["--source", str(source), "--data-dir", str(tmp_path), *WIDE_COLUMNS, "--stores", "Stock *"],
            )
            assert result.exit_code != 0
    run(tmp_path, source, *WIDE_COLUMNS, "--stores", "Stock *")
    assert landed(tmp_path) == [(store, f"P{row}", row) for row in range(5) for store in ("North", "South", "East")]


def test_wide_files_that_differ_beyond_the_first_store_are_two(tmp_path):
    for level in (5, 7):
        source = table(tmp_path / "wide.csv", WIDE[0], ["A1", "Toys", "", level, level])
        run(tmp_path, source, *WIDE_COLUMNS, "--stores", "Stock *")
    assert landed(tmp_path) == [("South", "A1", 5), ("East", "A1", 5), ("South", "A1", 7), ("East", "A1", 7)]


def stopping_after(calls: int):
    """Landing as a process does it that is killed before the next commit."""
    landing, done = file_loader.land, 0

    def land(*arguments):
        nonlocal done
        if done == calls:
            raise KeyboardInterrupt
        done += 1
        return landing(*arguments)

    return land


def test_rejected_lines_of_a_wide_file_are_exported_once_and_load_with_the_same_options(tmp_path):
    source = table(tmp_path / "wide.csv", WIDE[0], ["A1", "Toys", "x", "y", 3])
    run(tmp_path, source, *WIDE_COLUMNS, "--stores", "Stock *")
    out = tmp_path / "rejected.csv"
    arguments = ["export", "--out", str(out), "--data-dir", str(tmp_path)]
    output = CliRunner().invoke(quarantine.command, arguments).output
    assert f"inventory load --source {out} --stores 'Stock *' --as-of {AS_OF}" in output
    assert f"--columns {WIDE_COLUMNS[1]}" in output
    assert out.read_text().splitlines() == ["Item,Group,Stock North,Stock South,Stock East", "A1,Toys,x,y,3"]
    with (tmp_path / "rejected.csv.reasons.csv").open(newline="") as file:
        assert [row["line"] for row in csv.DictReader(file)] == ["2", "2"]


def test_a_corrected_mapping_lands_and_names_the_first_attempt(tmp_path):
    source = EXPORTS / "shopify.csv"
    options = ["--mapping", "shopify", "--as-of", AS_OF]
    run(tmp_path, source, *options, "--columns", "quantity=Committed (not editable)")
    output = run(tmp_path, source, *options)
    assert "inventory withdraw --source shopify.csv --ids 1" in output
    assert [row[2] for row in landed(tmp_path)] == [3, 0, 4, 0, 24, 110, 2, 5]
    assert "nothing new" in run(tmp_path, source, *options)
    arguments = ["--source", "shopify.csv", "--ids", "1", "--data-dir", str(tmp_path)]
    assert "withdrew 4 readings" in CliRunner().invoke(withdraw.command, arguments).output
    # counted again later: another time, nothing wrong with the first
    output = run(tmp_path, source, "--mapping", "shopify", "--as-of", "2026-11-02T18:00")
    assert "landed 4 readings" in output
    assert "withdraw" not in output


def test_a_withdrawn_file_that_is_loaded_again_says_how_to_restore_it(tmp_path):
    source = EXPORTS / "odoo.csv"
    options = ["--mapping", "odoo", "--as-of", AS_OF]
    run(tmp_path, source, *options)
    CliRunner().invoke(withdraw.command, ["--source", "odoo.csv", "--data-dir", str(tmp_path)])
    output = run(tmp_path, source, *options)
    assert "nothing new" in output
    assert "`inventory withdraw --source odoo.csv` restores it" in output


LOTS = [
    ["Product", "Location", "Lot", "Quantity", "Product/Sales Price", "Unit"],
    ["A", "WH", "L1", "3.0", "", "kg"],
    ["B", "WH", "L1", "1.5", "2", "kg"],
    ["A", "WH ", "L2", "4.0", "9.5", "kg"],
    ["A", "WH2", "L3", "-1", "9.5", "kg"],
    ["B", "WH", "L2", "0.5", "2", "kg"],
    ["A", "WH", "L4", "0", "9.5", "kg"],
]
ODOO = ["--mapping", "odoo", "--as-of", AS_OF]


def test_lots_of_one_product_and_location_are_added_up_where_the_software_splits_them(tmp_path):
    output = run(tmp_path, table(tmp_path / "lots.csv", *LOTS), *ODOO)
    assert landed(tmp_path, "entry_id, store_location, product_id, quantity, price, extra") == [
        (2, "WH", "A", 7, 9.5, '{"Unit":"kg"}'),
        (3, "WH", "B", 2, 2.0, '{"Unit":"kg"}'),
        (5, "WH2", "A", -1, 9.5, '{"Lot":"L3","Unit":"kg"}'),
    ]
    assert "3 rows added to the level of the same product and store" in output
    assert "nothing new" in run(tmp_path, tmp_path / "lots.csv", *ODOO)


def test_elsewhere_the_last_of_several_rows_holds_and_the_user_hears_of_it(tmp_path):
    source = table(tmp_path / "count.csv", LOTS[0], *LOTS[1:4])
    options = ["--columns", "product_id=Product,store_location=Location,quantity=Quantity", "--set", "category=Unknown"]
    output = run(tmp_path, source, *options, "--as-of", AS_OF, "--quantity-scale", 2)
    assert "1 rows for a product and store that the file has before" in output
    assert [row[2] for row in landed(tmp_path)] == [6, 3, 8]


def test_a_lot_that_came_or_changed_makes_the_levels_of_another_file(tmp_path):
    run(tmp_path, table(tmp_path / "lots.csv", *LOTS[:2], LOTS[3]), *ODOO)
    run(tmp_path, table(tmp_path / "lots.csv", *LOTS), *ODOO)
    changed = [[*row[:3], 10, *row[4:]] if row[:3] == ["A", "WH ", "L2"] else row for row in LOTS]
    run(tmp_path, table(tmp_path / "lots.csv", *changed), *ODOO)
    assert landed(tmp_path, "ledger_id, product_id, quantity") == [
        *((1, "A", 7), (2, "A", 7), (2, "B", 2), (2, "A", -1)),
        *((3, "A", 13), (3, "B", 2), (3, "A", -1)),
    ]


def test_a_product_that_is_new_at_the_end_goes_on_where_the_file_was_left(tmp_path):
    run(tmp_path, table(tmp_path / "lots.csv", *LOTS[:2]), *ODOO)
    run(tmp_path, table(tmp_path / "lots.csv", *LOTS[:2], ["C", "WH", "L9", 4, "", "kg"]), *ODOO)
    assert landed(tmp_path, "ledger_id, entry_id, quantity") == [(1, 2, 3), (1, 3, 4)]


def test_levels_that_are_added_up_land_once_whenever_the_loader_is_killed(tmp_path, monkeypatch):
    rows = [[f"P{row % 5}", "WH", f"L{row}", row, "", "kg"] for row in range(20)]
    source = table(tmp_path / "lots.csv", LOTS[0], *rows)
    for calls in (0, 1, 2):
        with monkeypatch.context() as patch:
            patch.setattr(file_loader, "FLUSH_ROWS", 2)
            patch.setattr(file_loader, "land", stopping_after(calls))
            CliRunner().invoke(load.command, ["--source", str(source), "--data-dir", str(tmp_path), *ODOO])
    run(tmp_path, source, *ODOO)
    assert landed(tmp_path) == [("WH", f"P{number}", 4 * number + 30) for number in range(5)]


@pytest.mark.parametrize("name", ["lots.csv", "lots.ndjson"])
def test_a_level_with_a_part_that_is_no_number_is_rejected_whole_and_can_be_corrected(tmp_path, name):
    source = tmp_path / name
    rows = [[*row[:3], "many" if row[2] == "L2" else row[3], *row[4:]] for row in LOTS]
    if name.endswith(".csv"):
        table(source, *rows)
    else:
        source.write_bytes(b"\n".join(msgspec.json.encode(dict(zip(LOTS[0], row, strict=True))) for row in rows[1:]))
    assert "quarantined 2 (2 wrong_type)" in run(tmp_path, source, *ODOO)
    assert landed(tmp_path) == [("WH2", "A", -1)]
    out = tmp_path / f"rejected{source.suffix}"
    output = CliRunner().invoke(quarantine.command, ["export", "--out", str(out), "--data-dir", str(tmp_path)]).output
    assert f"--mapping odoo --as-of {AS_OF}" in output
    assert "'many' is no number (in row 2 of 3 to be added up)" in (tmp_path / f"{out.name}.reasons.csv").read_text()
    assert out.read_text().count("kg") == 5
    out.write_text(out.read_text().replace("many", "4", 1).replace("many", "0.5"))
    run(tmp_path / "corrected", out, *ODOO)
    assert landed(tmp_path / "corrected") == [("WH", "A", 7), ("WH", "B", 2)]


def test_rows_without_a_name_are_rejected_each_by_itself(tmp_path):
    rows = [["", "WH", "L1", 1, "", ""], ["", "WH", "L2", 2, "", ""], ["A", "", "L3", 3, "", ""]]
    assert "quarantined 3 (3 blank_name)" in run(
        tmp_path, table(tmp_path / "lots.csv", LOTS[0], *rows), *ODOO, exit_code=1
    )


@settings(max_examples=20)
@given(st.lists(st.tuples(st.sampled_from("AB"), st.sampled_from(["WH", "WH2"]), st.decimals(-99, 99, places=1))))
def test_levels_split_over_rows_in_any_way_land_as_their_sums(lots):
    whole = {}
    for product, store, quantity in lots:
        whole[store, product] = whole.get((store, product), 0) + quantity
    rows = [[product, store, "", quantity, "", ""] for product, store, quantity in lots]
    with CliRunner().isolated_filesystem():
        table(Path("lots.csv"), LOTS[0], ["C", "WH", "", 0, "", ""], *rows)
        run(Path("data"), Path("lots.csv"), *ODOO, "--quantity-scale", 10)
        expected = {("WH", "C"): 0, **whole}
        assert {(store, product): level for store, product, level in landed(Path("data"))} == {
            key: level * 10 for key, level in expected.items()
        }


def test_what_is_no_store_in_odoo_is_left_out_and_counted(tmp_path):
    places = [
        *("Partners/Customers", "Partner Locations/Vendors", "Virtual Locations/Scrap", "virtual locations/Production"),
        *("Inventory adjustment", "Virtual Locations/Inventory adjustment", "My Company: Inventory adjustment"),
    ]
    stores = ["WH/Stock", "Partnersville/Stock"]
    rows = [["A", place, "", 5, "", "kg"] for place in [*places, *stores]]
    output = run(tmp_path, table(tmp_path / "quants.csv", LOTS[0], *rows), *ODOO)
    assert [row[0] for row in landed(tmp_path)] == stores
    assert "7 levels in places that are no stores passed over" in output


def test_square_prices_may_vary_or_differ_by_location(tmp_path):
    header = ["Token", "Item Name", "Variation Name", "SKU", "Price", "Price Main St"]
    header += ["Current Quantity Main St", "Current Quantity High St"]
    source = table(
        tmp_path / "library.csv",
        header,
        ["T1", "Bread", "Regular", "B1", "4.20", "4.50", 3, 4],
        ["T2", "Soup", "Regular", "", "variable", "", 5, 6],
        ["T3", "Cake", "Regular", "C1", "9", "Variable", 7, ""],
    )
    run(tmp_path, source, "--mapping", "square", "--as-of", AS_OF)
    assert landed(tmp_path, "store_location, product_id, quantity, price, extra") == [
        ("Main St", "B1", 3, 4.5, '{"Token":"T1","Item Name":"Bread","Variation Name":"Regular"}'),
        ("High St", "B1", 4, 4.2, '{"Token":"T1","Item Name":"Bread","Variation Name":"Regular"}'),
        ("Main St", "T2", 5, None, '{"Token":"T2","Item Name":"Soup","Variation Name":"Regular"}'),
        ("High St", "T2", 6, None, '{"Token":"T2","Item Name":"Soup","Variation Name":"Regular"}'),
        ("Main St", "C1", 7, None, '{"Token":"T3","Item Name":"Cake","Variation Name":"Regular"}'),
    ]


@pytest.mark.parametrize("options", [[], ["--stores", "North Street,Warehouse"]])
def test_a_shopify_export_with_a_column_for_each_location(tmp_path, options):
    source = table(
        tmp_path / "inventory.csv",
        [
            *("Handle", "Title", "Option1 Name", "Option1 Value", "Option2 Name", "Option2 Value", "SKU", "HS Code"),
            *("COO", "North Street", "Warehouse"),
        ],
        ["shirt", "Shirt", "Size", "S", "Colour", "Red", "'0012", "", "PT", 4, "not stocked"],
        ["shirt", "Shirt", "Size", "M", "Colour", "Red", "", "", "PT", "Not stocked", 7],
        ["tie", "Tie", "Size", "'t Hooft", "", "", "", "", "PT", 1, 2],
    )
    output = run(tmp_path, source, "--mapping", "shopify", "--as-of", AS_OF, *options)
    assert landed(tmp_path) == [
        ("North Street", "0012", 4),
        ("Warehouse", "shirt / M / Red", 7),
        ("North Street", "tie / 't Hooft", 1),
        ("Warehouse", "tie / 't Hooft", 2),
    ]
    assert "2 levels of products that are not kept there" in output
    assert "looks like a Shopify export" in run(tmp_path, source, exit_code=1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--columns", "quantity=Availble"], "no column 'Availble' for quantity (did you mean 'Available (not edit"),
        (["--columns", "quantity=available"], "did you mean 'Available (not editable)'?"),
        (["--columns", "units=SKU"], "units is no field of an event. Map to product_id, "),
        (["--stores", "Level *"], "no column fits 'Level *' (found: Handle,"),
        (["--stores", "Handle,Levels"], "no column 'Levels' for the levels of Levels"),
        (["--mapping", "shopfy"], "no such mapping. Name a file, or one of amazon_fba, "),
        (["--columns", "quantity"], "write FIELD=COLUMN"),
        (["--set", "quantity=abc"], "quantity is set to 'abc', which is no number"),
        (
            ["--as-of", AS_OF, "--set", "quantity=5"],
            "quantity is in column On hand (current). Leave out --set quantity=…",
        ),
        (["--as-of", AS_OF, "--set", "product_id=A"], "product_id is in column SKU. Leave out --set product_id=…"),
        (["--set", "price=cheap"], "price is set to 'cheap', which is no number"),
        (["--set", "event_timestamp=noon"], "event_timestamp is set to 'noon': 'noon' is no time"),
        (["--sheet", "Stock"], "is no Excel workbook and has no sheets. Leave out --sheet"),
        (["--as-of", "yesterday"], "'yesterday' is no time"),
        (["--mapping", "BROKEN"], "BROKEN: Object contains unknown field `colums`. A mapping has software, about"),
    ],
)
def test_a_fault_in_the_options_is_named_with_the_way_out(tmp_path, options, message):
    broken = tmp_path / "BROKEN"
    broken.write_text("colums: {}\n")
    arguments = [str(broken) if word == "BROKEN" else word for word in options]
    result = CliRunner().invoke(
        load.command,
        ["--source", str(EXPORTS / "shopify.csv"), "--mapping", "shopify", "--data-dir", str(tmp_path), *arguments],
    )
    assert result.exit_code != 0
    assert message.replace("BROKEN", str(broken)) in result.output.replace("\n", " ")
    assert not list(tmp_path.rglob("*.parquet"))


@pytest.mark.parametrize(
    "total",
    [
        *("Grand Total", "Gesamtergebnis", "Gesamtsumme:", "Total général", "Total general", "Total Geral"),
        *("Totale complessivo", "Eindtotaal", "Suma końcowa", "Razem", "Общий итог", "総計", "总计"),
    ],
)
def test_the_last_row_of_a_pivot_table_is_no_product(tmp_path, total):
    rows = [["Total war", 5], ["Gesamtergebnisse II", 6], [total, 11]]
    source = table(tmp_path / "pivot.csv", ["Item", "Units"], *rows)
    options = ["--columns", "product_id=Item,quantity=Units", "--set", "category=Games,store_location=East"]
    output = run(tmp_path, source, *options, "--as-of", AS_OF)
    assert "1 total_line" in output
    assert landed(tmp_path, "product_id, quantity") == [("Total war", 5), ("Gesamtergebnisse II", 6)]


def test_a_preview_shows_events_and_rejections_and_writes_nothing(tmp_path):
    rows = [[f"P{number}", "East", number, ""] for number in range(12)] + [["P\x1b[2J", "East", "x", ""]] * 3
    source = table(tmp_path / "count.csv", ["sku", "store_location", "quantity", "note"], *rows)
    data_dir = tmp_path / "data"
    options = ["--columns", "product_id=sku", "--set", "category=Toys", "--as-of", AS_OF]
    output = run(data_dir, source, *options, "--preview")
    lines = output.splitlines()
    assert lines[0].split() == list(FIELDS)
    assert lines[1].split() == ["P0", "Toys", "East", "0", "2026-11-01", "18:00:00"]
    assert sum(line.startswith("P") for line in lines[1:]) == 10
    assert "would land 12 readings, quarantine 3" in output
    assert "3 wrong_type, the first in row 14: wrong_type: quantity" in output
    assert not data_dir.exists()
    run(data_dir, source, *options)
    assert len(landed(data_dir)) == 12


@pytest.mark.parametrize("options", [["--preview"], ["--sheet", "Stock"], ["--mapping", "odoo"]])
def test_options_about_a_file_need_one(options):
    result = CliRunner().invoke(load.command, options)
    assert result.exit_code == 2
    assert "--source" in result.output


NAMES = st.text("aB7\u00df\u4e2d", min_size=1, max_size=3)


@settings(max_examples=20)
@given(
    levels=st.dictionaries(NAMES, st.dictionaries(NAMES, st.integers(-5, 10**6), min_size=1), min_size=1, max_size=6),
    columns=st.permutations(["Item", "Group", "Remark"]),
)
def test_wide_tables_of_known_levels_land_as_these_levels(levels, columns):
    """Whatever the order of columns and whichever stores keep which products."""
    stores = sorted({store for kept in levels.values() for store in kept})
    out = io.StringIO()
    writer = csv.DictWriter(out, [*columns, *(f"At {store}" for store in stores)])
    writer.writeheader()
    for product, kept in levels.items():
        row = {f"At {store}": level for store, level in kept.items()}
        writer.writerow({"Item": product, "Group": "Toys", "Remark": "", **row})
    with CliRunner().isolated_filesystem():
        source = Path("wide.csv")
        source.write_text(out.getvalue(), encoding="utf-8")
        run(Path("data"), source, *WIDE_COLUMNS, "--stores", "At *")
        expected = [(store, product, level) for product, kept in levels.items() for store, level in kept.items()]
        assert sorted(landed(Path("data"))) == sorted(expected)


PARTS = st.text(st.characters(exclude_characters='"\n\r', categories=["L", "N", "P", "Zs"]), min_size=1).map(str.strip)


@given(st.dictionaries(st.sampled_from(FIELDS), PARTS.filter(bool), min_size=1))
def test_pairs_say_any_column_when_it_is_quoted(wanted):
    assert pairs([",".join(f'{field}="{column}"' for field, column in wanted.items())]) == wanted


def test_a_saved_mapping_is_the_same_when_it_is_read(tmp_path):
    mapping = ColumnMapping(
        columns={"product_id": ["SKU", "Id"], "quantity": "Größe: 3"},
        values={"category": "No", "price": 1.5},
        stores={"Lager: Nord": "Nord"},
        optional=["price"],
        not_kept=[""],
        decimal="comma",
    )
    save_mapping(mapping, tmp_path / "mapping.yml")
    assert read_mapping(tmp_path / "mapping.yml") == mapping
