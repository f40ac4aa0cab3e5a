from pathlib import Path

import pandas as pd

from ml.forecasting.demand_first import FLOW_COLUMNS, roll_forward

CALIBRATION_WINDOWS = 3


def model(dbt, session):
    dbt.config(materialized="table")
    settings = dbt.config.get("meta")
    forecasts = dbt.ref("int_forecasts")
    cutoffs = sorted(forecasts.project("cutoff").distinct().df()["cutoff"])
    horizon = pd.Timedelta(days=settings["horizon"])
    # the first back-test learns from those before it how far it is usually off
    earlier = [cutoffs[0] - horizon * back for back in range(1, CALIBRATION_WINDOWS + 1)] if cutoffs else []
    flows = dbt.ref("int_product_flows")
    promotion_days = dbt.ref("int_promotion_days")
    return roll_forward(
        flows.project(", ".join(FLOW_COLUMNS)).df(),
        promotion_days.df(),
        cutoffs=[*earlier, *cutoffs],
        horizon=settings["horizon"],
        seed=settings["seed"],
        cache_dir=Path(settings["cache_dir"]),
    )
