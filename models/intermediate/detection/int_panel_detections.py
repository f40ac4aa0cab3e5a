from ml.anomalies import detect

PEERS = ["store_peers", "category_peers"]


def model(dbt, session):
    dbt.config(materialized="table")
    settings = dbt.config.get("meta")
    detectors = dbt.ref("detectors").df()
    runs = detectors["published"] | detectors["detector"].isin(settings["detectors"].split(","))
    expected = dbt.ref("int_expected_days").df()
    panel = dbt.ref("int_demand_panel").project(", ".join(["unique_id", "ds", "y", *PEERS]))
    found = detect(
        # millions of rows repeat thousands of names
        panel.to_arrow_table().to_pandas(strings_to_categorical=True),
        detectors=list(detectors.loc[runs & (detectors["looks_at"] == "panel"), "detector"]),
        season=settings["season"],
        seed=settings["seed"],
        alert_budget=settings["alert_budget"],
        peers=PEERS,
        labels=list(expected[["unique_id", "ds"]].itertuples(index=False, name=None)),
    )
    # text without rows, as object, would have no type in DuckDB
    return found.astype(dict.fromkeys(("unique_id", "method", "kind", "driver"), "string"))
