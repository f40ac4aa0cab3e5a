"""How good forecasts were, by the measures of the forecasting literature."""

from __future__ import annotations

import numpy as np
import pandas as pd


def score(forecasts: pd.DataFrame, panel: pd.DataFrame, season: int) -> pd.DataFrame:
    """Score a forecast frame against what happened.

    Returns one row per model, best first: `wape` (sum of absolute errors over sum of actuals), `rmsse` (root mean
    squared error over that of the in-sample seasonal naive, Hyndman and Koehler 2006; mean over series and cutoffs),
    `bias` (sum of errors over sum of actuals; above 0 is too high), `coverage80`, `coverage95` (shares of actuals
    within the interval) and `wape_ratio` (wape over that of the seasonal naive, NaN without it).
    """
    joined = forecasts.merge(panel[["unique_id", "ds", "y"]].dropna(), on=["unique_id", "ds"])
    joined["error"] = joined["y_hat"] - joined["y"]
    squared = {
        (name, cutoff): _seasonal_squared_error(series.loc[series["ds"] <= cutoff, "y"].to_numpy(), season)
        for name, series in panel.sort_values("ds").groupby("unique_id")
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
    scores = pd.DataFrame(rows)
    naive = scores.loc[scores["model"] == "seasonal_naive", "wape"]
    scores["wape_ratio"] = scores["wape"] / (naive.iloc[0] if len(naive) else np.nan)
    return scores.sort_values("wape", ignore_index=True)


def _seasonal_squared_error(y: np.ndarray, season: int) -> float:
    return float(np.mean((y[season:] - y[:-season]) ** 2)) if len(y) > season else 0.0
