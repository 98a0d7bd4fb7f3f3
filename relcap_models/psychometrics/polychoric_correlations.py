"""Correlations of the normal variables beneath ordinal items."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from relcap_models.errors import DataError
from relcap_models.psychometrics.ordinal_statistics import OrdinalStatistics, estimate_statistics


@dataclass(frozen=True)
class Polychoric:
    """Polychoric correlations of ordinal items (and others with continuous ones), with their thresholds.

    Attributes
    ----------
    correlation : (item, item) symmetric, 1 on the diagonal. Not smoothed: see `notes` if it is not positive
        definite.
    thresholds : for each ordinal item, where the normal variable beneath is cut; one fewer than its
        categories.
    acov : (statistic, statistic) asymptotic covariance matrix of thresholds (`A1|t1`) and correlations
        (`A1~~A2`), in lavaan's order: that of the two-step estimator (Olsson 1979; Muthén 1984), its n made
        n − 1 as lavaan does. NaN for a correlation of exactly ±1. It takes continuous variables as normal.
    n : respondents with at least one answer. n_joint : (item, item) respondents who answered both.
    notes : what a reader should know about sparse tables, extreme correlations and the matrix.
    """

    correlation: pd.DataFrame
    thresholds: dict[str, np.ndarray]
    acov: pd.DataFrame
    n: int
    n_joint: pd.DataFrame
    notes: tuple[str, ...]

    @property
    def standard_error(self) -> pd.Series:
        """(statistic,) standard errors of thresholds and correlations."""
        return pd.Series(np.sqrt(np.diag(self.acov)), self.acov.index)


@dataclass(frozen=True)
class Polyserial:
    """The polyserial correlation of a continuous and an ordinal variable.

    correlation, standard_error : unitless. thresholds : where the normal variable beneath the ordinal one is
    cut. n : respondents who answered both. notes : what a reader should know.
    """

    correlation: float
    standard_error: float
    thresholds: np.ndarray
    n: int
    notes: tuple[str, ...]


def polychoric(
    items: pd.DataFrame | np.ndarray, *, correct: float = 0.0, continuous: Sequence[str] = ()
) -> Polychoric:
    """How answers to ordinal items would correlate if the traits beneath were seen without categories.

    Each item is a standard normal variable cut at thresholds. Thresholds come from each item's own answers,
    each correlation is then its maximum likelihood estimate (two-step; Olsson 1979). Respondents who miss
    answers count wherever they answered: for thresholds those who answered the item, for a correlation those
    who answered both, as `lavCor(missing = "pairwise")` and `psych::polychoric` do. For listwise deletion
    pass complete rows (`items.dropna()`).

    Parameters
    ----------
    items : (respondent, item) ordered answers, 2 to 50 categories; NaN where missing. Only values that occur
        are categories.
    correct : added where nobody combined two answers. A 2×2 table with one empty cell gets it there and in
        the opposite cell and loses it in the other two, so that margins stay; other tables get it in each
        empty cell. Thresholds do not change. It equals `zero.add = c(correct, correct)` in lavaan, whose
        default is c(0.5, 0). `psych::polychoric` adds its own (0.5) only if items have unequal numbers of
        categories: in each empty cell, and it takes thresholds from each corrected table.
    continuous : names of the columns that are no ordinal items, such as age. Each correlates with an ordinal
        item by its polyserial correlation, with another continuous one by Pearson's (where answers are
        missing, its maximum likelihood estimate given both means and variances), as
        `lavCor(ordered = <the others>)` does.

    Raises
    ------
    DataError
        If an item has no answers, one answer only, or is no number; if two items have no joint answers that
        vary; if all are continuous.
    """
    if not 0.0 <= correct < 1.0:
        raise DataError(f"`correct` is a count below 1 for empty cells, not {correct}")
    continuous = (continuous,) if isinstance(continuous, str) else continuous
    found, _ = estimate_statistics(
        items, continuous=continuous, missing="pairwise", correct=(correct, correct)
    )
    return _of_statistics(found)


def _of_statistics(found: OrdinalStatistics) -> Polychoric:
    influence = _correlation_influence(found)
    return Polychoric(
        correlation=found.correlation,
        thresholds=found.thresholds,
        acov=found.n / (found.n - 1) * influence.T @ influence,
        n=found.n,
        n_joint=found.n_joint,
        notes=found.notes,
    )


def _correlation_influence(found: OrdinalStatistics) -> pd.DataFrame:
    """(respondent, statistic) influence on thresholds and correlations, from that on covariances.

    Column by column and not by a matrix of slopes, so that the NaN of one correlation stays its own.
    """
    influence = pd.DataFrame(found.influence, columns=found.statistics.index)
    columns = {
        f"{item}|t{k + 1}": influence[f"{item}|t{k + 1}"]
        for item, thresholds in found.thresholds.items()
        for k in range(len(thresholds))
    }
    continuous = [item for item, ordinal in zip(found.items, found.ordinal) if not ordinal]
    variance = {item: found.covariance.loc[item, item] for item in continuous}
    for one, other in combinations(found.items, 2):
        rho = found.correlation.loc[one, other]
        ends = [item for item in (one, other) if item in variance]
        column = influence[f"{one}~~{other}"] / np.sqrt(np.prod([variance[item] for item in ends]))
        for item in ends:
            column = column - rho / (2 * variance[item]) * influence[f"{item}~~{item}"]
        columns[f"{one}~~{other}"] = column
    return pd.DataFrame(columns)


def polyserial(continuous: pd.Series | np.ndarray, ordinal: pd.Series | np.ndarray) -> Polyserial:
    """How a continuous variable correlates with the normal variable beneath ordered answers.

    Two-step maximum likelihood: mean, variance and thresholds from each variable, then the correlation
    (Olsson, Drasgow & Dorans 1982). Respondents who miss one of the two are left out. A matrix of several
    variables of both kinds is `polychoric(continuous=...)`.

    Parameters
    ----------
    continuous : (respondent,) numbers, NaN where missing. ordinal : (respondent,) ordered answers.

    Raises
    ------
    DataError
        If lengths differ, or one of them does not vary.
    """
    if len(continuous) != len(ordinal):
        raise DataError(f"`continuous` has {len(continuous)} values, `ordinal` {len(ordinal)}")
    both = pd.DataFrame(
        {
            "continuous": pd.Series(continuous).reset_index(drop=True),
            "ordinal": pd.Series(ordinal).reset_index(drop=True),
        }
    )
    found, _ = estimate_statistics(both, continuous=["continuous"], missing="listwise", correct=(0.0, 0.0))
    pair = _of_statistics(found)
    return Polyserial(
        correlation=float(pair.correlation.loc["continuous", "ordinal"]),
        standard_error=float(pair.standard_error["continuous~~ordinal"]),
        thresholds=pair.thresholds["ordinal"],
        n=pair.n,
        notes=pair.notes,
    )
