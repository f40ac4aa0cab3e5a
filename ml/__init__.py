"""Forecasters and anomaly detectors as pure functions: frame in, frame out, with no clock and no database."""
