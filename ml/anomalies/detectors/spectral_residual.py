"""Spectral residual: what is left of a window without its usual frequencies (Ren et al., 2019).

It looks at deviations from what was expected, in standard deviations. So it finds neither seasons nor what peers share.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from ml.anomalies.detection import CONTEXT, Score
from ml.anomalies.innovations import Innovations
from ml.anomalies.signs import OF_EXPECTATION

AHEAD = 5  # repeats of the last value, since a transform sees the end of its window badly
NEIGHBOURS = 3  # neighbouring frequencies; their mean is what is usual
BEFORE = 21  # saliencies that the last one is compared with
LARGEST = 10.0  # standard deviations


def fit(_: Innovations, seed: int) -> Score:
    """See `Detector`. The score is the saliency of a value over the mean of those before it."""
    return _score


def _score(innovations: Innovations) -> np.ndarray:
    deviations = np.clip(innovations.signs[..., OF_EXPECTATION.index("value")], -LARGEST, LARGEST)
    padded = np.pad(deviations, ((0, 0), (CONTEXT - 1, 0)))
    # series by series, since the windows of all would not fit into memory
    scores = np.stack([_saliency(sliding_window_view(series, CONTEXT)) for series in padded])
    return np.where(np.isfinite(innovations.y), scores, 0.0)


def _saliency(windows: np.ndarray) -> np.ndarray:
    """Of the last value of each window."""
    spectrum = np.fft.fft(np.concatenate([windows, np.repeat(windows[:, -1:], AHEAD, axis=1)], axis=1))
    amplitude = np.maximum(np.abs(spectrum), 1e-9)
    logarithm = np.log(amplitude)
    usual = sum(np.roll(logarithm, shift, axis=1) for shift in range(-(NEIGHBOURS // 2), NEIGHBOURS // 2 + 1))
    saliency = np.abs(np.fft.ifft(spectrum / amplitude * np.exp(logarithm - usual / NEIGHBOURS)))
    last, before = saliency[:, -1 - AHEAD], saliency[:, -1 - AHEAD - BEFORE : -1 - AHEAD].mean(axis=1)
    ratio: np.ndarray = last / np.maximum(before, 1e-9)
    return ratio
