from pathlib import Path

from ml import anomalies
from ml.cache import cached
from ml.registry import listed_names

PEERS = ["store_peers", "category_peers"]
LIBRARIES = ["numpy", "pandas", "scikit-learn", "scipy"]


def model(dbt, session):
    dbt.config(materialized="table")
    settings = dbt.config.get("meta")
    registered = dbt.ref("detectors").df()
    detectors = registered[registered["looks_at"] == "panel"]
    switched_on = listed_names("INVENTORY_DETECTORS", settings["detectors"], detectors["detector"].tolist())
    runs = detectors["published"] | detectors["detector"].isin(switched_on)
    expected = dbt.ref("int_expected_days").df()
    columns = ["unique_id", "ds", "y", *PEERS]
    # millions of rows repeat thousands of names
    panel = dbt.ref("int_demand_panel").project(", ".join(columns)).order("unique_id, ds").to_arrow_table()
    panel = panel.to_pandas(strings_to_categorical=True)
    arguments = {
        "detectors": list(detectors.loc[runs, "detector"]),
        "season": settings["season"],
        "seed": settings["seed"],
        "alert_budget": settings["alert_budget"],
        "peers": PEERS,
        "labels": sorted(expected[["unique_id", "ds"]].itertuples(index=False, name=None)),
    }
    found = cached(
        Path(settings["cache_dir"]),
        tuple(arguments.items()),
        [panel],
        lambda: anomalies.detect(panel, **arguments),
        code=Path(anomalies.__file__).parent,
        libraries=LIBRARIES,
    )
    # text without rows, as object, would have no type in DuckDB
    return found.astype(dict.fromkeys(("unique_id", "method", "kind", "driver"), "string"))
