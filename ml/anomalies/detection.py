"""What all detectors share: they score block by block, each by the past before it, and name what they find."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from itertools import chain, pairwise
from typing import NamedTuple, Protocol

import numpy as np
import pandas as pd

from ml.anomalies.calibration import Tail, allowed_share, clean_tail, tail_probability, thresholds
from ml.anomalies.clean_demand import MEANS, SERIES, clean_innovations, nearest_mean
from ml.anomalies.episodes import first_of_episode, highest_of_episode
from ml.anomalies.explanations import drivers, expectations, kinds
from ml.anomalies.innovations import Innovations, from_logarithms, smooth
from ml.anomalies.peers import OWN_COUNTS_UP_TO, without_group, without_learned
from ml.anomalies.series_table import SeriesTable, column_of, periods_per_week, read_series
from ml.anomalies.signs import with_signs
from ml.frames import DETECTION_COLUMNS, empty_detections
from ml.parallel import spread
from ml.registry import load

WARM_UP = 56  # values that a series must have before one can be unusual: at first, much happens for the first time
BLOCK_GROWTH = 1.3  # the longer the past, the less one more period changes it
CONTEXT = 64  # periods before a block that a detector may look at
SHORTEST_EPISODE = 7
SHORTEST_WEEK = 7  # periods; alerts on periods shorter than a day come in episodes, not one by one
SERIES_AT_A_TIME = 1000
REFERENCES = 500  # series that represent all: others have them as peers, and detectors learn from them

Place = tuple[np.ndarray, np.ndarray]  # rows and columns
# innovations to scores, series by periods
Score = Callable[[Innovations], np.ndarray]


class Detector(Protocol):
    """Learns what is usual, and returns a function that scores each value, series by periods: 0 or more, the higher the
    less usual. A score may depend on its own period and on the CONTEXT periods before, on no later one and on no other
    series. `past` holds up to REFERENCES series up to the block that is to be scored. Its rows may be NaN, and
    `learned` marks what may be learned from. The same past and seed give the same scores. The function returned may be
    sent to another process. Thresholds are calibrated, unless the file states a THRESHOLD."""

    def __call__(self, past: Innovations, seed: int) -> Score: ...


def detect(
    panel: pd.DataFrame,
    *,
    detectors: Sequence[str],
    season: int,
    seed: int,
    alert_budget: float,
    freq: str = "D",
    train_end: pd.Timestamp | None = None,
    all_rows: bool = False,
    peers: Sequence[str] = (),
    labels: Collection[tuple[str, pd.Timestamp]] = (),
) -> pd.DataFrame:
    """Find the values of a panel that are unlike their series, by each of the detectors named.

    `panel`: `unique_id, ds, y` and the columns that `peers` names, such as store and category; y is NaN where a value
    says nothing (out of stock, closed). Without `peers`, series that have moved alike so far are peers. `labels`: known
    anomalies, from which nothing is learned. `alert_budget`: tolerated false alerts per series and week. Everything up
    to `train_end` counts as usual, and thresholds stay as they are then; by default, both follow the series.

    Returns the detection frame (`ml.frames`): its alerts, or every row with `all_rows`. A score of 1 is the threshold.
    It is 0 while a series is too young, and within an episode after its highest score. Causal, bit-identical for the
    same arguments, and one series changes no other's alerts unless they are peers or it begins before all others: what
    is learned is renewed on days that are counted from the first one. Raises ValueError for an unknown detector, and
    for a panel that breaks its contract.
    """
    from ml.anomalies import detectors as package

    files = load(package, detectors)
    table = read_series(panel, freq, peers, labels)
    if not len(table.unique_ids):
        return empty_detections()
    share = allowed_share(alert_budget, min(periods_per_week(freq), SHORTEST_WEEK))
    periods = table.y.shape[1]  # whatever is longer never ends
    season, cooldown = min(season, periods + 1), min(max(season // 6, SHORTEST_EPISODE), periods)
    if train_end is not None and table.asked["ds"].min() > train_end:
        raise ValueError(f"nothing to learn from: train_end ({train_end}) lies before the first row")
    blocks = _blocks(table, train_end)
    count, referred = len(table.unique_ids), _references(table)
    references = _stages(table, referred, season, blocks, referred, None)
    fitted = {
        name: _fitted(file.fit, references[-1], blocks, seed, getattr(file, "THRESHOLD", None))
        for name, file in files.items()
    }

    def read(first: int) -> tuple[pd.DataFrame, Place, Innovations]:
        chosen = np.arange(first, min(first + SERIES_AT_A_TIME, count))
        within = slice(*np.searchsorted(table.rows, [first, first + SERIES_AT_A_TIME]))
        innovations = _stages(table, chosen, season, blocks, referred, references)[-1]
        return table.asked[within], (table.rows[within] - first, table.columns[within]), innovations

    def judge(asked: pd.DataFrame, at: Place, innovations: Innovations) -> list[pd.DataFrame]:
        return [
            _detected(asked, at, innovations, blocks, share, cooldown, all_rows).assign(method=name)
            for name, blocks in fitted.items()
        ]

    found = spread(judge, range(0, count, SERIES_AT_A_TIME), read)
    return pd.concat(chain.from_iterable(zip(*found, strict=True)), ignore_index=True)[DETECTION_COLUMNS]


class _Block(NamedTuple):
    start: int
    end: int
    score: Score
    clean: Tail | None  # for each of MEANS; none for a detector with a threshold of its own
    threshold: float | None


def _fitted(
    fit: Detector, references: Innovations, blocks: list[tuple[int, int]], seed: int, threshold: float | None
) -> list[_Block]:
    clean = clean_innovations()
    fitted: list[_Block] = []
    for start, end in blocks:
        score = fit(references.between(0, start), seed)
        by_mean = None
        if fitted and score is fitted[-1].score:  # it learns nothing from a panel
            by_mean = fitted[-1].clean
        elif threshold is None:
            scores = score(clean).reshape(len(MEANS), SERIES, -1)[:, :, WARM_UP:]
            by_mean = clean_tail(scores.reshape(len(MEANS), -1))
        fitted.append(_Block(start, end, score, by_mean, threshold))
    return fitted


def _blocks(table: SeriesTable, train_end: pd.Timestamp | None) -> list[tuple[int, int]]:
    """The spans of columns that are scored by what came before them."""
    end = table.y.shape[1]
    if train_end is not None:
        start = column_of(table, train_end)
        return [(start, end)] if 0 < start < end else []
    edges = [WARM_UP]
    while edges[-1] < end:
        edges.append(round(edges[-1] * BLOCK_GROWTH))
    return [(start, min(stop, end)) for start, stop in pairwise(edges)]


def _references(table: SeriesTable) -> np.ndarray:
    """The series that represent all: evenly spaced ones, of each group if there are peers."""
    everyone = np.arange(len(table.unique_ids))
    if len(everyone) <= REFERENCES:
        return everyone
    if not table.groups:
        return _evenly(everyone, REFERENCES)
    members = [
        _evenly(np.flatnonzero(group == number), OWN_COUNTS_UP_TO)
        for group in table.groups
        for number in np.unique(group[group >= 0])
    ]
    return np.unique(np.concatenate(members))


def _evenly(numbers: np.ndarray, most: int) -> np.ndarray:
    return numbers[np.unique(np.linspace(0, len(numbers) - 1, min(most, len(numbers))).astype(int))]


def _stages(
    table: SeriesTable,
    chosen: np.ndarray,
    season: int,
    blocks: list[tuple[int, int]],
    referred: np.ndarray,
    references: list[Innovations] | None,
) -> list[Innovations]:
    """The innovations of some series: as they are, and after each step that takes away what peers share.

    `references`: the result for the series `referred`; None while it is being computed.
    """
    is_same = np.full(len(table.unique_ids), -1)
    is_same[referred] = np.arange(len(referred))
    if references is not None and (is_same[chosen] >= 0).all():
        # both in the order of the table
        return [stage.of(slice(is_same[chosen[0]], is_same[chosen[-1]] + 1)) for stage in references]
    stages = [smooth(table.y[chosen], table.labelled[chosen], season)]
    for stage in range(max(len(table.groups), 1)):
        others = (references or stages)[stage]
        if table.groups:
            group = table.groups[stage]
            stages.append(without_group(stages[-1], group[chosen], others, group[referred], is_same[chosen]))
        else:
            stages.append(without_learned(stages[-1], others, is_same[chosen], blocks))
    stages[-1] = with_signs(stages[-1])
    return stages


def _detected(
    asked: pd.DataFrame,
    at: Place,
    innovations: Innovations,
    blocks: list[_Block],
    share: float,
    cooldown: int,
    all_rows: bool,
) -> pd.DataFrame:
    """The detection frame of some series by one detector, without the column `method`. `at` places what is asked."""
    scores, limits = np.zeros(innovations.y.shape), np.full(innovations.y.shape, np.inf)
    tails = np.ones(innovations.y.shape)
    counted = innovations.learned & (innovations.seen >= WARM_UP / 2)
    for number, block in enumerate(blocks):
        first = 0 if number == 0 else block.start
        context = max(first - CONTEXT, 0)
        scores[:, first : block.end] = block.score(innovations.between(context, block.end))[:, first - context :]
        span = slice(block.start, block.end)
        limit, decay = _limits(block, innovations, scores, counted, share)
        limits[:, span] = limit[:, None]
        tails[:, span] = tail_probability(scores[:, span] / limit[:, None], decay[:, None], share)
    relative = np.where(np.isfinite(innovations.y) & (innovations.seen >= WARM_UP), scores / limits, 0.0)

    series, periods = np.nonzero(relative > 1)
    alerts, named = relative > 1, np.full(relative.shape, None, dtype=object)
    driver = drivers(innovations.signs[series, periods])
    named[series, periods] = kinds(innovations, series, periods, driver)
    driven = np.full(relative.shape, None, dtype=object)
    driven[series, periods] = driver
    reported = first_of_episode(alerts, named, cooldown)
    named[~reported], driven[~reported] = None, None
    relative = np.where(reported, relative, highest_of_episode(relative, cooldown))

    if not all_rows:
        kept = reported[at]
        asked, at = asked[kept], (at[0][kept], at[1][kept])
    return asked.assign(
        score=relative[at],
        alert=reported[at],
        kind=named[at],
        driver=driven[at],
        observed=innovations.y[at],
        **expectations(innovations, *at),
        tail_probability=tails[at],
    )


def _limits(
    block: _Block, innovations: Innovations, scores: np.ndarray, counted: np.ndarray, share: float
) -> tuple[np.ndarray, np.ndarray]:
    """The threshold of each series in a block, from the periods before it, and the decay of its tail.

    Nothing is known of the tail of a detector with a threshold of its own: however high a score, it is as rare as the
    threshold.
    """
    if block.clean is None:
        return np.full(len(scores), block.threshold), np.full(len(scores), np.inf)
    past = slice(0, block.start)
    # a series that begins late is as large as it was before it could alert, not as small as the nothing before it
    is_earlier = (np.arange(block.end) < block.start) | (innovations.seen[:, : block.end] < WARM_UP)
    told = is_earlier & innovations.begun[:, : block.end]
    told |= ~told.any(axis=1, keepdims=True)
    size = nearest_mean(
        from_logarithms(np.nanmedian(np.where(told, innovations.expected[:, : block.end], np.nan), axis=1))
    )
    clean = Tail(*(values[size] for values in block.clean))
    return thresholds(scores[:, past], counted[:, past], clean, share), clean.decay
