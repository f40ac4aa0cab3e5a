"""The masters (stores.csv, promotions.csv, school_holidays.csv, products.csv) and orders in the data folder: what they
say, and what is said of one that cannot be meant.
"""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from random import Random

import duckdb
import pytest

from ingest.names import tidy
from tests.integration.dbt.project import Project
from tests.integration.dbt.test_data_folders import READING
from tests.integration.oracle import Event
from tests.integration.test_metrics import write_raw


def stores(data_dir: Path) -> list[tuple[object, ...]]:
    with duckdb.connect(str(data_dir / "warehouse/inventory.duckdb"), read_only=True) as connection:
        return connection.execute("select * from stores order by all").fetchall()


def remove_masters(project: Project) -> None:
    for master in [*project.data_dir.glob("*.csv"), *project.data_dir.glob("*.ndjson")]:
        master.unlink()


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    data_dir = tmp_path_factory.mktemp("stores")
    write_raw(data_dir, [READING])
    return Project(data_dir)


def test_a_file_describes_the_stores_that_send_readings(tmp_path):
    write_raw(
        tmp_path,
        [
            Event(store, "P1", "Toys", 9, "1.00", datetime(2026, 1, 1))
            for store in ("Store_A", "Café; 'Süd'", "store_a")
        ],
    )
    project = Project(tmp_path)
    project.build("--select", "+stores")
    unknown = ("Unknown", None, "UTC")
    assert stores(tmp_path) == [(name, name, *unknown) for name in ("Café; 'Süd'", "Store_A", "store_a")]

    # as spreadsheets save it: a byte order mark, semicolons, carriage returns, quotes, blanks, a row that ends early,
    # empty columns beside the table
    lines = [
        "Store_Location;Name;Region;Country;Time_Zone;;",
        "Store_A ; Main Street;North;us;America/Chicago;;",
        "\"Café; 'Süd'\";Café;;DE-BY",
        "Store_Z;Not open yet;South;US;UTC",
        "",
    ]
    (tmp_path / "stores.csv").write_bytes("\r\n".join(lines).encode("utf-8-sig"))
    project.build("--select", "+stores")
    assert stores(tmp_path) == [
        ("Café; 'Süd'", "Café", "Unknown", "DE-BY", "UTC"),
        ("Store_A", "Main Street", "North", "US", "America/Chicago"),
        ("store_a", "store_a", *unknown),
    ]


@pytest.mark.parametrize(
    ("content", "messages"),
    [
        (
            "store,region\nStore_A,North\n",
            ["its column 'store' is none of store_location", "no column 'store_location'"],
        ),
        ("store_location,timezone\nStore_A,UTC\n", ["its column 'timezone' is none of"]),
        ("store_location,region\nStore_A,North\nStore_B,\n Store_A,South\n", ["Store_A stands in it 2 times"]),
        ("store_location,region\n,North\n", ["row 1 has no store_location"]),
        ("store_location,region\nStore_A,North,South\n", ["row 1 has 'South' in a column without a name"]),
        ('store_location,region\nStore_A,"No\nrth"\n', ["row 1 holds a control character"]),
        (
            "store_location,country,time_zone\nStore_A,Germany,CEST+1\n",
            ["Store_A has the country 'Germany'", "Store_A has the time zone 'CEST+1'"],
        ),
        ("", ["no column 'store_location'"]),
        ("store_location,region\nStore_A,Süd\n", ["it is not in UTF-8"]),
    ],
)
def test_a_file_that_cannot_be_meant_stops_the_build_and_names_its_faults(project, capfd, content, messages):
    (project.data_dir / "stores.csv").write_bytes(content.encode("latin-1"))
    with pytest.raises(AssertionError):
        project.build("--select", "int_as_of", with_seeds=False)
    output = capfd.readouterr().out
    assert "Traceback" not in output
    (line,) = {line for line in output.splitlines() if "stores.csv: " in line}
    for message in messages:
        assert message in line


