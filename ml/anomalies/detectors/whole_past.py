"""How far the values, their level and their turbulence lie outside of all that the series has shown.

It asks for no season and no peers, and suits series of many periods that are watched one by one.
"""

from __future__ import annotations

import numpy as np

from ml.anomalies.detection import Score
from ml.anomalies.innovations import Innovations
from ml.anomalies.signs import OF_PAST

THRESHOLD = 4.0  # a third above what three in a thousand values exceeded so far


def fit(_: Innovations, seed: int) -> Score:
    """See `Detector`. A score of 3 is what three in a thousand values exceeded so far."""
    return _furthest


def _furthest(innovations: Innovations) -> np.ndarray:
    furthest: np.ndarray = np.abs(innovations.signs[..., -len(OF_PAST) :]).max(axis=-1)
    return furthest
