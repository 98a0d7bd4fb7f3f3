"""Each item by itself: thresholds of an ordinal item, mean and variance of a continuous one, with scores."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import ndtri

from relcap_models.errors import DataError, Problem
from relcap_models.psychometrics.items import Items, read_items, read_ordinal

_EXTENT = {"listwise": "every item", "pairwise": "any item"}


@dataclass(frozen=True)
class Margin:
    """One item by itself.

    values : (respondent,) codes, −1 where missing; or numbers, NaN where missing
    parameters : thresholds; or mean and variance
    scores : (respondent, parameter) derivatives of the log-likelihood, 0 where missing
    """

    name: str
    ordinal: bool
    values: np.ndarray
    categories: np.ndarray
    parameters: np.ndarray
    scores: np.ndarray

    @property
    def answered(self) -> np.ndarray:
        return self.values >= 0 if self.ordinal else ~np.isnan(self.values)

    @property
    def deviation(self) -> float:
        return 1.0 if self.ordinal else float(np.sqrt(self.parameters[1]))


def read_margins(
    items: pd.DataFrame | np.ndarray, continuous: set[str], missing: str
) -> tuple[list[Margin], np.ndarray]:
    """The items in their order, and the positions (respondent used,) of the rows that they were read from.

    Raises
    ------
    DataError
        If an item or an argument cannot be used.
    """
    if missing not in _EXTENT:
        raise DataError(f"`missing` is 'listwise' or 'pairwise', not {missing!r}")
    frame = items
    if not isinstance(items, pd.DataFrame):
        frame = pd.DataFrame(np.asarray(items)).rename(columns=lambda position: str(position + 1))
    if unknown := set(map(str, continuous)) - set(map(str, frame.columns)):
        raise DataError(f"`continuous` names {', '.join(sorted(unknown))}, which are not among the items")
    is_ordinal = np.array([str(name) not in continuous for name in frame.columns])
    if not is_ordinal.any():
        raise DataError(
            "All items are continuous: these statistics are for data with ordinal items. For Pearson "
            "correlations use `items.corr()`"
        )
    rows = _rows_used(frame, missing)
    used = frame.iloc[rows]
    margins: dict[int, Margin] = {}
    try:
        ordinal = read_ordinal(used.loc[:, is_ordinal])
    except DataError as error:
        if len(used) == len(frame):
            raise
        of = f"Among the {len(used)} of {len(frame)} respondents who answered {_EXTENT[missing]}:"
        raise DataError(of, problems=error.problems) from None
    for k, position in enumerate(np.flatnonzero(is_ordinal)):
        margins[position] = _ordinal_margin(ordinal.names[k], ordinal.codes[:, k], ordinal.categories[k])
    if not is_ordinal.all():
        numbers = read_items(used.loc[:, ~is_ordinal])
        _check_many_valued(numbers)
        for k, position in enumerate(np.flatnonzero(~is_ordinal)):
            margins[position] = _continuous_margin(numbers.names[k], numbers.values[:, k])
    return [margins[position] for position in range(len(margins))], rows


def _rows_used(frame: pd.DataFrame, missing: str) -> np.ndarray:
    answered = frame.notna().to_numpy()
    if missing == "pairwise":
        return np.flatnonzero(answered.any(axis=1))
    rows = np.flatnonzero(answered.all(axis=1))
    if len(rows) < 2:
        fewest = frame.columns[int(np.argmin(answered.sum(axis=0)))]
        raise DataError(
            f"{len(rows)} of {len(frame)} respondents answered every item. Item '{fewest}' has the fewest "
            "answers: leave it out, or set `missing` to 'pairwise'"
        )
    return rows


def _check_many_valued(numbers: Items) -> None:
    """With two values a mean determines its variance, and their errors cannot be told apart."""
    problems = [
        Problem("items", "has two different values only", "Treat it as ordinal", column=name)
        for name, values in zip(numbers.names, numbers.values.T)
        if len(np.unique(values[~np.isnan(values)])) < 3
    ]
    if problems:
        raise DataError(problems=problems)


def _ordinal_margin(name: str, codes: np.ndarray, categories: np.ndarray) -> Margin:
    counts = np.bincount(codes[codes >= 0], minlength=len(categories))
    share = counts / counts.sum()
    thresholds = ndtri(np.cumsum(share)[:-1])
    density = np.exp(-0.5 * thresholds**2) / np.sqrt(2 * np.pi)
    k = np.arange(len(thresholds))
    by_category = np.zeros((len(categories), len(thresholds)))
    by_category[k, k] = density / share[:-1]
    by_category[k + 1, k] = -density / share[1:]
    scores = np.where((codes >= 0)[:, None], by_category[codes], 0.0)
    return Margin(name, True, codes, categories, thresholds, scores)


def _continuous_margin(name: str, values: np.ndarray) -> Margin:
    mean, variance = np.nanmean(values), np.nanvar(values)
    off = np.where(np.isnan(values), 0.0, values - mean)
    answered = ~np.isnan(values)
    scores = np.column_stack([off / variance, (off**2 / variance - answered) / (2 * variance)])
    return Margin(name, False, values, np.array([]), np.array([mean, variance]), scores)
