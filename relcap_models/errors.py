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
        return f"{text}. {self.remedy}".rstrip() if self.remedy else f"{text}."


class RelcapError(Exception):
    """Something that the user can put right. `problems` lists every finding, in order of place."""

    def __init__(self, message: str = "", *, problems: Sequence[Problem] = ()) -> None:
        self.problems: tuple[Problem, ...] = tuple(problems)
        lines = [message] if message else []
        lines += [str(problem) for problem in self.problems]
        super().__init__("\n".join(lines))


class ConfigError(RelcapError):
    """A study file that cannot be read as a study."""


class InstrumentError(RelcapError):
    """An instrument file that cannot be read as an instrument, or an unknown instrument."""


class DataError(RelcapError):
    """Tables that contradict themselves, the study or the instrument."""


class FitError(RelcapError):
    """A model that the data cannot carry, or a sampler that did not finish."""