@pytest.mark.parametrize(
    ("file", "content", "messages"),
    [
        ("promotions.csv", "product_id,start_date\nP1,2026-01-01\n", ["it has no column 'end_date'"]),
        (
            "orders.csv",  # saved by a spreadsheet, and then a program added a line
            "order_id,product_id\r\nO1,P1\r\nO2,P1\n",
            ["some of its lines end in CR LF and some in LF alone. Save it again and build again."],
        ),
        ("promotions.csv", "start_date,end_date\n2026-01-31,\n", ["row 1 has no end_date"]),
        (
            "promotions.csv",
            "start_date,end_date\n31.1.2026,01.01.2026\n01/02/2026,2026-02-30\n",
            ["row 1 ends on '01.01.2026', before its start", "row 2 has the date '01/02/2026'", "'2026-02-30'"],
        ),
        ("school_holidays.csv", "country,first_day\nDE,2026-01-01\n", ["it has no column 'last_day'"]),
        (
            "promotions.csv",  # a year of two digits is no year, and a promotion without an end has no days
            "start_date,end_date\n26-11-20,26-11-27\n2026-01-01,infinity\n",
            ["row 1 has the date '26-11-20'", "row 1 has the date '26-11-27'", "row 2 has the date 'infinity'"],
        ),
        (
            "school_holidays.csv",
            "country,first_day,last_day\nGermany,2026-01-31,2026-01-01\n*,soon,2026-01-01\n",
            [
                "row 1 ends on '2026-01-01', before its start",
                "row 2 has the date 'soon'",
                "row 1 has the country 'Germany'",
            ],
        ),
    ],
)
def test_periods_that_cannot_be_meant_stop_the_build(project, capfd, file, content, messages):
    remove_masters(project)
    (project.data_dir / file).write_bytes(content.encode())
    with pytest.raises(AssertionError):
        project.build("--select", "int_as_of", with_seeds=False)
    (line,) = {line for line in capfd.readouterr().out.splitlines() if f"{file}: " in line}
    for message in messages:
        assert message in line


def test_promotions_name_products_categories_stores_or_all(project):
    remove_masters(project)
    rows = ["P1,,Store_A,2026-01-01,2026-01-02", "*,Toys,*,2026-01-02,2026-01-03", "P9,,,2026-01-09,2026-01-09"]
    (project.data_dir / "promotions.csv").write_text(
        "\n".join(["product_id,category,store_location,start_date,end_date", *rows])
    )
    project.build("--select", "+int_promotion_days")
    with duckdb.connect(str(project.data_dir / "warehouse/inventory.duckdb"), read_only=True) as connection:
        days = connection.execute("select unique_id, cast(ds as date)::varchar from int_promotion_days order by all")
        assert days.fetchall() == [("Store_A/P1", f"2026-01-0{day}") for day in (1, 2, 3)]


def test_titles_and_dates_as_spreadsheets_save_them_are_read(project, capfd):
    remove_masters(project)
    files = {
        "stores.csv": "sep=;\r\nStore_Location;Country;Time_Zone\r\nStore_A;us\u00a0; UTC\r\n",
        "promotions.csv": "Our promotions, all\n\nproduct_id,start_date,end_date\nP1,30.1.2026,31/01/2026\n",
        "school_holidays.csv": '\n"Holidays"\ncountry;first_day;last_day\nDE-BY;01.02.2026;2/13/2026\n',
        # a line break within quotes is no end of a row
        "products.csv": '\ufeffOurs;;\r\n;;\r\nProduct_ID;name;unit_cost\r\nP1;Bear\t;4,50\u00a0\r\nP2;"x\ny";1\r\n',
        "orders.csv": "\n".join(
            [
                "Orders;;;;;",
                "order_id;product_id;store_location;quantity_ordered;ordered_at;expected_at",
                "O1;P1;Store_A;5;31.01.2026 08:00;1/31/2026 6:30 PM",
                "O2;P1;Store_A;5;2026-01-31 ;01/01/2026",  # the same day in both orders
                "O3;P1;Store_A;5;01/02/2026;",
            ]
        ),
    }
    for file, content in files.items():
        (project.data_dir / file).write_bytes(content.encode())
    read = {
        "stg_masters__stores": ("store_location, country, time_zone", [("Store_A", "US", "UTC")]),
        "stg_masters__promotions": (
            "product_id, start_date::varchar, end_date::varchar",
            [("P1", "2026-01-30", "2026-01-31")],
        ),
        "stg_masters__school_holidays": (
            "country, first_day::varchar, last_day::varchar",
            [("DE-BY", "2026-02-01", "2026-02-13")],
        ),
        "stg_masters__products": ("product_id, name, unit_cost::varchar", [("P1", "Bear", "4.5000")]),
        "stg_orders__events": (
            "order_id, ordered_at::varchar, expected_at::varchar",
            [
                ("O1", "2026-01-31 08:00:00", "2026-01-31 18:30:00"),
                ("O2", "2026-01-31 00:00:00", "2026-01-01 00:00:00"),
            ],
        ),
    }
    project.build("--select", *read, with_seeds=False)
    for model, (selected, expected) in read.items():
        assert rows(project, f"select {selected} from {model} order by all") == expected, model
    warnings = [line for line in capfd.readouterr().out.splitlines() if line.startswith("warning: ")]
    assert [warning.partition("data/")[2].partition(".")[0] for warning in warnings] == ["products", "orders"]
    assert "row 2 holds a control character" in warnings[0]
    assert "row 3 has the ordered_at '01/02/2026', not a time such as 2026-01-31T08:00:00Z" in warnings[1]


