"""From pydantic's errors to ours: the path as it stands in the file, what is wrong, the nearest valid key."""

from __future__ import annotations

import difflib
import types
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from relcap_models.errors import Problem

_TEXT_NEEDED = "string_type"


def nearest(word: object, known: Iterable[str]) -> str | None:
    """The known word that looks most like `word`, or None if none does."""
    by_lower = {name.lower(): name for name in known}
    found = difflib.get_close_matches(str(word).strip().lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[found[0]] if found else None


def suggestion(word: object, known: Iterable[str], *, what: str = "known") -> str:
    """A remedy sentence: the nearest known word, and the known words if they are few."""
    names = sorted(set(known))
    if not names:
        return "There is none to choose from"
    close = nearest(word, names)
    shown = ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
    return (f"Did you mean '{close}'? " if close else "") + f"{what.capitalize()}: {shown}"


def problems_of(error: ValidationError, *, file: str, model: type[BaseModel]) -> tuple[Problem, ...]:
    """Every finding of a failed validation, in order of place.

    Parameters
    ----------
    error : raised by `model.model_validate(content)`
    file : name of the file that `content` came from, as the user knows it
    model : the class that was validated; it tells the valid keys and which parts of pydantic's location
        are tags of a union and do not stand in the file

    Returns
    -------
    One `Problem` per finding, `where` a path such as `analyses[1].family`.
    """
    return tuple(_problem(found, file=file, model=model) for found in error.errors(include_url=False))


def path_text(path: Iterable[str | int]) -> str:
    """`('items', 3, 'dimension')` as `items[3].dimension`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def _problem(found: Mapping[str, Any], *, file: str, model: type[BaseModel]) -> Problem:
    path, holder, annotation = _walk(found["loc"], model)
    kind, value, context = found["type"], found.get("input"), found.get("ctx", {})
    shown: str | None = _shown(value)
    if kind == "extra_forbidden":
        keys = [] if holder is None else _keys(holder)
        message, remedy, shown = "unknown key", suggestion(path[-1], keys, what="valid keys"), None
    elif kind == "missing":
        message, remedy, shown = "this key is missing", "Add it", None
    elif kind == "literal_error":
        choices = [str(choice) for choice in _choices(annotation)]
        message = "not one of the possible values"
        remedy = (
            suggestion(value, choices, what="possible") if choices else f"Possible: {context.get('expected')}"
        )
    elif kind == "union_tag_invalid":
        tag = str(context["discriminator"]).strip("'")
        path = (*path, tag)
        choices = [choice.strip().strip("'") for choice in str(context["expected_tags"]).split(",")]
        message, remedy, shown = (
            "unknown kind",
            suggestion(context["tag"], choices, what="possible"),
            context["tag"],
        )
    elif kind == "union_tag_not_found":
        tag = str(context["discriminator"]).strip("'")
        choices = ", ".join(sorted(_tags(annotation, tag)))
        path, shown = (*path, tag), None
        message, remedy = "this key is missing", f"Add it; possible: {choices}" if choices else "Add it"
    elif kind == _TEXT_NEEDED and isinstance(value, bool | int | float):
        written = str(value).lower() if isinstance(value, bool) else str(value)
        message, shown = "this must be text, and unquoted it is not", written
        remedy = f"Write it in quotes: '{written}'"
    elif kind == _TEXT_NEEDED and value is None:
        message, remedy, shown = "nothing is given here", "Give a text, in quotes if it is a number", None
    elif kind in ("value_error", "assertion_error"):
        message, remedy, shown = str(context.get("error", found["msg"])), "", None
    elif kind in ("model_type", "model_attributes_type", "dict_type"):
        message, remedy = "this must be keys with values", "Write `key: value` lines, indented below it"
    elif kind in ("list_type", "tuple_type"):
        message, remedy = "this must be a list", "Write [a, b], or one `- …` line for each element"
    else:
        message, remedy = _plain(found["msg"]), ""
    return Problem(file=file, where=path_text(path) or None, message=message, remedy=remedy, value=shown)


def _walk(
    location: tuple[str | int, ...], model: type[BaseModel]
) -> tuple[tuple[str | int, ...], type[BaseModel] | None, Any]:
    """Path in the file, the model that holds its last part, and the annotation at its end."""
    path: list[str | int] = []
    annotation: Any = model
    holder: type[BaseModel] | None = model
    for part in location:
        members = _members(annotation)
        if len(members) > 1 and (chosen := _member_of(part, members)) is not None:
            annotation = chosen
            continue
        if part == "[key]":
            continue
        path.append(part)
        holder, annotation = _step(part, members)
    return tuple(path), holder, annotation


def _step(part: str | int, members: list[Any]) -> tuple[type[BaseModel] | None, Any]:
    for member in members:
        if _is_model(member):
            field = _field(member, part)
            return member, None if field is None else _annotation(field)
        arguments = get_args(member)
        if get_origin(member) is tuple and isinstance(part, int) and arguments:
            return None, arguments[0] if arguments[-1] is Ellipsis else arguments[
                min(part, len(arguments) - 1)
            ]
        if get_origin(member) is not Literal and arguments:
            return None, arguments[-1]
    return None, None


def _members(annotation: Any) -> list[Any]:
    """The alternatives of a union, without None; Annotated and `type` aliases are looked through."""
    if isinstance(annotation, FieldInfo):
        annotation = _annotation(annotation)
    if get_origin(annotation) is Annotated:
        return _members(get_args(annotation)[0])
    if hasattr(annotation, "__value__"):
        return _members(annotation.__value__)
    if get_origin(annotation) in (Union, types.UnionType):
        return [
            m for argument in get_args(annotation) if argument is not type(None) for m in _members(argument)
        ]
    return [annotation]


def _member_of(part: str | int, members: list[Any]) -> Any | None:
    """The alternative that pydantic names by `part` (a discriminator's value or a type's name), if any."""
    if not isinstance(part, str):
        return None
    for member in members:
        name = getattr(member, "__name__", str(member))
        if part == name or part.startswith((f"{name}[", f"function-after[{name}", f"function-before[{name}")):
            return member
        if part.startswith(("list[", "tuple[", "dict[")) and part.startswith(
            getattr(get_origin(member), "__name__", "?")
        ):
            return member
        if _is_model(member) and part in _tags(member, None):
            return member
    return None


def _tags(annotation: Any, discriminator: str | None) -> set[str]:
    """The literal defaults (kinds) by which models can be told apart."""
    return {
        str(choice)
        for member in _members(annotation)
        if _is_model(member)
        for name, field in member.model_fields.items()
        if name == discriminator or (discriminator is None and get_origin(_annotation(field)) is Literal)
        for choice in _choices(_annotation(field))
    }


def _choices(annotation: Any) -> tuple[Any, ...]:
    return tuple(
        choice
        for member in _members(annotation)
        if get_origin(member) is Literal
        for choice in get_args(member)
    )


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _keys(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


def _field(model: type[BaseModel], key: str | int) -> FieldInfo | None:
    for name, field in model.model_fields.items():
        if key in (name, field.alias):
            return field
    return None


def _annotation(field: FieldInfo) -> Any:
    return field.annotation


def _shown(value: object) -> str | None:
    if value is None or isinstance(value, dict | list | tuple | BaseModel):
        return None
    text = str(value)
    return text if len(text) <= 80 else text[:79] + "…"


def _plain(message: str) -> str:
    """Pydantic's sentence without its jargon, starting in lower case as our messages do."""
    for said, plain in (
        (
            "Input should be a valid integer, unable to parse string as an integer",
            "this must be a whole number",
        ),
        (
            "Input should be a valid integer, got a number with a fractional part",
            "this must be a whole number",
        ),
        ("Input should be a valid integer", "this must be a whole number"),
        ("Input should be a valid number, unable to parse string as a number", "this must be a number"),
        ("Input should be a valid number", "this must be a number"),
        ("Input should be a valid boolean, unable to interpret input", "this must be true or false"),
        ("Input should be a valid boolean", "this must be true or false"),
        ("Input should be a valid string", "this must be text"),
        ("Input should be", "this must be"),
    ):
        if message.startswith(said):
            return plain + message[len(said) :]
    return message[:1].lower() + message[1:]
