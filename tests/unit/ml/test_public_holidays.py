import pandas as pd
import pytest

from ml.forecasting.public_holidays import public_holidays

YEAR = pd.Timestamp("2026-01-01"), pd.Timestamp("2026-12-31")
EPIPHANY, EASTER_MONDAY = pd.Timestamp("2026-01-06"), pd.Timestamp("2026-04-06")


@pytest.mark.parametrize(
    ("country", "has_epiphany", "has_easter_monday"),
    [
        ("DE", False, True),
        ("DE-BY", True, True),
        ("DE-XX", False, True),  # a part that nobody knows
        ("US", False, False),
        ("XX", False, False),
    ],
)
def test_holidays_are_those_of_the_country_and_its_part(country, has_epiphany, has_easter_monday):
    days = set(public_holidays([country], *YEAR)["ds"])
    assert (EPIPHANY in days, EASTER_MONDAY in days) == (has_epiphany, has_easter_monday)


def test_holidays_lie_within_the_days_asked_for():
    made = public_holidays(["GB", "US", "GB"], pd.Timestamp("2025-12-25"), pd.Timestamp("2026-01-01"))
    assert made.astype(str).values.tolist() == [
        ["GB", "2025-12-25", "Christmas Day"],
        ["GB", "2025-12-26", "Boxing Day"],
        ["GB", "2026-01-01", "New Year's Day"],
        ["US", "2025-12-25", "Christmas Day"],
        ["US", "2026-01-01", "New Year's Day"],
    ]


def test_without_a_country_there_is_an_empty_typed_frame():
    made, none = public_holidays(["GB"], *YEAR), public_holidays([], *YEAR)
    pd.testing.assert_series_equal(none.dtypes, made.dtypes)
    assert none.empty
