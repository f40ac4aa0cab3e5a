"""What a forecaster is, and what all that fit one series at a time share."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from threadpoolctl import threadpool_limits

from ml.parallel import worker_count


class ForecastConfig(NamedTuple):
    """The settings of a forecaster: periods in a season, pandas frequency, random seed, and the names of the
    known-future columns."""

    season: int
    freq: str
    seed: int
    future_columns: tuple[str, ...] = ()


class Forecaster(Protocol):
    """Forecasts every series of a panel.

    `history` is a panel without gaps (`unique_id, ds, y`, known-future columns). `future` has `unique_id, ds` and the
    known-future columns for the periods to forecast, in time order. Returns `unique_id, ds, y_hat, fallback_reason`
    for each row of `future`: y_hat finite and not negative, in units of y; fallback_reason None or why a simpler
    method was used. One bad series must not raise.
    """

    def __call__(self, history: pd.DataFrame, future: pd.DataFrame, config: ForecastConfig) -> pd.DataFrame: ...


SeriesForecast = Callable[[pd.DataFrame, pd.DataFrame, ForecastConfig], np.ndarray]


def repeat_season(y: np.ndarray, horizon: int, season: int) -> np.ndarray:
    """The last season again and again; a history shorter than one season repeats its last value."""
    if len(y) < season:
        return np.full(horizon, y[-1])
    return np.resize(y[-season:], horizon)


def each_series(
    fit: SeriesForecast, history: pd.DataFrame, future: pd.DataFrame, config: ForecastConfig, *, seasons_needed: float
) -> pd.DataFrame:
    """Run a one-series forecast over all series, on all cores where that pays.

    A series that is too short (under `seasons_needed` seasons), constant, or that the method fails on gets the last
    season repeated, with the reason.
    """
    histories = dict(tuple(history.groupby("unique_id", sort=False)))
    jobs = [(histories[name], frame) for name, frame in future.groupby("unique_id", sort=False) if name in histories]
    workers = worker_count(len(jobs))
    # a worker collects its garbage after each batch, which takes as long as a fit
    parts = Parallel(n_jobs=workers, batch_size=max(len(jobs) // (2 * workers), 1))(
        delayed(_one_series)(fit, past, ahead, config, seasons_needed) for past, ahead in jobs
    )
    return pd.concat(parts, ignore_index=True)


def _one_series(
    fit: SeriesForecast, history: pd.DataFrame, future: pd.DataFrame, config: ForecastConfig, seasons_needed: float
) -> pd.DataFrame:
    y = history["y"].to_numpy()
    simple = np.maximum(repeat_season(y, len(future), config.season), 0)
    reason: str | None = None
    forecast = simple
    if len(y) < seasons_needed * config.season:
        reason = f"only {len(y)} periods of history"
    elif np.ptp(y) == 0:
        reason = "constant history"
    else:
        try:
            # the matrices of one series are small: threads on them only wait for each other
            with threadpool_limits(1):
                forecast = np.maximum(fit(history, future, config), 0)
        except Exception as error:  # whatever a fit trips over, the other series must not suffer
            reason, forecast = f"{type(error).__name__}: {error}"[:200], simple
        # an unstable fit runs away; nothing on a shelf grows tenfold beyond all it ever was
        if not np.isfinite(forecast).all() or forecast.max() > 10 * max(np.abs(y).max(), 1):
            reason, forecast = "implausible forecast", simple
    return future[["unique_id", "ds"]].assign(y_hat=forecast, fallback_reason=reason)
