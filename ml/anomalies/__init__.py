"""Detectors of values that are unlike their series' past."""

from ml.anomalies.detection import detect

__all__ = ["detect"]
