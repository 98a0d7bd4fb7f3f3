"""Answers to items as people have them, and what is wrong with them in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from relcap_models.errors import DataError, Problem


@dataclass(frozen=True)
class Items:
    """Answers of respondents to items.

    values : (respondent, item) as numbers, NaN where there is no answer. names : (item,).
    """

    values: np.ndarray
    names: tuple[str, ...]

    @property
    def answered(self) -> np.ndarray:
        """(respondent, item) bool."""
        return ~np.isnan(self.values)

    def listwise(self) -> Items:
        """Only respondents who answered every item.

        Raises
        ------
        DataError
            If fewer than two did.
        """
        whole = self.answered.all(axis=1)
        if whole.sum() < 2:
            most = self.names[int(np.argmin(self.answered.sum(axis=0)))]
            raise DataError(
                f"{whole.sum()} of {len(whole)} respondents answered every item. Item '{most}' has the "
                "fewest answers: leave it out"
            )
        return Items(self.values[whole], self.names)


def read_items(items: pd.DataFrame | np.ndarray, *, least: int = 1, constant: bool = False) -> Items:
    """Answers as numbers, or one error that names every item that cannot be used.

    Parameters
    ----------
    items : a column for each item; missing answers are NaN or NA. Columns of an array are named `1`, `2`, ….
    least : how many items there must be. constant : items that everybody answered alike are allowed.

    Raises
    ------
    DataError
        If an item is no number, infinite, without answers, or the same for everybody, or names repeat.
    """
    frame = items if isinstance(items, pd.DataFrame) else _named(np.asarray(items))
    names = tuple(map(str, frame.columns))
    problems = [_problem(name, "stands twice", "Rename one") for name in _repeated(names)]
    columns = []
    for position, name in enumerate(names):
        column, problem = _numbers(frame.iloc[:, position], name, constant=constant)
        columns.append(column)
        problems += [problem] if problem else []
    if problems:
        raise DataError(problems=problems)
    if len(names) < least:
        raise DataError(f"{least} items are needed, and there are {len(names)}")
    if len(frame) < 2:
        raise DataError(f"At least two respondents are needed, and there are {len(frame)}")
    return Items(np.column_stack(columns), names)


@dataclass(frozen=True)
class OrdinalItems:
    """Answers of respondents to items with ordered categories.

    codes : (respondent, item) position of the answer among the item's categories, −1 where there is none
    categories : (item,) each the values that occur, in ascending order. Values that nobody chose are none.
    """

    codes: np.ndarray
    names: tuple[str, ...]
    categories: tuple[np.ndarray, ...]

    def listwise(self) -> OrdinalItems:
        """Only respondents who answered every item; categories are counted again.

        Raises
        ------
        DataError
            If fewer than two did, or they answered an item alike.
        """
        values = np.full(self.codes.shape, np.nan)
        for i, categories in enumerate(self.categories):
            seen = self.codes[:, i] >= 0
            values[seen, i] = categories[self.codes[seen, i]]
        whole = Items(values, self.names).listwise()
        return read_ordinal(pd.DataFrame(whole.values, columns=list(whole.names)))


MOST_CATEGORIES = 50


def read_ordinal(items: pd.DataFrame | np.ndarray, *, least: int = 1) -> OrdinalItems:
    """Answers as positions among each item's categories.

    Columns of pandas' ordered categories keep their order; other columns are ordered as numbers.

    Raises
    ------
    DataError
        As for `read_items`, and if an item has more than fifty different answers.
    """
    if isinstance(items, pd.DataFrame):
        items = items.copy(deep=False)
        for position, kind in enumerate(items.dtypes):
            if isinstance(kind, pd.CategoricalDtype) and kind.ordered:
                codes = items.iloc[:, position].cat.codes
                items.isetitem(position, codes.astype(float).where(codes >= 0))
    read = read_items(items, least=least)
    codes = np.full(read.values.shape, -1, dtype=np.int16)
    categories = []
    problems = []
    for i, name in enumerate(read.names):
        seen = read.answered[:, i]
        found, codes[seen, i] = np.unique(read.values[seen, i], return_inverse=True)
        categories.append(found)
        if len(found) > MOST_CATEGORIES:
            problems.append(
                _problem(
                    name,
                    f"has {len(found)} different answers",
                    "Treat it as continuous, or group its answers",
                )
            )
    if problems:
        raise DataError(problems=problems)
    return OrdinalItems(codes, read.names, tuple(categories))


def read_groups(
    group: Sequence | np.ndarray | pd.Series, n: int, *, argument: str = "group"
) -> tuple[np.ndarray, tuple[str, ...]]:
    """(respondent,) position of each one's group among the groups' names, which are in order of appearance.

    argument : what the caller calls them.

    Raises
    ------
    DataError
        If there are not as many as respondents, or some are missing.
    """
    series = pd.Series(np.asarray(group)) if not isinstance(group, pd.Series) else group
    if len(series) != n:
        raise DataError(f"`{argument}` has {len(series)} values for {n} respondents")
    if series.isna().any():
        raise DataError(f"`{argument}` is missing for {int(series.isna().sum())} respondents: leave them out")
    codes, names = pd.factorize(series)
    return codes, tuple(map(str, names))


def _named(values: np.ndarray) -> pd.DataFrame:
    if values.ndim != 2:
        raise DataError(f"Items are a table of respondents by items, and this has {values.ndim} dimensions")
    return pd.DataFrame(values, columns=[str(i + 1) for i in range(values.shape[1])])


def _problem(name: str, message: str, remedy: str) -> Problem:
    return Problem(file="items", column=name, message=message, remedy=remedy)


def _repeated(names: Sequence[str]) -> list[str]:
    return [name for name in dict.fromkeys(names) if names.count(name) > 1]


def _numbers(column: pd.Series, name: str, *, constant: bool) -> tuple[np.ndarray, Problem | None]:
    values = pd.to_numeric(column, errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    unread = np.isnan(values) & column.notna().to_numpy()
    if unread.any():
        shown = column[unread].iloc[0]
        return values, _problem(
            name, f"has answers that are no numbers, such as {shown!r}", "Code them as numbers"
        )
    if np.isinf(values).any():
        return values, _problem(name, "has infinite answers", "Make them missing")
    seen = values[~np.isnan(values)]
    if seen.size == 0:
        return values, _problem(name, "has no answers", "Leave it out")
    if not constant and seen.min() == seen.max():
        return values, _problem(name, f"was answered {seen[0]:g} by everybody", "Leave it out")
    return values, None
