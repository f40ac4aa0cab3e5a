"""The earlier texts of each product, and how far a new text is from them."""

from __future__ import annotations

import math
from collections import Counter, defaultdict, deque
from collections.abc import Callable

import numpy as np
import pandas as pd

REMEMBERED = 8  # different texts of a product
LETTERS = 3
UNLIKENESS = 6.0  # power of the distance: anomalies are rarely near to earlier texts of the product
LARGEST = 9.0
# distances of texts of other shops: names change a little, notes a lot
TYPICAL = np.linspace(0.04, 0.8, 20)


def evidence(distance: np.ndarray, surprise: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """How much distances to a product's earlier texts speak for anomalies, in nats: less than their surprise if near.

    Where all texts of a product are alike, a small change is a surprise, too. But it is more likely a new spelling of
    the name: anomalies are hardly ever that near.
    """
    return np.where(distance > 0, surprise(distance) + UNLIKENESS * np.log(np.maximum(distance, 1e-9)), 0.0)


class History:
    """The latest different texts of each product, compared by the cosine of character TF-IDF."""

    def __init__(self) -> None:
        self._texts: defaultdict[str, deque[str]] = defaultdict(lambda: deque(maxlen=REMEMBERED))
        self._known: set[tuple[str, str]] = set()
        self._weights: dict[str, float] = {}
        self._rarest = 1.0
        self._vectors: dict[str, dict[str, float]] = {}

    def weigh(self, past: pd.DataFrame) -> None:
        """Learn how rare each piece of text is."""
        counts = Counter(piece for text in past["folded"] for piece in set(_pieces(text)))
        self._vectors.clear()
        self._rarest = math.log(len(past) + 1) + 1
        self._weights = {piece: math.log((len(past) + 1) / (count + 1)) + 1 for piece, count in counts.items()}

    def knows(self, product: str, text: str) -> bool:
        """Whether the product had this very text before."""
        return (product, text) in self._known

    def latest(self, product: str) -> str | None:
        """The newest text of a product; None where it has none."""
        texts = self._texts.get(product)
        return texts[-1] if texts else None

    def distance(self, product: str, text: str) -> float:
        """1 - the highest cosine with the product's texts, of which there must be one."""
        if self.knows(product, text):
            return 0.0
        vector = self._vector(text)
        return 1.0 - max(_cosine(vector, self._vector(other)) for other in self._texts[product])

    def add(self, product: str, text: str) -> None:
        """Remember a text."""
        if (product, text) not in self._known:
            self._known.add((product, text))
            self._texts[product].append(text)

    def _vector(self, text: str) -> dict[str, float]:
        if text not in self._vectors:
            weights = {
                piece: (1 + math.log(count)) * self._weights.get(piece, self._rarest)
                for piece, count in Counter(_pieces(text)).items()
            }
            length = math.hypot(*weights.values()) or 1.0
            self._vectors[text] = {piece: weight / length for piece, weight in weights.items()}
        return self._vectors[text]


def _pieces(text: str) -> list[str]:
    padded = f" {text} "
    return [padded[start : start + LETTERS] for start in range(len(padded) - LETTERS + 1)]


def _cosine(one: dict[str, float], other: dict[str, float]) -> float:
    return sum(weight * other.get(piece, 0.0) for piece, weight in one.items())
