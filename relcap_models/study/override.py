"""`--set key=value`: settings that replace those of a study file for one run."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from relcap_models.errors import ConfigError, Problem
from relcap_models.schema import parse_yaml, suggestion


@dataclass(frozen=True)
class Override:
    """A setting and what it added or changed, as problems of the study file write places.

    `where` is `analyses[1].family`, or the block above it if the setting had to make that.
    """

    text: str
    where: str


def apply_overrides(
    content: Mapping[str, Any], settings: Sequence[str]
) -> tuple[dict[str, Any], list[Override], list[Problem]]:
    """A study file's content with `key=value` settings in place, where they went, those without a place.

    The value is YAML; the key is a path with dots, in which an element of a list is named by its number, its
    `id`, or (an analysis without id) its kind. Keys that no study knows are found later, when the whole is
    validated.
    """
    changed = copy.deepcopy(dict(content))
    overrides: list[Override] = []
    problems: list[Problem] = []
    for setting in settings:
        try:
            path, value = _parse(setting)
            overrides.append(Override(setting, _set(changed, path, value, file=f"--set {setting}")))
        except ConfigError as error:
            problems += error.problems
    return changed, overrides, problems


def _parse(setting: str) -> tuple[list[str], Any]:
    key, equals, value = setting.partition("=")
    path = [part.strip() for part in key.split(".")]
    if not equals or not all(path):
        raise _no_place(
            f"--set {setting}", "this is not `key=value`", "Write for example inference.draws=500"
        )
    return path, parse_yaml(value, name=f"--set {setting}", error=ConfigError)


def _set(content: dict[str, Any], path: Sequence[str], value: Any, *, file: str) -> str:
    """Put the value in its place (in `content` itself) and tell the first place on the way that is new."""
    holder: Any = content
    where = made = ""
    for depth, part in enumerate(path):
        if isinstance(holder, list):
            key: int | str = _index(holder, part, where, file=file)
            where += f"[{key}]"
        elif isinstance(holder, dict):
            key = part
            where += f".{part}" if where else part
        else:
            raise _no_place(
                file, f"{where} holds a single value, so it has no '{part}'", f"Set {where} itself"
            )
        if depth == len(path) - 1:
            holder[key] = value
        elif isinstance(holder, dict):
            made = made or (where if key not in holder else "")
            holder = holder.setdefault(key, {})
        else:
            holder = holder[key]
    return made or where


def _index(elements: Sequence[Any], part: str, where: str, *, file: str) -> int:
    names = [
        str(element.get("id", element.get("kind", number))) if isinstance(element, dict) else str(element)
        for number, element in enumerate(elements)
    ]
    if part in names:
        return names.index(part)
    if part.isdigit() and int(part) < len(elements):
        return int(part)
    raise _no_place(file, f"{where} has no element '{part}'", suggestion(part, names, what="there are"))


def _no_place(file: str, message: str, remedy: str) -> ConfigError:
    return ConfigError(problems=[Problem(file=file, message=message, remedy=remedy)])
