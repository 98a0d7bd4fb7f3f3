"""Codes for "don't know" and missing: when a cell is one, and when it could be an answer as well."""

from __future__ import annotations

import math


def plain(text: str) -> str:
    """A text as codes are compared: without outer blanks, capitals and curly apostrophes."""
    return text.strip().replace("’", "'").casefold()


def number(text: str) -> float | None:
    """A text as a number; None if it is none, so that `99` and `99.0` are one code."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def same(one: str, other: str) -> bool:
    """Whether two codes are one when cells are read."""
    value = number(one)
    return plain(one) == plain(other) or (value is not None and value == number(other))


def is_answer(code: str, minimum: int, maximum: int) -> bool:
    """Whether a cell with this code could be an answer on the scale."""
    value = number(code)
    return value is not None and value.is_integer() and minimum <= value <= maximum
