"""Prediction intervals from the errors of earlier forecasts (conformal prediction, Vovk et al. 2005).

Errors are divided by each series' usual error, so that they can be pooled over series: from the few windows of one
series alone the intervals come out too narrow.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

KEPT_COLUMNS = ["unique_id", "ds", "cutoff", "model", "y_hat", "fallback_reason", "demand_class", "bucket"]
LEVELS = {"80": 0.80, "95": 0.95}
WINDOWS_OF_PRIOR = 2  # a series whose earlier windows were worse than others' is believed after so many
# Of a level: what is left of rounding is no change. A later one would be enormous beside it and outweigh all others
ROUNDING, SMALLEST = 1e-11, 1e-15
LEAST_POOL = 400  # errors; a demand class with fewer takes the errors of all


def seasonal_error(y: np.ndarray, season: int) -> float:
    """Mean absolute difference between a value and that of a season before (the scale of MASE), above 0."""
    lag = season if len(y) > season else 1
    error = float(np.abs(y[lag:] - y[:-lag]).mean()) if len(y) > lag else 0.0
    level = float(np.abs(y).mean())
    return error if error > max(ROUNDING * level, SMALLEST) else max(level * 0.01, 1e-6)


def with_intervals(forecasts: pd.DataFrame, scales: pd.DataFrame, cutoffs: Sequence[pd.Timestamp]) -> pd.DataFrame:
    """The forecasts of some cutoffs with `lo80, hi80, lo95, hi95`, in the columns of the shared forecast frame and
    `demand_class, bucket`.

    `forecasts`: `unique_id, ds, cutoff, model, y_hat, y` (NaN where not known yet), `scale` (the usual error of the
    series), `demand_class` and `bucket` (part of the horizon). `scales`: `cutoff, naive_errors` (an array of in-sample
    seasonal-naive errors over scale). The interval of a cutoff is made from the errors of cutoffs whose whole horizon
    was over by then, pooled over the series of a demand class; where there is none, from the in-sample errors of the
    seasonal naive. Bounds hold y_hat and are not negative.

    A series that was off by more, or by less, than others at earlier cutoffs gets an interval that is as much wider or
    narrower, and its errors count as much less in the pool: one wild series leaves its neighbours' intervals alone.
    """
    errors_of_all = (forecasts["y"] - forecasts["y_hat"]) / forecasts["scale"]
    ends = forecasts.groupby("cutoff")["ds"].max()
    asked = forecasts[forecasts["cutoff"].isin(cutoffs)]
    parts = []
    for (cutoff, model), frame in asked.groupby(["cutoff", "model"], sort=False):
        is_known = forecasts["cutoff"].isin(ends.index[ends <= cutoff]) & (forecasts["model"] == model)
        known = forecasts.loc[is_known & errors_of_all.notna(), ["unique_id", "cutoff", "demand_class", "bucket"]]
        known["error"] = errors_of_all
        errors, wildness = _compared(known)
        in_sample = np.concatenate(scales.loc[scales["cutoff"] == cutoff, "naive_errors"].to_list())
        pools = dict(tuple(errors.groupby(known["bucket"])))
        own = dict(tuple(errors.groupby([known["demand_class"], known["bucket"]])))
        width = frame["scale"] * frame["unique_id"].map(wildness).fillna(1.0)
        groups = frame.groupby(["demand_class", "bucket"], sort=False).indices
        bounded = frame[KEPT_COLUMNS].copy()
        for name, level in LEVELS.items():
            low, high = np.zeros(len(frame)), np.zeros(len(frame))
            for (demand_class, bucket), rows in groups.items():
                pool = own.get((demand_class, bucket), errors[:0])
                if len(pool) < LEAST_POOL:
                    pool = pools.get(bucket, in_sample)
                low[rows], high[rows] = _quantiles(np.asarray(pool), level)
            bounded[f"lo{name}"] = np.maximum(frame["y_hat"] + np.minimum(low, 0) * width, 0)
            bounded[f"hi{name}"] = frame["y_hat"] + np.maximum(high, 0) * width
        parts.append(bounded)
    return pd.concat(parts, ignore_index=True)


def _compared(known: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """Errors over how wild their series is, and how wild each series is: its mean error over that of the median series,
    drawn towards 1.

    The errors of a window are divided by the wildness of the series' other windows. Its own would make them look tame.
    """
    windows = known["error"].abs().groupby([known["unique_id"], known["cutoff"]]).mean().unstack()
    usual = float(windows.stack().median()) if len(windows) else 0.0
    if not usual > 0:
        return known["error"], pd.Series(dtype=float)
    total, count = windows.sum(axis=1), windows.notna().sum(axis=1)
    wildness = (total / usual + WINDOWS_OF_PRIOR) / (count + WINDOWS_OF_PRIOR)
    others = (-windows.sub(total, axis=0) / usual + WINDOWS_OF_PRIOR).div(count - 1 + WINDOWS_OF_PRIOR, axis=0)
    of_others = others.stack().reindex(pd.MultiIndex.from_frame(known[["unique_id", "cutoff"]])).to_numpy()
    return known["error"] / of_others, wildness


def _quantiles(errors: np.ndarray, level: float) -> tuple[float, float]:
    """The errors between which `level` of them lie, with the finite-sample correction (n + 1) of split conformal."""
    if len(errors) == 0:
        return 0.0, 0.0
    tail = (1 - level) / 2
    upper = min((1 - tail) * (len(errors) + 1) / len(errors), 1.0)
    return float(np.quantile(errors, 1 - upper)), float(np.quantile(errors, upper))
