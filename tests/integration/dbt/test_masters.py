"""The masters (stores.csv, promotions.csv, school_holidays.csv) in the data folder: what they say, and what is said of
one that cannot be meant.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import duckdb
import pytest

from tests.integration.dbt.project import Project
from tests.integration.dbt.test_data_folders import READING
from tests.integration.oracle import Event
from tests.integration.test_metrics import write_raw


def stores(data_dir: Path) -> list[tuple[object, ...]]:
    with duckdb.connect(str(data_dir / "warehouse/inventory.duckdb"), read_only=True) as connection:
        return connection.execute("select * from stores order by all").fetchall()


def remove_masters(project: Project) -> None:
    for master in project.data_dir.glob("*.csv"):
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

    # as spreadsheets save it: a byte order mark, semicolons, carriage returns, quotes, blanks, a row that ends early
    lines = [
        "Store_Location;Name;Region;Country;Time_Zone",
        "Store_A ; Main Street;North;us;America/Chicago",
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
        ("store_location,region\nStore_A,North,South\n", ["its column 'column2'"]),
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
        ("promotions.csv", "start_date,end_date\n2026-01-31,\n", ["row 1 has no end_date"]),
        (
            "promotions.csv",
            "start_date,end_date\n2026-01-31,2026-01-01\n31.1.2026,2026-02-30\n",
            ["row 1 ends on '2026-01-01', before its start", "row 2 has the date '31.1.2026'", "'2026-02-30'"],
        ),
        ("school_holidays.csv", "country,first_day\nDE,2026-01-01\n", ["it has no column 'last_day'"]),
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
    (project.data_dir / file).write_text(content)
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
