"""The ensemble: the mean of the models that were best together at earlier cutoffs.

Every set of models is tried on the errors of cutoffs whose whole horizon was over, and the best one is taken for each
demand class and part of the horizon. A model that makes the mean worse is left out; within the set all count the same,
for weights fitted to few windows are mostly noise (Smith and Wallis 2009).
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import NamedTuple

import numpy as np
import pandas as pd

ENSEMBLE = "ensemble"
NAIVE = "seasonal_naive"
GROUP_COLUMNS = ["demand_class", "bucket"]
WEIGHT_KEYS = ["cutoff", *GROUP_COLUMNS, "model"]
WEIGHT_COLUMNS = [*WEIGHT_KEYS, "weight", "error", "ensemble_error", "naive_error", "forecasts"]
KEYS = ["unique_id", "ds", "cutoff"]
PRIOR_FORECASTS = 2_000  # forecasts that a class's own errors must outweigh to depart from what is best over all


class Choice(NamedTuple):
    """The models whose mean is taken, the mean scaled error of that mean and of each model at earlier cutoffs, and the
    number of forecasts that these rest on."""

    members: list[str]
    error: float = np.nan
    model_errors: Mapping[str, float] = {}
    forecasts: int = 0


def combine(made: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The ensemble's forecasts, and the weights that they were made with.

    `made`: `unique_id, ds, cutoff, model, y_hat, fallback_reason, y` (NaN where not known yet), `scale` (the usual
    error of the series), `demand_class` and `bucket` (part of the horizon). Returns rows of the same columns; and one
    row per cutoff, demand class, bucket and model: `weight` (they sum to 1), `error`, `ensemble_error` and
    `naive_error` (mean absolute error of the model, of the ensemble and of the seasonal naive, over the root of the
    scale) and `forecasts` (how many earlier ones the choice rests on). A forecast that fell back does not count, unless
    all did.
    """
    ends = made.groupby("cutoff")["ds"].max()
    models = sorted(made["model"].unique())
    wide = made.pivot(index=KEYS, columns="model", values="y_hat")[models]
    fell_back = made[[*KEYS, "model"]].assign(fell=made["fallback_reason"].notna())
    fell_back = fell_back.pivot(index=KEYS, columns="model", values="fell")
    fell_back = fell_back[models].astype(bool)
    voted = wide.mask(fell_back)
    facts = made.drop_duplicates(KEYS).set_index(KEYS).reindex(wide.index)
    cutoff_of = wide.index.get_level_values("cutoff")
    parts, weights = [], []
    for cutoff in ends.index:
        past = cutoff_of.isin(ends.index[ends <= cutoff]) & facts["y"].notna()
        choices = _choices(voted[past], wide[past], facts[past], models)
        for group, rows in facts[cutoff_of == cutoff].groupby(["demand_class", "bucket"], sort=True):
            choice = choices.get(group, choices[None])
            parts.append(rows.assign(y_hat=_mean(voted.loc[rows.index, choice.members], wide.loc[rows.index])))
            for model in models:
                weight = (model in choice.members) / len(choice.members)
                errors = choice.model_errors.get(model, np.nan), choice.error, choice.model_errors.get(NAIVE, np.nan)
                weights.append((cutoff, *group, model, weight, *errors, choice.forecasts))
    combined = pd.concat(parts)
    reason = fell_back.all(axis=1).loc[combined.index].map({True: "every member fell back", False: None})
    result = combined.assign(model=ENSEMBLE, fallback_reason=reason).reset_index()
    return result[list(made.columns)], pd.DataFrame(weights, columns=WEIGHT_COLUMNS)


def no_weights() -> pd.DataFrame:
    """The weights of no ensemble, with a type that DuckDB knows for each column."""
    types = dict.fromkeys(WEIGHT_COLUMNS, "float64") | {
        "cutoff": "datetime64[ns]",
        "demand_class": "string",
        "bucket": "int64",
        "model": "string",
        "forecasts": "int64",
    }
    return pd.DataFrame({column: pd.Series(dtype=types[column]) for column in WEIGHT_COLUMNS})


def _mean(voted: pd.DataFrame, made: pd.DataFrame) -> pd.Series:
    """The mean of those that did not fall back; the median of all models where all of these did."""
    return voted.mean(axis=1).fillna(made.median(axis=1))


def _choices(
    voted: pd.DataFrame, made: pd.DataFrame, facts: pd.DataFrame, models: list[str]
) -> dict[tuple[str, int] | None, Choice]:
    """The choice for each demand class and bucket; under None that for those without earlier forecasts."""
    if facts.empty:
        return {None: Choice([model for model in models if model != NAIVE] or models)}
    sets = [list(some) for size in range(len(models), 0, -1) for some in combinations(models, size)]
    root = np.sqrt(facts["scale"])
    errors = pd.concat(
        [(_mean(voted[some], made) - facts["y"]).abs() / root for some in sets], axis=1, ignore_index=True
    )
    alone = {model: sets.index([model]) for model in models}

    def chosen(own: pd.Series, count: int) -> Choice:
        # relative to the mean of all sets: a class of large errors must not weigh more than one of small ones
        evidence = count * own / (own.mean() or 1) + PRIOR_FORECASTS * overall / (overall.mean() or 1)
        best = int(evidence.idxmin())
        return Choice(sets[best], float(own[best]), {model: float(own[index]) for model, index in alone.items()}, count)

    overall = errors.mean()
    groups = errors.groupby([facts["demand_class"], facts["bucket"]])
    counts = groups.size()
    own_choices = {group: chosen(own, int(counts[group])) for group, own in groups.mean().iterrows()}
    return own_choices | {None: chosen(overall, len(errors))}
