"""Subsequence PCA: finds two weeks that the main shapes of simulated clean weeks cannot reconstruct.

The residual of each window after its projection on the principal components is measured in residuals of clean ones.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from ml.anomalies.clean_demand import clean_innovations
from ml.anomalies.detection import WARM_UP, Score
from ml.anomalies.innovations import Innovations

WINDOW = 14
COMPONENTS = 3  # slow rises and falls; the rest of clean demand is noise
LARGEST = 10.0  # standard deviations


def fit(_: Innovations, seed: int) -> Score:
    """See `Detector`. The score is the root mean square of the residual, in clean standard deviations."""
    return _score


def _score(innovations: Innovations) -> np.ndarray:
    axes, spreads = _components()
    left = _windows(innovations) @ axes / spreads
    return np.where(np.isfinite(innovations.y), np.sqrt((left**2).mean(axis=-1)), 0.0)


@cache
def _components() -> tuple[np.ndarray, np.ndarray]:
    """The axes beside the principal components, and the standard deviation of clean windows along each."""
    clean = clean_innovations()
    rows = _windows(clean)[clean.seen >= WARM_UP]
    variances, axes = np.linalg.eigh(rows.T @ rows / len(rows))
    return axes[:, :-COMPONENTS], np.sqrt(variances[:-COMPONENTS])


def _windows(innovations: Innovations) -> np.ndarray:
    spread = np.hypot(innovations.spread_slow, innovations.uneven)
    deviations = np.nan_to_num(np.clip(innovations.slow / spread, -LARGEST, LARGEST))
    return sliding_window_view(np.pad(deviations, ((0, 0), (WINDOW - 1, 0))), WINDOW, axis=1)
