"""Compares values, their level and their turbulence with the whole past of the series.

It needs no season and no peers, and suits long series that are watched one by one.
"""

from __future__ import annotations

import numpy as np

from ml.anomalies.detection import Score
from ml.anomalies.innovations import Innovations
from ml.anomalies.signs import OF_PAST

THRESHOLD = 4.0  # a third above the score that three in a thousand values exceeded so far


def fit(_: Innovations, seed: int) -> Score:
    """See `Detector`. Three in a thousand values so far exceeded a score of 3."""
    return _furthest


def _furthest(innovations: Innovations) -> np.ndarray:
    furthest: np.ndarray = np.abs(innovations.signs[..., -len(OF_PAST) :]).max(axis=-1)
    return furthest
