"""Detectors of readings that are unlike their series' past."""
