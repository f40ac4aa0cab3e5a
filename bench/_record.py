"""Committed results: a section of `docs/benchmarks.md` for each benchmark, and the picture of how builds grow."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime
from pathlib import Path

RESULTS = Path(__file__).parents[1] / "docs/benchmarks.md"
PICTURE = RESULTS.with_name("benchmarks.png")
GROWING = {"dbt", "scale"}  # whose rows the picture shows
GROWTH = {
    "all SQL models on one machine": r"\| ([\d.]+)M readings, full refresh of all SQL models \| ([\d.]+) s ",
    "plain DuckDB, the least that has to be done": (
        r"\| ([\d.]+)M readings, full refresh of all SQL models \| [\d.]+ s \| ([\d.]+) s "
    ),
    "shards on the same two cores": r"\| ([\d.]+)M readings in \d+ shards?, dividing and building \| ([\d.]+) s ",
}


def record(subject: str, table: str) -> None:
    """Replace a benchmark's section, or add it at the end, and draw the picture again."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    when = f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, {memory:.0f} GiB."
    section = f"## {subject}\n\n{when}\n\n{table}\n"
    if subject in GROWING:
        section += f"\n![Seconds of a build by million readings]({PICTURE.name})\n"
    known = RESULTS.read_text()
    found = re.search(rf"^## {subject}\n.*?(?=\n## |\Z)", known, flags=re.MULTILINE | re.DOTALL)
    text = known.replace(found[0], section) if found else f"{known.rstrip()}\n\n{section}"
    RESULTS.write_text(text)
    if subject in GROWING:
        _draw(text)


def _draw(results: str) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(8, 4.5), dpi=100)
    for label, pattern in GROWTH.items():
        points = sorted((float(millions), float(seconds)) for millions, seconds in re.findall(pattern, results))
        if points:
            axes.plot(*zip(*points, strict=True), marker="o", label=label)
    axes.set(xscale="log", yscale="log", xlabel="million readings", ylabel="seconds")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.tight_layout()
    figure.savefig(PICTURE)
    plt.close(figure)
