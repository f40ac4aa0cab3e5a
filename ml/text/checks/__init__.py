"""Learned checks, one a file: each judges texts by the shop's earlier ones, see `ml.text.detection.Check`."""
