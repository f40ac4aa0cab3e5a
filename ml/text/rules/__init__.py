"""Exact rules, one a file: each says what is wrong with a text by itself, see `ml.text.detection.Rule`."""
