"""What the parts of an instrument file must have to do with each other, each finding with its path.

The `Instrument` class refuses the same contradictions, but stops at the first; here a file is read as it
stands, half wrong as it may be, and everything is found at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from relcap_models.errors import Problem
from relcap_models.schema import codes
from relcap_models.schema.instrument import OVERALL
from relcap_models.schema.problems import suggestion


def contradictions(content: Mapping[str, Any], *, file: str) -> tuple[Problem, ...]:
    """Contradictions between the parts of an instrument file, in order of place.

    Parameters
    ----------
    content : the file as read; parts of the wrong type are passed over (pydantic reports those)
    file : its name in the problems
    """
    return tuple(
        Problem(file=file, where=where, message=message, remedy=remedy, value=value)
        for where, message, remedy, value in _findings(content)
    )


_Finding = tuple[str, str, str, str | None]


def _findings(content: Mapping[str, Any]) -> Iterator[_Finding]:
    items, dimensions = _mappings(content.get("items")), _mappings(content.get("dimensions"))
    declared = [d["id"] for d in dimensions if isinstance(d.get("id"), str)]
    yield from _ids("dimensions", dimensions)
    used = {item["dimension"] for item in items if isinstance(item.get("dimension"), str)}
    for i, dimension in enumerate(dimensions):
        if dimension.get("id") == OVERALL:
            yield (
                f"dimensions[{i}].id",
                "this id is kept for all items together",
                "Choose another",
                OVERALL,
            )
        if isinstance(dimension.get("id"), str) and items and dimension["id"] not in used:
            yield (
                f"dimensions[{i}].id",
                "no item belongs to this dimension",
                "Remove it, or name it as the `dimension` of an item",
                dimension["id"],
            )
    yield from _scale("scale", content.get("scale"))
    yield from _codes(content)
    yield from _ids("items", items)
    for i, item in enumerate(items):
        dimension = item.get("dimension")
        if isinstance(dimension, str) and declared and dimension not in declared:
            yield (
                f"items[{i}].dimension",
                "this dimension is not declared under `dimensions`",
                suggestion(dimension, declared, what="declared"),
                dimension,
            )
        if item.get("text") == {}:
            yield f"items[{i}].text", "the item has no wording", "Give it in at least one language", None
        yield from _scale(f"items[{i}].scale", item.get("scale"))


def _ids(name: str, elements: list[Mapping[str, Any]]) -> Iterator[_Finding]:
    first: dict[str, int] = {}
    for i, element in enumerate(elements):
        identifier = element.get("id")
        if not isinstance(identifier, str):
            continue
        if identifier != identifier.strip() or not identifier:
            yield f"{name}[{i}].id", "an id has no blanks around it and is not empty", "Change it", identifier
        elif identifier in first:
            yield (
                f"{name}[{i}].id",
                f"this id is already used by {name}[{first[identifier]}]",
                "Give each its own id",
                identifier,
            )
        first.setdefault(identifier, i)


def _scale(where: str, scale: Any) -> Iterator[_Finding]:
    if not isinstance(scale, Mapping):
        return
    minimum, maximum = scale.get("minimum", 1), scale.get("maximum", 5)
    favourable = scale.get("favourable_from", 4)
    if not all(
        isinstance(number, int) and not isinstance(number, bool) for number in (minimum, maximum, favourable)
    ):
        return
    if maximum <= minimum:
        yield (
            f"{where}.maximum",
            f"the maximum must be above the minimum ({minimum})",
            "Change one",
            str(maximum),
        )
        return
    if not minimum < favourable <= maximum:
        yield (
            f"{where}.favourable_from",
            f"the lowest favourable answer must lie above {minimum} and at most at {maximum}",
            "Set it to the lowest answer that counts as favourable",
            str(favourable),
        )
    labels = scale.get("labels")
    for language, texts in labels.items() if isinstance(labels, Mapping) else ():
        n_categories = maximum - minimum + 1
        if isinstance(texts, list) and len(texts) != n_categories:
            yield (
                f"{where}.labels.{language}",
                f"{len(texts)} labels for {n_categories} answers ({minimum} to {maximum})",
                "Give one label for each answer, lowest first",
                None,
            )


def _codes(content: Mapping[str, Any]) -> Iterator[_Finding]:
    ranges = [_range(content.get("scale") or {})]
    ranges += [_range(item["scale"]) for item in _mappings(content.get("items")) if item.get("scale")]
    listed = {name: _texts(content.get(name)) for name in ("dont_know", "missing")}
    for name, found in listed.items():
        for i, code in found:
            if any(limits and codes.is_answer(code, *limits) for limits in ranges):
                yield f"{name}[{i}]", "this code is also an answer on the scale", "Use another code", code
            if name == "missing" and any(codes.same(code, other) for _, other in listed["dont_know"]):
                yield f"{name}[{i}]", "this code also stands under `dont_know`", "Keep it in one list", code


def _range(scale: Any) -> tuple[int, int] | None:
    """Ends of a scale, also where they are written as text or with a decimal point; None if they are none."""
    if not isinstance(scale, Mapping):
        return None
    try:
        return int(float(scale.get("minimum", 1))), int(float(scale.get("maximum", 5)))
    except (TypeError, ValueError, OverflowError):
        return None


def _texts(elements: Any) -> list[tuple[int, str]]:
    """Position and text of the elements that are texts."""
    return (
        [(i, e) for i, e in enumerate(elements) if isinstance(e, str)] if isinstance(elements, list) else []
    )


def _mappings(elements: Any) -> list[Mapping[str, Any]]:
    """The elements, those that are no mappings replaced by empty ones so that positions stay."""
    return [e if isinstance(e, Mapping) else {} for e in elements] if isinstance(elements, list) else []
