"""The collector of what is wrong in the tables, and of what a reader should know about how they were read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache

import numpy as np

from relcap_models.data.table import Table
from relcap_models.errors import Problem
from relcap_models.language import Message
from relcap_models.schema.problems import nearest

MOST_OF_A_KIND = 200_000
"""A table that is wrong in every row must not fill the memory with problems; more are counted in one."""

_COMPARISONS = 200_000
_FEW = 8


class Findings:
    """Problems and notes, in the order in which they were found."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.notes: list[Message] = []

    def add(
        self,
        file: str,
        message: str,
        remedy: str = "",
        *,
        row: int | None = None,
        column: str | None = None,
        value: str | None = None,
    ) -> None:
        self.problems.append(Problem(file, message, remedy, row=row, column=column, value=value))

    def add_rows(
        self,
        table: Table,
        rows: np.ndarray,
        message: str,
        remedy: str | Callable[[str], str] | Sequence[str] = "",
        *,
        column: str | None = None,
        values: Iterable[str | None] | None = None,
    ) -> None:
        """One problem for each row position; the value is the cell's unless `values` are given.

        A callable `remedy` gets the value and is called once for each distinct one; a sequence has the remedy
        of each row (of the first `MOST_OF_A_KIND` at least).
        """
        if len(rows) == 0:
            return
        shown = rows[:MOST_OF_A_KIND]
        if values is None:
            cells = table.columns.get(column) if column else None
            values = (cells.at(row) if cells else None for row in shown)
        remedy_of = cache(remedy) if callable(remedy) else None
        for i, (line, value) in enumerate(zip(table.line(shown), values)):
            if remedy_of is not None:
                said = remedy_of(value or "")
            else:
                said = remedy if isinstance(remedy, str) else remedy[i]
            self.problems.append(
                Problem(table.file, message, said, row=int(line), column=column, value=value)
            )
        if len(rows) > len(shown):
            self.add(table.file, f"{message}: {len(rows) - len(shown)} more rows like this", column=column)

    def note(self, message: Message) -> None:
        if message not in self.notes:
            self.notes.append(message)


def unknown_id_remedy(known: Iterable[str], *, add_to: str, verb: str = "Add it to") -> Callable[[str], str]:
    """The remedy for an id that is not known: the nearest known one, and where to add it.

    The nearest is looked for while it is cheap: 10,000 unknown among 10,000 known ids are not compared.
    """
    names = tuple(known)
    by_number = {name.lstrip("0"): name for name in names if name.isdigit()}
    budget = max(20, _COMPARISONS // max(1, len(names)))
    asked = 0

    def remedy(value: str) -> str:
        nonlocal asked
        general = f"{verb} {add_to}, or correct it"
        twin = by_number.get(value.lstrip("0")) if value.isdigit() else None
        if twin is not None:
            return (
                f"There is '{twin}': ids are text, and spreadsheets drop leading zeros. "
                "Format the column as text in both tables"
            )
        asked += 1
        close = nearest(value, names) if asked <= budget else None
        if close is None and len(names) <= _FEW:
            return f"{general}. Known: {', '.join(names) or 'none'}"
        return f"Did you mean '{close}'? {general}" if close else general

    return remedy
