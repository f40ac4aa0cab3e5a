"""An LSTM autoencoder over innovations and signs (see `ml.anomalies.lstm`): what it cannot reconstruct is unusual.

It learns from simulated clean demand. So the anomalies of a panel never look usual to it, and no series changes
another's scores.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from threadpoolctl import threadpool_limits

from ml.anomalies.clean_demand import OFTEN_MEANS, clean_innovations
from ml.anomalies.detection import WARM_UP, Score
from ml.anomalies.innovations import Innovations
from ml.anomalies.signs import LARGEST, OF_EXPECTATION

EXTRA = ("deep", "autograd")

PERIODS = 14  # in a sequence: two weeks of days; longer ones found no more
STEPS = 150  # of training; twice as many found no more
SERIES_AT_A_TIME = 50  # more at once do not fit into the processor's cache


def fit(_: Innovations, seed: int) -> Score:
    """See `Detector`. The score is the root mean square error of the newest period, 1 where it is usual.

    The errors of the two periods before would find some more anomalies a day or two late, but blame the wrong day.
    """
    return _autoencoder(seed)


@cache
def _autoencoder(seed: int) -> Score:
    from ml.anomalies.lstm import newest_errors, trained

    def errors(innovations: Innovations) -> np.ndarray:
        inputs = _inputs(innovations)
        parts = np.array_split(inputs, max(len(inputs) // SERIES_AT_A_TIME, 1))
        # more threads would add numbers up in another order
        with threadpool_limits(1):
            return np.concatenate([newest_errors(weights, part, PERIODS) for part in parts])

    # from series that mostly sell nothing, it would learn to expect nothing
    clean = clean_innovations(OFTEN_MEANS)
    is_usual = clean.seen >= WARM_UP
    inputs = _inputs(clean)
    with threadpool_limits(1):
        series, periods = np.nonzero(is_usual)
        random = np.random.Generator(np.random.Philox(key=seed))
        weights = trained(inputs, (series, periods + PERIODS - 1), PERIODS, STEPS, random)
    usual = np.sqrt(np.mean(errors(clean)[is_usual] ** 2, axis=0))

    def score(innovations: Innovations) -> np.ndarray:
        size = np.sqrt(np.mean((errors(innovations) / usual) ** 2, axis=-1))
        return np.where(np.isfinite(innovations.y), size, 0.0)

    return score


def _inputs(innovations: Innovations) -> np.ndarray:
    """Series by periods by channels, in standard deviations; before the first period, nothing unusual."""
    spreads = innovations.spread_fast, innovations.spread_slow
    deviations = [
        np.clip(np.nan_to_num(deviation / np.hypot(spread, innovations.uneven)), -LARGEST, LARGEST)
        for deviation, spread in zip((innovations.fast, innovations.slow), spreads, strict=True)
    ]
    signs = innovations.signs[..., : len(OF_EXPECTATION)]
    channels = np.concatenate([np.stack(deviations, axis=-1), signs], axis=-1)
    return np.pad(channels, ((0, 0), (PERIODS - 1, 0), (0, 0))).astype(np.float32)
