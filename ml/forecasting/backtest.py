"""Forecasts at given cutoffs, each from data up to its cutoff only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from ml.cache import cached
from ml.forecasting import forecasters
from ml.forecasting.conformal import seasonal_error, with_intervals
from ml.forecasting.demand import demand_class, without_spikes
from ml.forecasting.ensemble import ENSEMBLE, GROUP_COLUMNS, WEIGHT_KEYS, combine, no_weights
from ml.forecasting.forecaster import ForecastConfig, Forecaster
from ml.forecasting.forecasters import seasonal_naive
from ml.frames import FORECAST_COLUMNS, anchored, empty_forecasts, fill_gaps, read_panel
from ml.registry import load, names_of

CODE = Path(__file__).parent
LIBRARIES = ("numpy", "pandas", "prophet", "statsmodels", "xgboost-cpu")
CALIBRATION_WINDOWS = 3
BUCKETS = 4  # parts of a horizon that is shorter than a season
GAPS_OF_A_RHYTHM = 4  # equal gaps that make a series one of another frequency


class Forecasts(NamedTuple):
    """The shared forecast frame, how the ensemble weighs its members (`combine` in ml/forecasting/ensemble.py), and the
    group of each forecast, row by row as in the frame: `demand_class` and `bucket`, the part of the horizon."""

    frame: pd.DataFrame
    weights: pd.DataFrame
    groups: pd.DataFrame

    def with_weights(self) -> pd.DataFrame:
        """The frame, its groups, and beside each forecast the weight that it has in the ensemble, with its reasons."""
        return self.frame.join(self.groups).merge(self.weights, on=WEIGHT_KEYS, how="left")


def no_forecasts() -> Forecasts:
    """Of an empty panel, with a type that DuckDB knows for each column."""
    weights = no_weights()
    return Forecasts(empty_forecasts(), weights, weights[GROUP_COLUMNS])


def forecast(
    panel: pd.DataFrame,
    *,
    models: Sequence[str],
    cutoffs: Sequence[pd.Timestamp],
    horizon: int,
    season: int,
    freq: str,
    seed: int,
    future_columns: Sequence[str] = (),
    cache_dir: Path | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Forecasts:
    """Forecast every series of a panel `horizon` periods ahead of each cutoff.

    `panel`: `unique_id, ds, y` and the known-future columns (see ml.frames). `cutoffs` are the last periods that a
    forecast may know. `season` counts periods. The ensemble is the mean of those of the models asked for that were
    best together at earlier cutoffs (ml/forecasting/ensemble.py). Known-future values that are missing are taken as 0:
    nothing planned. Returns the shared forecast frame
    `unique_id, ds, cutoff, model, y_hat, lo80, hi80, lo95, hi95, fallback_reason` in units of y, the weights of the
    ensemble at each cutoff, none if it is not asked for, and the groups that they go by; bit-identical for the same
    arguments. Series without a value at or before a cutoff have no rows for it. Inactive series, without a value in
    the season before it, and series of another frequency repeat their last season.

    Raises ValueError for an unknown model, an empty list, a frequency that the panel does not follow, or a panel that
    breaks its contract.
    """
    unknown = sorted(set(models) - set(names_of(forecasters)) - {ENSEMBLE})
    if unknown or not models:
        known = ", ".join([*names_of(forecasters), ENSEMBLE])
        raise ValueError(f"unknown model {', '.join(unknown) or '(none given)'}; choose from {known}")
    single = load(forecasters, [model for model in models if model != ENSEMBLE] or names_of(forecasters))
    if horizon < 1 or season < 1 or not len(cutoffs):
        raise ValueError(f"horizon ({horizon}), season ({season}) and cutoffs ({len(cutoffs)}) must be at least 1")
    panel = read_panel(panel, future_columns)
    if panel.empty:
        return no_forecasts()
    freq = anchored(freq, panel["ds"])
    panel[list(future_columns)] = panel[list(future_columns)].fillna(0.0)
    config = ForecastConfig(season, freq, seed, tuple(future_columns))
    # intervals need the errors of earlier windows, so some are forecast before the first cutoff asked for
    step = pd.tseries.frequencies.to_offset(freq)
    earlier = [min(cutoffs) - step * horizon * back for back in range(1, CALIBRATION_WINDOWS + 1)]
    # a season beyond the panel is as good as one that is just longer, and leads to no date beyond pandas'
    span = step * min(season, len(pd.date_range(panel["ds"].min(), max(cutoffs), freq=freq)) + 1)
    first = panel["ds"].min() + span * 3
    computed = [cutoff for cutoff in sorted({*cutoffs, *earlier}) if cutoff in cutoffs or cutoff >= first]

    results, scales = [], []
    for cutoff in computed:
        history = _history(panel, cutoff, config)
        if history.empty:
            continue
        future = _future(panel, history, cutoff, horizon, config)
        scales.append(_scales(history, cutoff, season))
        not_modelled = _not_modelled(panel, cutoff, span, step)
        for model, file in single.items():
            progress(f"{cutoff:%Y-%m-%d} {model}")
            made = cached(
                cache_dir,
                # a series of another frequency may look like one of this, once its gaps are filled
                (model, cutoff, config, sorted(not_modelled.items())),
                [history, future],
                lambda file=file, history=history, future=future, not_modelled=not_modelled: _forecast_one(  # type: ignore[misc]
                    file.forecast, history, future, not_modelled, config
                ),
                code=CODE,
                libraries=LIBRARIES,
            )
            results.append(_stepped(made, cutoff, model))
    if not results:
        return no_forecasts()
    known = pd.concat(scales, ignore_index=True)
    made = pd.concat(results, ignore_index=True).merge(
        panel[["unique_id", "ds", "y"]], on=["unique_id", "ds"], how="left"
    )
    made = made.merge(known[["unique_id", "cutoff", "scale", "demand_class"]], on=["unique_id", "cutoff"])
    made["bucket"] = (made["step"] - 1) // (season if season <= horizon else max(horizon // BUCKETS, 1))
    weights = no_weights()
    if ENSEMBLE in models:
        combined, weights = combine(made)
        made = pd.concat([made, combined], ignore_index=True)
    made = made[made["model"].isin(models)]  # by the same name: of many series two copies are too much
    asked = with_intervals(made, known, cutoffs)
    asked = asked.sort_values(["cutoff", "model", "unique_id", "ds"], ignore_index=True)
    return Forecasts(
        asked[FORECAST_COLUMNS], weights[weights["cutoff"].isin(cutoffs)].reset_index(drop=True), asked[GROUP_COLUMNS]
    )


def _history(panel: pd.DataFrame, cutoff: pd.Timestamp, config: ForecastConfig) -> pd.DataFrame:
    """What is known at the cutoff, without gaps; a series that was last read before it keeps its last level."""
    known = panel[panel["ds"] <= cutoff]
    first_read = known[known["y"].notna()].groupby("unique_id")["ds"].min()
    known = known[known["ds"] >= known["unique_id"].map(first_read)]
    last = known.groupby("unique_id")["ds"].max()
    behind = last.index[last < cutoff]
    if len(behind):
        known = pd.concat([known, pd.DataFrame({"unique_id": behind, "ds": cutoff})]).sort_values(["unique_id", "ds"])
    history = fill_gaps(known, config.freq)
    history["y"] = history.groupby("unique_id", sort=False)["y"].transform(
        lambda y: without_spikes(y.to_numpy(), config.season)
    )
    history[list(config.future_columns)] = history[list(config.future_columns)].fillna(0.0)
    return history


def _not_modelled(
    panel: pd.DataFrame, cutoff: pd.Timestamp, season: pd.DateOffset, period: pd.DateOffset
) -> dict[str, str]:
    """Why series are not modelled: no value for a season before the cutoff, or one in every few periods only."""
    reasons = {}
    for name, ds in panel[(panel["ds"] <= cutoff) & panel["y"].notna()].groupby("unique_id", sort=False)["ds"]:
        gaps = ds.diff().dropna()
        if ds.iloc[-1] < cutoff - season:
            reasons[name] = f"no value since {ds.iloc[-1]:%Y-%m-%d}"
        elif len(gaps) >= GAPS_OF_A_RHYTHM and gaps.nunique() == 1 and ds.iloc[0] + period < ds.iloc[1]:
            reasons[name] = f"a value every {gaps.iloc[0] // (cutoff - (cutoff - period))} periods only"
    return reasons


def _forecast_one(
    forecaster: Forecaster,
    history: pd.DataFrame,
    future: pd.DataFrame,
    not_modelled: dict[str, str],
    config: ForecastConfig,
) -> pd.DataFrame:
    parts = []
    for over in (False, True):
        past, ahead = (frame[frame["unique_id"].isin(not_modelled) == over] for frame in (history, future))
        if over and len(ahead):
            parts.append(
                seasonal_naive.forecast(past, ahead, config).assign(
                    fallback_reason=lambda made: made["unique_id"].map(not_modelled)
                )
            )
        elif len(ahead):
            parts.append(forecaster(past, ahead, config))
    return pd.concat(parts, ignore_index=True)


def _future(
    panel: pd.DataFrame, history: pd.DataFrame, cutoff: pd.Timestamp, horizon: int, config: ForecastConfig
) -> pd.DataFrame:
    """The periods to forecast, with what is known of them: each series runs on to the horizon beyond the cutoff."""
    ahead = pd.date_range(cutoff, periods=horizon + 1, freq=config.freq)[1:]
    names = history["unique_id"].unique()
    future = pd.DataFrame({"unique_id": np.repeat(names, len(ahead)), "ds": np.tile(ahead, len(names))})
    columns = list(config.future_columns)
    if columns:
        future = future.merge(panel[["unique_id", "ds", *columns]], on=["unique_id", "ds"], how="left")
        # a period that nothing is known of is taken as one where nothing is planned
        future[columns] = future[columns].fillna(0.0)
    return future


def _scales(history: pd.DataFrame, cutoff: pd.Timestamp, season: int) -> pd.DataFrame:
    rows = []
    for name, series in history.groupby("unique_id", sort=False):
        y = series["y"].to_numpy()
        scale = seasonal_error(y, season)
        recent = y[-season * 9 :]
        errors = (recent[season:] - recent[:-season]) / scale if len(recent) > season else np.zeros(1)
        rows.append(
            {
                "unique_id": name,
                "cutoff": cutoff,
                "scale": scale,
                "naive_errors": errors,
                "demand_class": demand_class(y),
            }
        )
    return pd.DataFrame(rows)


def _stepped(made: pd.DataFrame, cutoff: pd.Timestamp, model: str) -> pd.DataFrame:
    step = made.groupby("unique_id", sort=False).cumcount() + 1
    return made.assign(cutoff=cutoff, model=model, step=step)
