"""How good forecasts were, by the measures of the forecasting literature."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ml.forecasting.conformal import ROUNDING

COLUMNS = ["model", "wape", "rmsse", "bias", "coverage80", "coverage95"]


def score(forecasts: pd.DataFrame, panel: pd.DataFrame, season: int, freq: str) -> pd.DataFrame:
    """Score a forecast frame against what happened in the periods of the frequency.

    Returns one row per model that met an actual, best first: `wape` (sum of absolute errors over sum of actuals),
    `rmsse` (root mean squared error over that of the in-sample seasonal naive, Hyndman and Koehler 2006; mean over
    series and cutoffs), `bias` (sum of errors over sum of actuals; above 0 is too high), `coverage80`, `coverage95`
    (shares of actuals within the interval) and `wape_ratio` (wape over that of the seasonal naive, NaN without it).
    """
    joined = forecasts.merge(panel[["unique_id", "ds", "y"]].dropna(), on=["unique_id", "ds"])
    joined["error"] = joined["y_hat"] - joined["y"]
    squared = {
        (name, cutoff): errors.loc[:cutoff].mean()
        for name, series in panel.sort_values("ds").groupby("unique_id")
        for errors in [_seasonal_squared_errors(series.set_index("ds")["y"], season, freq)]
        for cutoff in forecasts["cutoff"].unique()
    }
    rows = []
    for model, frame in joined.groupby("model"):
        mean_squared = frame.assign(squared=frame["error"] ** 2).groupby(["unique_id", "cutoff"])["squared"].mean()
        scaled = [value / squared[key] for key, value in mean_squared.items() if squared[key] > 0]
        total = frame["y"].abs().sum()
        rows.append(
            {
                "model": model,
                "wape": frame["error"].abs().sum() / total if total else np.nan,
                "rmsse": float(np.mean(np.sqrt(scaled))) if scaled else np.nan,
                "bias": frame["error"].sum() / total if total else np.nan,
                "coverage80": ((frame["y"] >= frame["lo80"]) & (frame["y"] <= frame["hi80"])).mean(),
                "coverage95": ((frame["y"] >= frame["lo95"]) & (frame["y"] <= frame["hi95"])).mean(),
            }
        )
    scores = pd.DataFrame(rows, columns=COLUMNS)
    naive = scores.loc[scores["model"] == "seasonal_naive", "wape"]
    scores["wape_ratio"] = scores["wape"] / (naive.iloc[0] if len(naive) else np.nan)
    return scores.sort_values("wape", ignore_index=True)


def _seasonal_squared_errors(y: pd.Series, season: int, freq: str) -> pd.Series:
    """NaN where either of the two values is missing; 0 where they differ by what is left of rounding."""
    y = y.reindex(pd.date_range(y.index[0], y.index[-1], freq=freq))
    changes = y.diff(season)
    return changes.mask(changes.abs() <= ROUNDING * y.abs(), 0.0) ** 2
