"""Detects texts that are unlike a shop's earlier ones, or hold what no text should."""

from ml.text.detection import detect_text

__all__ = ["detect_text"]