def test_a_store_has_the_holidays_of_its_country_and_its_schools(project):
    remove_masters(project)
    (project.data_dir / "stores.csv").write_text("store_location,country\n*,DE-BY\n")
    # as a spreadsheet saves it
    lines = ["Country;First_Day;Last_Day", "de;2026-01-01;2026-01-05", "FR;2026-01-01;2026-01-02", ""]
    (project.data_dir / "school_holidays.csv").write_bytes("\r\n".join(lines).encode("utf-8-sig"))
    project.build("--select", "+int_store_calendar")
    with duckdb.connect(str(project.data_dir / "warehouse/inventory.duckdb"), read_only=True) as connection:
        days = connection.execute(
            "select cast(ds as date)::varchar, holiday, before_holiday, after_holiday, school_holiday"
            " from int_store_calendar where ds between '2025-12-31' and '2026-01-07' order by ds"
        )
        assert days.fetchall() == [
            ("2025-12-31", 0, 7, 3, 0),  # five days after the 26th of December
            ("2026-01-01", 1, 3, 2, 1),
            ("2026-01-02", 0, 4, 7, 1),
            ("2026-01-03", 0, 5, 6, 1),
            ("2026-01-04", 0, 6, 5, 1),
            ("2026-01-05", 0, 7, 4, 1),
            ("2026-01-06", 1, 0, 3, 0),
            ("2026-01-07", 0, 0, 7, 0),
        ]


def test_names_are_tidied_as_those_of_readings_are(project):
    remove_masters(project)
    # two spaces, one that does not break, one that is invisible, an accent of its own
    sent = "Main  Street\u00a0\u200bCafe\u0301 "
    assert tidy(sent) == "Main Street Café"
    files = {
        "stores.csv": ["store_location", "name", "region"],
        "promotions.csv": ["store_location", "category", "product_id", "start_date", "end_date"],
        "school_holidays.csv": ["store_location", "region", "first_day", "last_day"],
        "products.csv": ["product_id", "name", "unit", "supplier"],
        "orders.csv": ["order_id", "product_id", "store_location", "quantity_ordered", "ordered_at"],
    }
    days = ("start_date", "end_date", "first_day", "last_day", "ordered_at")
    others = {"quantity_ordered": "5"} | dict.fromkeys(days, "2026-01-01")
    for file, columns in files.items():
        values = [others.get(column, sent) for column in columns]
        (project.data_dir / file).write_text(f"{','.join(columns)}\n{','.join(values)}\n")
    names = {
        "stg_masters__stores": "store_location, name, region",
        "stg_masters__promotions": "store_location, category, product_id",
        "stg_masters__school_holidays": "store_location, region",
        "stg_masters__products": "product_id, name, unit, supplier",
        "stg_orders__events": "order_id, product_id, store_location",
    }
    project.build("--select", *names, with_seeds=False)
    for model, selected in names.items():
        ((*found,),) = rows(project, f"select {selected} from {model}")
        assert set(found) == {tidy(sent)}, model


