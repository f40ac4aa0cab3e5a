"""How far the forecasters are off, what their intervals hold, and what they cost, beside the seasonal naive.

The panel is what the simulated demo shops sold, by store and category and day; four cutoffs, 28 days ahead. The
benchmark fails where a published model loses to the seasonal naive.
"""

from __future__ import annotations

import resource
from collections.abc import Iterator

from bench import Figure
from bench.detectors import daily_units_sold

HORIZON, SEASON, CUTOFFS, SEED = 28, 7, 4, 7


def run() -> Iterator[Figure]:
    """Yield for each model its errors and the coverage of its intervals; and the cost. Raises SystemExit where one
    loses to the seasonal naive."""
    import pandas as pd

    from ml.forecasting import forecast, forecasters
    from ml.forecasting.scores import score
    from ml.registry import names_of

    panel = daily_units_sold()
    before = _processor_time()
    forecasts = forecast(
        panel,
        models=[*names_of(forecasters), "ensemble"],
        cutoffs=[panel["ds"].max() - pd.Timedelta(days=HORIZON * back) for back in range(CUTOFFS, 0, -1)],
        horizon=HORIZON,
        season=SEASON,
        freq="D",
        seed=SEED,
    ).frame
    cost = (_processor_time() - before) / panel["unique_id"].nunique() / CUTOFFS
    scores = score(forecasts, panel, SEASON, "D").set_index("model")
    naive = f"{scores.loc['seasonal_naive', 'wape']:.3f} seasonal naive"
    for model, row in scores.iterrows():
        yield Figure(f"{model}, WAPE", f"{row['wape']:.3f}", naive, row["wape_ratio"], "below 1")
        yield Figure(f"{model}, 80 % interval holds", f"{row['coverage80']:.1%}", goal="78 to 82 %")
        yield Figure(f"{model}, 95 % interval holds", f"{row['coverage95']:.1%}", goal="94 to 96 %")
    yield Figure("all models, CPU seconds a series and cutoff", f"{cost:.2f}", goal="<= 0.6")
    if losing := sorted(scores.index[scores["wape_ratio"] > 1]):
        raise SystemExit(f"lose to the seasonal naive: {', '.join(losing)}")


def _processor_time() -> float:
    """Of this process and of its workers, which count once they have ended."""
    from joblib.externals.loky import get_reusable_executor

    get_reusable_executor().shutdown(wait=True)
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)
