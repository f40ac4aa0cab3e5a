from functools import partial
from itertools import chain
from pathlib import Path

import pandas as pd
from duckdb import ColumnExpression, ConstantExpression

from ml.forecasting.demand_first import FLOW_COLUMNS, no_forecasts, roll_forward
from ml.parallel import spread

CALIBRATION_WINDOWS = 3


def model(dbt, session):
    dbt.config(materialized="table")
    settings = dbt.config.get("meta")
    forecasts = dbt.ref("int_forecasts")
    cutoffs = sorted(forecasts.project("cutoff").distinct().df()["cutoff"])
    horizon = pd.Timedelta(days=settings["horizon"])
    # the first back-test learns from those before it how far it is usually off
    earlier = [cutoffs[0] - horizon * back for back in range(1, CALIBRATION_WINDOWS + 1)] if cutoffs else []
    flows, promotion_days = dbt.ref("int_product_flows"), dbt.ref("int_promotion_days")
    stores = [store for (store,) in flows.project("store_location").distinct().order("1").fetchall()]

    def read(store):
        is_of_store = ColumnExpression("store_location") == ConstantExpression(store)
        return (
            store,
            flows.filter(is_of_store).project(", ".join(FLOW_COLUMNS)).df(),
            promotion_days.filter(is_of_store).project("unique_id, ds").df(),
        )

    of_store = partial(
        roll_forward,
        cutoffs=[*earlier, *cutoffs],
        horizon=settings["horizon"],
        seed=settings["seed"],
        cache_dir=Path(settings["cache_dir"]),
    )
    files = [str(file) for file in chain.from_iterable(spread(of_store, stores, read))]
    return session.read_parquet(files) if files else no_forecasts()
