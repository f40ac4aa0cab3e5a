"""Detectors and forecasters by name: each is a file of its package, so adding one is adding a file."""

from __future__ import annotations

import pkgutil
from collections.abc import Sequence
from importlib import import_module
from types import ModuleType


def names_of(package: ModuleType) -> list[str]:
    """The names of the files in a package, sorted."""
    return sorted(module.name for module in pkgutil.iter_modules(package.__path__))


def load(package: ModuleType, names: Sequence[str]) -> dict[str, ModuleType]:
    """The named files of a package. Raises ValueError for a name without a file."""
    unknown = sorted(set(names) - set(names_of(package)))
    if unknown:
        raise ValueError(f"{package.__name__} has no {', '.join(unknown)}; choose from {', '.join(names_of(package))}")
    return {name: import_module(f"{package.__name__}.{name}") for name in names}
