"""One alert per happening: what goes on is not told again every day."""

from __future__ import annotations

import numpy as np
import pandas as pd

# These say more of a happening than that it began, so they are told once although a spike or drop was told before.
LASTING = frozenset({"level_shift", "flat_line", "negative"})


def first_of_episode(alerts: pd.DataFrame, quiet: int) -> np.ndarray:
    """Which alerts open an episode, or add something new to one.

    `alerts`: `unique_id, position` (periods since the series began) and `kind`, sorted by both. An episode lasts until
    `quiet` periods have passed without an alert; within it a kind is told once, and only LASTING ones after the first.
    """
    told = np.zeros(len(alerts), dtype=bool)
    series, last, kinds = None, 0, set[str]()
    for row, (name, position, kind) in enumerate(
        alerts[["unique_id", "position", "kind"]].itertuples(index=False, name=None)
    ):
        if name != series or position - last > quiet:
            kinds = set()
        told[row] = not kinds or (kind in LASTING and kind not in kinds)
        kinds.add(kind)
        series, last = name, position
    return told
