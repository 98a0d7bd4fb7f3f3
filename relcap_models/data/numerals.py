"""Numbers as people and spreadsheets write them: `4`, `4.0`, `4,0`; what can be read two ways is refused."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_NUMBER = re.compile(r"[+-]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:[eE][+-]?\d+)?")
_MAYBE_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}[.,]\d{3}")


@dataclass(frozen=True)
class Numerals:
    """What texts say as numbers.

    values : (text,) float, nan where the text is no number
    ambiguous : (text,) True where a comma or point could be either a decimal sign or group thousands
    decimal_comma : True if a comma was read as the decimal sign
    """

    values: np.ndarray
    ambiguous: np.ndarray
    decimal_comma: bool


def read_numerals(texts: Sequence[str], *, separator: str | None) -> Numerals:
    """Read the distinct texts of one column as numbers.

    Parameters
    ----------
    texts : (text,) distinct texts
    separator : of the file they come from. `1,234` is a decimal number in a semicolon-separated file, as
        `1.234` is in a comma-separated one; the other way round they count as ambiguous, unless another
        number of the column shows which sign is the decimal one.
    """
    is_number = np.array([_NUMBER.fullmatch(text) is not None for text in texts], dtype=bool)
    with_comma = np.array([number and "," in text for text, number in zip(texts, is_number)], dtype=bool)
    with_point = np.array([number and "." in text for text, number in zip(texts, is_number)], dtype=bool)
    unclear = np.array([_MAYBE_THOUSANDS.fullmatch(text) is not None for text in texts], dtype=bool)
    values = np.array(
        [float(text.replace(",", ".")) if number else np.nan for text, number in zip(texts, is_number)],
        dtype=float,
    )
    shows_comma, shows_point = (with_comma & ~unclear).any(), (with_point & ~unclear).any()
    if shows_comma and shows_point:
        # Both signs for decimals in one column: only a text with three decimals is in doubt.
        ambiguous = unclear
    elif shows_comma or (separator == ";" and not shows_point):
        ambiguous = unclear & with_point
    else:
        ambiguous = unclear & with_comma
    return Numerals(values, ambiguous, bool((with_comma & ~ambiguous).any()))
