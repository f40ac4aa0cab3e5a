"""Prediction intervals from the errors of earlier forecasts (conformal prediction, Vovk et al. 2005).

Errors are divided by each series' seasonal-naive error, so that they can be pooled over series: from the few windows
of one series alone the intervals come out too narrow.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

LEVELS = {"80": 0.80, "95": 0.95}


def seasonal_error(y: np.ndarray, season: int) -> float:
    """Mean absolute difference between a value and that of a season before (the scale of MASE), above 0."""
    lag = season if len(y) > season else 1
    error = float(np.abs(y[lag:] - y[:-lag]).mean()) if len(y) > lag else 0.0
    return error if error > 0 else max(float(np.abs(y).mean()) * 0.01, 1e-6)


def with_intervals(forecasts: pd.DataFrame, actuals: pd.DataFrame, scales: pd.DataFrame, season: int) -> pd.DataFrame:
    """Add `lo80, hi80, lo95, hi95` to forecasts of several cutoffs.

    `forecasts`: `unique_id, ds, cutoff, model, y_hat, step` (1-based periods ahead). `actuals`: `unique_id, ds, y`.
    `scales`: `unique_id, cutoff, scale, naive_errors` (the last an array of in-sample seasonal-naive errors over
    scale). The interval of a cutoff is made from the errors of cutoffs whose whole horizon was over by then; where
    there is none, from the in-sample errors of the seasonal naive. Bounds hold y_hat and are not negative.
    """
    scored = forecasts.merge(actuals, on=["unique_id", "ds"], how="left").merge(
        scales[["unique_id", "cutoff", "scale"]], on=["unique_id", "cutoff"]
    )
    scored["error"] = (scored["y"] - scored["y_hat"]) / scored["scale"]
    scored["bucket"] = (scored["step"] - 1) // season
    ends = scored.groupby("cutoff")["ds"].max()
    parts = []
    for (cutoff, model), frame in scored.groupby(["cutoff", "model"], sort=False):
        over = ends.index[ends <= cutoff]
        known = scored[scored["cutoff"].isin(over) & (scored["model"] == model) & scored["error"].notna()]
        in_sample = np.concatenate(scales.loc[scales["cutoff"] == cutoff, "naive_errors"].to_list())
        pools = dict(tuple(known.groupby("bucket")["error"]))
        bounded = frame.copy()
        for name, level in LEVELS.items():
            bounds = {bucket: _quantiles(pools.get(bucket, in_sample), level) for bucket in frame["bucket"].unique()}
            low, high = (frame["bucket"].map({key: pair[side] for key, pair in bounds.items()}) for side in (0, 1))
            bounded[f"lo{name}"] = np.maximum(frame["y_hat"] + np.minimum(low, 0) * frame["scale"], 0)
            bounded[f"hi{name}"] = frame["y_hat"] + np.maximum(high, 0) * frame["scale"]
        parts.append(bounded)
    return pd.concat(parts, ignore_index=True)


def _quantiles(errors: np.ndarray, level: float) -> tuple[float, float]:
    """The errors between which `level` of them lie, with the finite-sample correction (n + 1) of split conformal."""
    if len(errors) == 0:
        return 0.0, 0.0
    tail = (1 - level) / 2
    upper = min((1 - tail) * (len(errors) + 1) / len(errors), 1.0)
    return float(np.quantile(errors, 1 - upper)), float(np.quantile(errors, upper))
