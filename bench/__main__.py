"""Run the benchmarks named on the command line, or all of them, and print a line for each figure."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

SUBJECTS = sorted(path.stem for path in Path(__file__).parent.glob("[!_]*.py"))


def main(subjects: list[str]) -> None:
    """Run each subject's benchmark; raises SystemExit naming the ones that exist when one does not."""
    unknown = sorted(set(subjects) - set(SUBJECTS))
    if unknown:
        raise SystemExit(f"no benchmark is called {', '.join(unknown)}; there are: {', '.join(SUBJECTS)}")
    for subject in subjects or SUBJECTS:
        print(f"» {subject}", flush=True)
        for figure in import_module(f"bench.{subject}").run():
            held_against = f"  vs {figure.baseline}" if figure.baseline else ""
            ratio = f"  ratio {figure.ratio:.2f}" if figure.ratio is not None else ""
            goal = f"  (goal {figure.goal})" if figure.goal else ""
            print(f"  {figure.name}: {figure.value}{held_against}{ratio}{goal}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
