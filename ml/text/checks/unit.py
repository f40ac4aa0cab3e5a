"""Sizes that a product, or its category, never had: kilograms for grams, litres of socks."""

from __future__ import annotations

import re
from collections import defaultdict

import numpy as np
import pandas as pd

from ml.text.detection import Finding, Judge

MEASURE = re.compile(
    r"(?<![\w.])(\d{1,6}(?:[.,]\d{1,3})?)(?:\s(?!(?:g|l|m|in|w|v)\b))?"
    r"(mg|g|gr|grams?|kg|kilos?|oz|lbs?|ml|cl|l|ltr|litres?|liters?|mm|cm|m|metres?|meters?|inch(?:es)?|in|ft|"
    r"gb|mb|tb|w|kw|v|mah|tonnes?)(?![\w])"
)
SIZES: dict[str, tuple[str, float]] = {
    **dict.fromkeys(("mg",), ("mass", 1e-3)),
    **dict.fromkeys(("g", "gr", "gram", "grams"), ("mass", 1.0)),
    **dict.fromkeys(("kg", "kilo", "kilos"), ("mass", 1e3)),
    **dict.fromkeys(("tonne", "tonnes"), ("mass", 1e6)),
    "oz": ("mass", 28.35),
    **dict.fromkeys(("lb", "lbs"), ("mass", 453.6)),
    "ml": ("volume", 1e-3),
    "cl": ("volume", 1e-2),
    **dict.fromkeys(("l", "ltr", "litre", "litres", "liter", "liters"), ("volume", 1.0)),
    "mm": ("length", 1e-3),
    "cm": ("length", 1e-2),
    **dict.fromkeys(("m", "metre", "metres", "meter", "meters"), ("length", 1.0)),
    **dict.fromkeys(("in", "inch", "inches"), ("length", 0.0254)),
    "ft": ("length", 0.3048),
    "mb": ("memory", 1e-3),
    "gb": ("memory", 1.0),
    "tb": ("memory", 1e3),
    "w": ("power", 1.0),
    "kw": ("power", 1e3),
    "v": ("voltage", 1.0),
    "mah": ("charge", 1.0),
}
FAR = 3.0  # times beyond all sizes of the category
LARGEST = 9.0
TYPICAL = np.repeat([0.0, 1.0, 2.0], [37, 2, 1])


def fit(past: pd.DataFrame, seed: int) -> Judge:
    """See `Check`. The raw score is that of the oddest size in the text. It adds up 3 for a size that the product never
    had, 2 for a number that it had in another unit, and 1 for a kind of measure that the category never had or 1.5 for
    a size far beyond all of the category."""
    of_product: defaultdict[str, list[tuple[str, float, float]]] = defaultdict(list)
    of_category: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
    for product, category, text in zip(past["product"], past["category"], past["folded"], strict=True):
        measures = _measures(text)
        of_product[product] += measures
        for kind, _, size in measures:
            of_category[category, kind].append(size)

    def judge(texts: pd.DataFrame) -> Finding:
        raw = np.zeros(len(texts))
        for place, (product, category, text) in enumerate(
            zip(texts["product"], texts["category"], texts["folded"], strict=True)
        ):
            for kind, number, size in _measures(text):
                before = of_product.get(product)
                sizes = of_category.get((category, kind), [])
                odd = 0.0
                if before is not None:
                    odd += 3.0 if not any(size == was for _, _, was in before) else 0.0
                    odd += 2.0 if any(number == other and size != was for _, other, was in before) else 0.0
                if not sizes:
                    odd += 1.0
                elif size > FAR * max(sizes) or size < min(sizes) / FAR:
                    odd += 1.5
                raw[place] = max(raw[place], odd)

        def reason(place: int) -> str:
            found = MEASURE.search(texts["folded"].iloc[place])
            return f"gives a size that this product does not come in ({found[0] if found else ''})"

        return Finding(raw, reason)

    return judge


def _measures(text: str) -> list[tuple[str, float, float]]:
    """Kind, number and size (in the kind's base unit) of each measure in a text."""
    found = []
    for number, unit in MEASURE.findall(text):
        kind, scale = SIZES[unit]
        value = float(number.replace(",", "."))
        found.append((kind, value, value * scale))
    return found
