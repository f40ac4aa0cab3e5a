"""Texts that are unlike a shop's earlier ones, or hold what does not belong there."""

from ml.text.detection import detect_text

__all__ = ["detect_text"]
