"""A table as it was read: every column as text codes, and for each row its line in the file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Column:
    """A column of text. Each distinct text is stored once, so that work on texts is work on few.

    codes : (row,) positions in `texts`, -1 where the cell is blank
    texts : (text,) distinct, without blanks around them, none empty
    """

    codes: np.ndarray
    texts: tuple[str, ...]

    def at(self, row: int) -> str | None:
        code = self.codes[row]
        return None if code < 0 else self.texts[code]

    def matched(self, known: dict[str, int]) -> np.ndarray:
        """(row,) the number that `known` gives to each cell's text, -1 where blank or not known."""
        number_of_text = np.array([*(known.get(text, -1) for text in self.texts), -1], dtype=np.int32)
        return number_of_text[self.codes]

    def take(self, rows: np.ndarray) -> Column:
        return Column(self.codes[rows], self.texts)


@dataclass(frozen=True)
class Table:
    """Columns by name. `line` turns row positions into the numbers that problems give.

    Those are lines as an editor shows them for CSV (the header is line 1), and positions counted from 1 for
    Parquet files and tables in memory. `separator` is None for these. A table is not `complete` if rows
    of its file could not be read: then what is missing from it tells nothing.
    """

    name: str
    file: str
    columns: dict[str, Column]
    n_rows: int
    line: Callable[[np.ndarray], np.ndarray]
    separator: str | None = None
    complete: bool = True


def clean_column(codes: np.ndarray, texts: Sequence[str | None]) -> tuple[Column, bool]:
    """The column with blanks around texts taken off, and whether there were any.

    Texts that become equal are merged; texts that become empty are blank cells.
    """
    position: dict[str, int] = {}
    target = np.full(len(texts) + 1, -1, dtype=np.int32)
    stripped = False
    for i, text in enumerate(texts):
        if text is None:
            continue
        bare = text.strip()
        stripped = stripped or (bare != text and bool(bare))
        if bare:
            target[i] = position.setdefault(bare, len(position))
    if len(position) == len(texts):
        return Column(codes.astype(np.int32, copy=False), tuple(position)), stripped
    return Column(target[codes], tuple(position)), stripped


def drop_empty_rows(columns: dict[str, Column], n_rows: int) -> tuple[dict[str, Column], np.ndarray | None]:
    """Columns without the rows in which every cell is blank, and the positions kept (None: all)."""
    filled = np.zeros(n_rows, dtype=bool)
    for column in columns.values():
        filled |= column.codes >= 0
        if filled.all():
            return columns, None
    kept = np.flatnonzero(filled)
    return {name: column.take(kept) for name, column in columns.items()}, kept
