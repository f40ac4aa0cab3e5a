"""Robust seasonal smoothing: the sign that is furthest out, in standard deviations (see signs)."""

from __future__ import annotations

import numpy as np

from ml.anomalies.detection import Score
from ml.anomalies.innovations import Innovations
from ml.anomalies.signs import OF_EXPECTATION


def fit(_: Innovations, seed: int) -> Score:
    """See `Detector`. The smoothing itself learns as it goes."""
    return _furthest


def _furthest(innovations: Innovations) -> np.ndarray:
    furthest: np.ndarray = np.abs(innovations.signs[..., : len(OF_EXPECTATION)]).max(axis=-1)
    return furthest