ORDER_COLUMNS = (
    *("order_id", "product_id", "store_location", "quantity_ordered"),
    *("ordered_at", "expected_at", "received_at", "cancelled_at"),
)


def write_orders(project: Project, events: list[tuple[str, ...]]) -> None:
    rows = [",".join(row) for row in (ORDER_COLUMNS, *events)]
    (project.data_dir / "orders.csv").write_text("\n".join(rows) + "\n")


def rows(project: Project, query: str) -> list[tuple[object, ...]]:
    with duckdb.connect(str(project.data_dir / "warehouse/inventory.duckdb"), read_only=True) as connection:
        return connection.execute(query).fetchall()


def test_wrong_rows_of_products_and_orders_are_named_and_cost_no_others(project, capfd):
    remove_masters(project)
    # as a spreadsheet saves it, with a column of its own
    lines = [
        "Product_ID;Name;Pack_Size;Unit_Cost;Colour",
        "P1;Bear; 12;4.5;red",
        "P2;;0;1",
        "P3;;;cheap",
        ";x",
        "P1;Again",
    ]
    (project.data_dir / "products.csv").write_bytes("\r\n".join(lines).encode("utf-8-sig"))
    write_orders(
        project,
        [
            ("O1", "P1", "Store_A", "5", "2026-01-01T08:00:00+02:00", "", "", ""),
            ("O2", "P1", "Store_A", "2.5", "2026-01-01", "", "", ""),
            ("O3", "P1", "Store_A", "5", "yesterday", "", "", ""),
            ("O4", "P1", "Store_A", "5", "2026-01-01", "soon", "", ""),
            ("O5", "P1", "Store_A", "5", "infinity", "", "", ""),
            ("O6", "P1", "Store_A", "5", "2026-01-01", "290308-12-22 (BC)", "", ""),
        ],
    )
    good = dict(zip(ORDER_COLUMNS, ("J1", "P1", "Store_A", 7, "2026-01-01T08:00:00Z"), strict=False))
    (project.data_dir / "orders.ndjson").write_text(f"{json.dumps(good)}\nno json\n")
    project.build("--select", "stg_masters__products", "stg_orders__events", with_seeds=False)
    output = capfd.readouterr().out
    for message in (
        "products.csv: its column 'colour' is none of product_id, name",
        "row 2 has the pack_size '0', not a whole number from 1 on",
        "row 3 has the unit_cost 'cheap'",
        "row 4 has no product_id",
        "row 5 names P1 again",
        "orders.csv: row 2 has the quantity_ordered '2.5'",
        "row 3 has the ordered_at 'yesterday'",
        "row 4 has the expected_at 'soon'",
        "row 5 has the ordered_at 'infinity'",
        "row 6 has the expected_at '290308-12-22 (BC)'",
        "orders.ndjson: row 2 has no order_id",
    ):
        assert message in " ".join(output.split()), message
    assert rows(project, "select product_id, name, pack_size, unit_cost::varchar from stg_masters__products") == [
        ("P1", "Bear", 12, "4.5000")
    ]
    events = "select order_id, quantity_ordered, ordered_at::varchar from stg_orders__events order by all"
    assert rows(project, events) == [("J1", 7, "2026-01-01 08:00:00"), ("O1", 5, "2026-01-01 06:00:00")]


