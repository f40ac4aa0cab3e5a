"""The public holidays of countries and their parts, as the library `holidays` knows them."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd


def public_holidays(countries: Iterable[str], first: pd.Timestamp, last: pd.Timestamp) -> pd.DataFrame:
    """One row per country and holiday from `first` to `last`: `country, ds, name` (in the country's language).

    A country is a code of ISO 3166 with or without its part, such as `DE` or `DE-BY`. Of a part that the library does
    not know the holidays are those of the whole country; a country that it does not know has none.
    """
    import holidays

    known = holidays.list_supported_countries(include_aliases=True)
    rows = []
    for country in sorted(set(countries)):
        whole, _, part = country.partition("-")
        if whole not in known:
            continue
        named = holidays.country_holidays(
            whole, subdiv=part if part in known[whole] else None, years=range(first.year, last.year + 1)
        )
        rows += [
            (country, pd.Timestamp(day), name)
            for day, name in sorted(named.items())
            if first <= pd.Timestamp(day) <= last
        ]
    return pd.DataFrame(rows, columns=["country", "ds", "name"]).astype(
        {"country": "string", "ds": "datetime64[ns]", "name": "string"}
    )
