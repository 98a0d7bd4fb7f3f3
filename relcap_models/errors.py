"""The errors of the package: what is wrong, where it stands, and what to do about it.

Everything that a user can put right is a `RelcapError`. The command line prints its text without a
traceback and exits with 2. A `Problem` is one finding in one place; errors carry all of them at once,
because nobody wants to mend a survey file one row a run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong in the input, with its place and its remedy.

    `row` is the line number in the file as an editor shows it (the header is line 1); `where` is a path
    inside a configuration file (`analyses[1].family`).
    """

    file: str
    message: str
    remedy: str = ""
    row: int | None = None
    column: str | None = None
    value: str | None = None
    where: str | None = None

    def __str__(self) -> str:
        place = self.file
        if self.where:
            place += f": {self.where}"
        if self.row is not None:
            place += f", row {self.row}"
        if self.column:
            place += f", column '{self.column}'"
        text = f"{place}: {self.message}"
        if self.value is not None:
            text += f" (value {self.value!r})"
        return _sentences(text, self.remedy)


def _sentences(text: str, remedy: str) -> str:
    if not remedy:
        return f"{text}."
    return f"{text}. {remedy}" if remedy.endswith((".", "?", "!")) else f"{text}. {remedy}."


def format_problems(problems: Sequence[Problem], *, examples: int = 20) -> str:
    """Problems as text: those of one kind together, at most `examples` places shown and the rest counted.

    Of one kind are problems with the same file and message. Places with the same remedy share a line:

        responses.csv, column 'target_unit': this unit is not in units.csv (3 rows)
          row 17 'u_017', row 44 'u_017'. Did you mean 'u_17'?
          row 102 'skole'. Did you mean 'skoler'?
    """
    kinds: dict[tuple, list[Problem]] = {}
    for problem in problems:
        kinds.setdefault((problem.file, problem.where, problem.message), []).append(problem)
    return "\n".join(
        str(alike[0]) if len(alike) == 1 else _format_kind(alike, examples) for alike in kinds.values()
    )


def _format_kind(alike: list[Problem], examples: int) -> str:
    first = alike[0]
    one_column = len({problem.column for problem in alike}) == 1
    place = f"{first.file}: {first.where}" if first.where else first.file
    if one_column and first.column:
        place += f", column '{first.column}'"
    what = "places" if first.row is None else "rows" if one_column else "cells"
    text = f"{place}: {first.message} ({len(alike)} {what})"
    by_remedy: dict[str, list[str]] = {}
    for problem in alike[:examples]:
        row = [] if problem.row is None else [f"row {problem.row}"]
        column = [] if one_column or not problem.column else [f"column '{problem.column}'"]
        value = [] if problem.value is None else [repr(problem.value)]
        by_remedy.setdefault(problem.remedy, []).append(" ".join(row + column + value))
    for remedy, shown in by_remedy.items():
        text += f"\n  {_sentences(', '.join(shown), remedy)}"
    if len(alike) > examples:
        text += f"\n  and {len(alike) - examples} more like this"
    return text


class RelcapError(Exception):
    """Something that the user can put right. `problems` lists every finding, in order of place."""

    def __init__(self, message: str = "", *, problems: Sequence[Problem] = ()) -> None:
        self.problems: tuple[Problem, ...] = tuple(problems)
        lines = [message] if message else []
        if self.problems:
            lines.append(format_problems(self.problems))
        super().__init__("\n".join(lines))


class ConfigError(RelcapError):
    """A study file that cannot be read as a study."""


class InstrumentError(RelcapError):
    """An instrument file that cannot be read as an instrument, or an unknown instrument."""


class DataError(RelcapError):
    """Tables that contradict themselves, the study or the instrument."""


class FitError(RelcapError):
    """A model that the data cannot carry, or a sampler that did not finish."""