def test_marks_in_numbers_of_products_and_orders_are_read_or_named_never_guessed(project, capfd):
    remove_masters(project)
    lines = [
        "product_id;pack_size;minimum_order;unit_cost",
        "P1;12.0;24.00;4,50",
        "P2;1.000;;1.234,5",
        "P3;;2.000;4,5",
        "P4;1200.000;;0.125",
        "P5;;;1.250",
        "P6;;;1,250",
    ]
    (project.data_dir / "products.csv").write_text("\n".join(lines))
    write_orders(
        project,
        [
            ("O1", "P1", "Store_A", "5.000", "2026-01-01", "", "", ""),
            ("O2", "P1", "Store_A", "5.0", "2026-01-01", "", "", ""),
        ],
    )
    project.build("--select", "stg_masters__products", "stg_orders__events", with_seeds=False)
    output = " ".join(capfd.readouterr().out.split())
    for message in (
        "row 2 has the pack_size '1.000', not a whole number",
        "row 3 has the minimum_order '2.000', not a whole number",
        "row 5 has the unit_cost '1.250', not an amount",
        "row 6 has the unit_cost '1,250', not an amount",
        "row 1 has the quantity_ordered '5.000', not a whole number",
    ):
        assert message in output, message
    assert rows(
        project,
        "select product_id, pack_size, minimum_order, unit_cost::varchar from stg_masters__products order by all",
    ) == [("P1", 12, 24, "4.5000"), ("P4", 1200, None, "0.1250")]
    assert rows(project, "select order_id, quantity_ordered from stg_orders__events") == [("O2", 5)]

    # where nothing says that the comma is the decimal mark
    (project.data_dir / "products.csv").write_text("product_id,unit_cost\nP5,1.250\n")
    project.build("--select", "stg_masters__products", with_seeds=False)
    assert rows(project, "select unit_cost::varchar from stg_masters__products") == [("1.2500",)]


def test_a_row_with_more_cells_than_the_header_is_named_and_left_out(project, capfd):
    remove_masters(project)
    (project.data_dir / "products.csv").write_text("product_id,unit_cost,\nP1,4,50\nP2,3.20,\nP3,2\n")
    (project.data_dir / "orders.csv").write_text(
        ",".join(ORDER_COLUMNS[:5]) + "\nO1,P1,Store_A,1,000,2026-01-01\nO2,P1,Store_A,5,2026-01-01\n"
    )
    project.build("--select", "stg_masters__products", "stg_orders__events", with_seeds=False)
    output = " ".join(capfd.readouterr().out.split())
    assert "products.csv: row 1 has '50' in a column without a name. Correct it" in output
    assert "orders.csv: row 1 has '2026-01-01' in a column without a name" in output
    assert rows(project, "select product_id, unit_cost::varchar from stg_masters__products order by all") == [
        ("P2", "3.2000"),
        ("P3", "2.0000"),
    ]
    assert rows(project, "select order_id, quantity_ordered from stg_orders__events") == [("O2", 5)]


def test_a_row_that_is_found_too_late_for_another_column_is_named(project, capfd):
    """DuckDB looks at the first 20,480 rows for the columns of a file."""
    remove_masters(project)
    lines = ["Products of 2026", "product_id,unit_cost", *(f"P{number},3.20" for number in range(40_000))]
    lines[30_000] = "P29998,3,20"
    (project.data_dir / "products.csv").write_text("\n".join(lines) + "\n")
    project.build("--select", "stg_masters__products", with_seeds=False)
    output = " ".join(capfd.readouterr().out.split())
    assert "products.csv: line 30001 has more cells than the header. Correct it" in output
    assert rows(project, "select count(*), count(*) filter (product_id = 'P29998') from stg_masters__products") == [
        (39_999, 0)
    ]


def test_shuffled_and_doubled_order_events_give_the_same_tables(project):
    remove_masters(project)
    random = Random(7)
    events = []
    for number in range(60):
        line = (f"O{number % 25}", "P1", "Store_A", str(random.randint(1, 9)))
        day = random.randint(1, 20)
        ends = random.choice([("", ""), (f"2026-01-{day + 3:02}", ""), ("", f"2026-01-{day + 2:02}")])
        events.append((*line, f"2026-01-{day:02}", random.choice(["", f"2026-01-{day + 5:02}"]), *ends))
    tables = []
    for arrived in (events, random.sample(events, len(events)) + random.sample(events, 30)):
        write_orders(project, arrived)
        project.build("--select", "+int_current_stock")
        tables.append(
            [rows(project, f"select * from {table} order by all") for table in ("int_order_lines", "int_current_stock")]
        )
    assert tables[0][0]
    assert tables[0] == tables[1]
