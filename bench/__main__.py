"""Run the benchmarks named on the command line, or all of them, and print one table.

With RECORD=1 the results of each are put into its section of `docs/benchmarks.md`, and the picture is drawn again.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from pathlib import Path

from bench import Figure

SUBJECTS = sorted(path.stem for path in Path(__file__).parent.glob("[!_]*.py"))
HEADER = "| what | measured | baseline | ratio | goal |\n|---|---|---|---|---|"


def main(subjects: list[str]) -> None:
    """Run each subject's benchmark; raises SystemExit naming the ones that exist when one does not."""
    unknown = sorted(set(subjects) - set(SUBJECTS))
    if unknown:
        raise SystemExit(f"no benchmark is called {', '.join(unknown)}; there are: {', '.join(SUBJECTS)}")
    print(HEADER, flush=True)
    for subject in subjects or SUBJECTS:
        rows = []
        for figure in import_module(f"bench.{subject}").run():
            rows.append(_row(figure))
            print(rows[-1], flush=True)
        if os.environ.get("RECORD"):
            from bench import _record

            _record.record(subject, "\n".join([HEADER, *rows]))


def _row(figure: Figure) -> str:
    ratio = "" if figure.ratio is None else f"{figure.ratio:.2f}"
    return f"| {figure.name} | {figure.value} | {figure.baseline} | {ratio} | {figure.goal} |"


if __name__ == "__main__":
    main(sys.argv[1:])
