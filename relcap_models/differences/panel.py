"""A panel of units over time, of which some start a programme: tables as people have them, checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from relcap_models.errors import DataError, Problem
from relcap_models.schema.problems import suggestion

FILE = "data"
# Places that are named one by one.
EXAMPLES = 20


@dataclass(frozen=True)
class Panel:
    """Outcomes of units over time.

    values : (unit, time) outcome, NaN where there is none
    units : (unit,) their names. times : (time,) ascending.
    start : (unit,) first time under the programme, infinite where there is none.
    cluster : (unit,) position of its cluster; each unit is one where none are given
    clusters : (cluster,) their names. notes : what was left out.
    """

    values: np.ndarray
    units: np.ndarray
    times: np.ndarray
    start: np.ndarray
    cluster: np.ndarray
    clusters: np.ndarray
    notes: tuple[str, ...] = ()

    def keep(self, kept: np.ndarray, note: str) -> Panel:
        """Only the units of a mask; the note says why the others were left out."""
        if kept.all():
            return self
        present, cluster = np.unique(self.cluster[kept], return_inverse=True)
        return replace(
            self,
            values=self.values[kept],
            units=self.units[kept],
            start=self.start[kept],
            cluster=cluster,
            clusters=self.clusters[present],
            notes=(*self.notes, note),
        )

    def complete(self) -> Panel:
        """Only units with an outcome at every time.

        Raises
        ------
        DataError
            If there is none.
        """
        whole = ~np.isnan(self.values).any(axis=1)
        if not whole.any():
            fewest = int(np.argmin((~np.isnan(self.values)).sum(axis=0)))
            raise DataError(
                f"No unit has an outcome at all {len(self.times)} times. Fewest have one at time "
                f"{self.times[fewest]:g}: leave that time out"
            )
        left = int((~whole).sum())
        return self.keep(
            whole, f"{left} of {len(whole)} units have no outcome at some time and were left out"
        )

    def without_first_starters(self) -> Panel:
        """Without the units that start at the first time or before: there is no time to compare them with."""
        first = self.start <= self.times[0]
        return self.keep(
            ~first,
            f"{int(first.sum())} units start at the first time ({self.times[0]:g}) or before, so nothing is "
            "known of them without the programme: they were left out",
        )


def read_panel(
    data: pd.DataFrame,
    *,
    unit: str,
    time: str,
    cohort: str,
    outcome: str,
    cluster: str | None = None,
    average: bool = False,
) -> Panel:
    """A long table as a panel, or one error that names everything that is wrong with it.

    Parameters
    ----------
    data : a row for each unit at each time
    unit, time, cohort, outcome, cluster : its columns. `cohort` is the first time under the programme, 0 (or
        infinite) for units that never start; a start after the last time counts as never, with a note.
    average : several rows of a unit at a time stand for their mean, and are no error

    Raises
    ------
    DataError
        If columns are absent, hold no numbers or miss values, a unit stands twice at a time, or its cohort or
        cluster changes. Missing outcomes are no error.
    """
    columns = {"unit": unit, "time": time, "cohort": cohort, "outcome": outcome, "cluster": cluster}
    _check_columns(data, [name for name in columns.values() if name is not None])
    problems: list[Problem] = []
    numbers = {
        role: _numbers(data[columns[role]], columns[role], problems, role)
        for role in ("time", "cohort", "outcome")
    }
    for name in filter(None, (unit, cluster)):
        problems += _absent(data[name], name)
    if problems:
        raise DataError(problems=problems)
    start = np.where(numbers["cohort"] == 0, np.inf, numbers["cohort"])
    if numbers["time"].min() < 0 <= numbers["time"].max():
        what = "goes from below 0 to 0 or above, where a start at 0 and never starting look the same"
        problems.append(Problem(FILE, what, "Number the times from 1", column=time))
    code, units = pd.factorize(data[unit])
    seen = ~np.isnan(numbers["outcome"])
    if not seen.any():
        raise DataError(problems=[Problem(FILE, "has no values", "Choose another outcome", column=outcome)])
    times = np.unique(numbers["time"][seen])
    if not average:
        problems += _twice(code, numbers["time"], units, unit, time)
    problems += _changing(code, start, units, cohort, unit)
    group, groups = pd.factorize(data[cluster]) if cluster is not None else (code, units)
    problems += _changing(code, group, units, cluster or unit, unit)
    if problems:
        raise DataError(problems=problems)
    shape = (len(units), len(times))
    cell = np.ravel_multi_index((code[seen], np.searchsorted(times, numbers["time"][seen])), shape)
    sums = np.bincount(cell, numbers["outcome"][seen], minlength=shape[0] * shape[1])
    counts = np.bincount(cell, minlength=shape[0] * shape[1])
    values = np.divide(sums, counts, where=counts > 0, out=np.full(len(sums), np.nan)).reshape(shape)
    start_of_unit, cluster_of_unit = np.empty(len(units)), np.empty(len(units), dtype=np.intp)
    start_of_unit[code], cluster_of_unit[code] = start, group
    late = np.isfinite(start_of_unit) & (start_of_unit > times[-1])
    start_of_unit[late] = np.inf
    notes = (
        [f"{int(late.sum())} units start after the last time ({times[-1]:g}) and count as never treated"]
        if late.any()
        else []
    )
    return Panel(
        values, np.asarray(units), times, start_of_unit, cluster_of_unit, np.asarray(groups), tuple(notes)
    )


def _check_columns(data: pd.DataFrame, names: Sequence[str]) -> None:
    if not isinstance(data, pd.DataFrame):
        raise DataError(
            f"The data are a DataFrame with a row for each unit and time, not {type(data).__name__}"
        )
    known = list(map(str, data.columns))
    problems = [
        Problem(FILE, "is no column", suggestion(name, known, what="columns"), column=name)
        for name in names
        if name not in data.columns
    ]
    problems += [
        Problem(FILE, "stands twice among the columns", "Rename one", column=name)
        for name in dict.fromkeys(names)
        if known.count(str(name)) > 1
    ]
    if problems:
        raise DataError(problems=problems)
    if not len(data):
        raise DataError("The data have no rows")


def _numbers(column: pd.Series, name: str, problems: list[Problem], role: str) -> np.ndarray:
    """A column as numbers; what keeps it from being that is added to the problems."""
    if pd.api.types.is_datetime64_any_dtype(column) or isinstance(column.dtype, pd.PeriodDtype):
        problems.append(Problem(FILE, "holds dates", "Number the times in their order: 1, 2, 3", column=name))
        return np.zeros(len(column))
    values = pd.to_numeric(column, errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    unread = np.isnan(values) & column.notna().to_numpy()
    if unread.any():
        example = str(column[unread].iloc[0])
        problems.append(Problem(FILE, "holds no numbers", "Code them as numbers", column=name, value=example))
    if role != "cohort" and np.isinf(values).any():
        problems.append(Problem(FILE, "has infinite values", "Correct them, or remove the rows", column=name))
    if role == "outcome":
        return values
    problems += _absent(column, name, "0 is never. " if role == "cohort" else "")
    return np.where(np.isnan(values), 0, values)


def _absent(column: pd.Series, name: str, advice: str = "") -> list[Problem]:
    missing = int(column.isna().sum())
    remedy = f"{advice}Fill it in, or remove the rows"
    return [Problem(FILE, f"is missing in {missing} rows", remedy, column=name)] if missing else []


def _twice(code: np.ndarray, at: np.ndarray, units: pd.Index, unit: str, time: str) -> list[Problem]:
    times, position = np.unique(at, return_inverse=True)
    cell = code * len(times) + position
    cells = np.flatnonzero(np.bincount(cell, minlength=len(units) * len(times)) > 1)
    return _each(
        "a unit stands more than once at a time",
        "Give one row for each unit and time, such as the mean",
        f"{unit} × {time}",
        [f"{units[one // len(times)]} × {times[one % len(times)]:g}" for one in cells[: EXAMPLES + 1]],
        len(cells),
    )


def _changing(code: np.ndarray, value: np.ndarray, units: pd.Index, column: str, unit: str) -> list[Problem]:
    """Units whose value is not the same in all their rows."""
    of_unit = np.empty(len(units), dtype=value.dtype)
    of_unit[code] = value
    changing = np.unique(code[of_unit[code] != value])
    return _each(
        f"changes within one value of '{unit}'",
        f"Give all rows of a {unit} the same",
        column,
        [str(units[one]) for one in changing[: EXAMPLES + 1]],
        len(changing),
    )


def _each(what: str, remedy: str, column: str, places: list[str], n: int) -> list[Problem]:
    """A problem for each place, or one for all: a table of respondents has them by the hundred thousand."""
    if n > EXAMPLES:
        return [Problem(FILE, f"{what}, {n} times", remedy, column=column, value=f"{places[0]}, …")]
    return [Problem(FILE, what, remedy, column=column, value=place) for place in places]
