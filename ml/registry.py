"""Detectors and forecasters by name: each is a file of its package, so adding one is adding a file."""

from __future__ import annotations

import pkgutil
from collections.abc import Collection, Sequence
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType


def names_of(package: ModuleType) -> list[str]:
    """The names of the files in a package, sorted."""
    return sorted(module.name for module in pkgutil.iter_modules(package.__path__))


def installed_names(package: ModuleType) -> list[str]:
    """The names of the files that can run here: a file that needs an optional extra says so by EXTRA, the extra and
    the library that it brings."""
    return [name for name in names_of(package) if not _missing_extra(import_module(f"{package.__name__}.{name}"))]


def listed_names(setting: str, listed: str, known: Collection[str]) -> list[str]:
    """The names that a setting lists with commas between. Raises ValueError for one that is not known."""
    names = [name for name in map(str.strip, listed.split(",")) if name]
    _check_known(names, known, f"{setting} names")
    return names


def load(package: ModuleType, names: Sequence[str]) -> dict[str, ModuleType]:
    """The named files of a package. Raises ValueError for a name without a file, or whose extra is not installed."""
    _check_known(names, names_of(package), f"{package.__name__} has no")
    files = {name: import_module(f"{package.__name__}.{name}") for name in names}
    for name, file in files.items():
        if extra := _missing_extra(file):
            raise ValueError(f"{name} needs the optional extra {extra}: pip install '.[{extra}]'")
    return files


def _check_known(names: Sequence[str], known: Collection[str], found: str) -> None:
    if unknown := sorted(set(names) - set(known)):
        raise ValueError(f"{found} {', '.join(unknown)}; choose from {', '.join(sorted(known))}")


def _missing_extra(file: ModuleType) -> str | None:
    extra, library = getattr(file, "EXTRA", (None, None))
    return extra if library and find_spec(library) is None else None
