"""Packages whose names are looked up when they are used, so that importing one loads nothing heavy."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping


def lookup(package: str, home: Mapping[str, str]) -> Callable[[str], object]:
    """A package's `__getattr__`: imports the module that has a name when the name is asked for.

    home : by name, the module of the package that has it; an empty string if the name is a module itself.
    """

    def find(name: str) -> object:
        if name not in home:
            raise AttributeError(f"module '{package}' has no attribute '{name}'")
        module = importlib.import_module(f"{package}.{home[name] or name}")
        return getattr(module, name) if home[name] else module

    return find
