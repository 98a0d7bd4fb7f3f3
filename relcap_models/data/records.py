"""Where the records of a CSV file begin, and which have too few or too many values.

Arrow reads fast but does not tell lines; this slow reader is asked only when something is wrong.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Records:
    """Lines of the file, the first line of each record.

    lines : (record,) of the records with the right number of values
    ragged : (line, number of values, lines that the record runs over) of the others
    broken : line at which the reader gave up, or None
    open_quote : line of the last record if a quotation mark in it is not closed, or None
    """

    lines: np.ndarray
    ragged: tuple[tuple[int, int, int], ...]
    broken: int | None = None
    open_quote: int | None = None


def values_of(record: str, separator: str) -> list[str]:
    """The values of a single record, which may run over several lines."""
    with _cells_of_any_length():
        return next(csv.reader(io.StringIO(record, newline=""), delimiter=separator))


@contextmanager
def _cells_of_any_length() -> Iterator[None]:
    """Python's reader gives up at cells of 131,072 signs; Arrow does not, and both must see the same rows."""
    before = csv.field_size_limit(2**31 - 1)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def find_records(body: bytes, *, separator: str, n_columns: int, first_line: int) -> Records:
    """Read the records below the header, the first at line `first_line`. Empty lines are no records."""
    with _cells_of_any_length():
        return _find_records(body.decode(), separator, n_columns, first_line)


def _find_records(text: str, separator: str, n_columns: int, first_line: int) -> Records:
    lines: list[int] = []
    ragged: list[tuple[int, int, int]] = []
    broken = None
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    start = last = 0
    try:
        for values in reader:
            if len(values) == n_columns and not (n_columns == 1 and not values[0]):
                lines.append(first_line + start)
            elif any(value.strip() for value in values):
                ragged.append((first_line + start, len(values), reader.line_num - start))
            last, start = start, reader.line_num
    except csv.Error:
        broken = first_line + start
    open_quote = first_line + last if _is_open(text, last, separator) else None
    return Records(np.array(lines, dtype=np.int64), tuple(ragged), broken, open_quote)


def _is_open(text: str, line: int, separator: str) -> bool:
    """True if the record that begins at this line (from 0) and ends the file leaves a quotation mark open."""
    record = "".join(io.StringIO(text, newline="").readlines()[line:])
    try:
        list(csv.reader([record], delimiter=separator, strict=True))
    except csv.Error as error:
        return "unexpected end" in str(error)
    return False
