"""What least-squares estimation needs of ordinal and continuous items: statistics, and their covariances."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from relcap_models.errors import DataError, FitError, Problem
from relcap_models.psychometrics.correlation_pairs import (
    PairFit,
    pearson_pair,
    polychoric_pair,
    polyserial_pair,
)
from relcap_models.psychometrics.margins import Margin, read_margins
from relcap_models.psychometrics.pair_checks import joint_answers, pair_notes


@dataclass(frozen=True)
class OrdinalStatistics:
    """Thresholds, means, variances and correlations of one group's items, and how precisely they are known.

    The normal variable beneath an ordinal item has mean 0 and variance 1. With p items the statistics are, in
    lavaan's order:

    1. item by item: an ordinal item's thresholds (`A1|t1`, `A1|t2`, …), a continuous item's mean (`y~1`),
    2. variances of the continuous items (`y~~y`; divided by n, not n − 1),
    3. covariances below the diagonal, column by column (`A1~~A2`, `A1~~A3`, …, `A2~~A3`, …): polychoric
       correlations of ordinal items, polyserial correlations times the continuous item's standard deviation,
       covariances of continuous items (divided by n).

    lavaan has the means with their sign turned round, here they are as they are; the rows and columns of
    `gamma` go with that.

    Attributes
    ----------
    items : (p,) names. ordinal : (p,) which are ordinal.
    n : respondents used.
    n_joint : (item, item) respondents who answered both.
    categories : for each ordinal item the values that occur, in ascending order. Groups whose thresholds are
        compared must have the same.
    thresholds : for each ordinal item, one fewer than its categories, ascending.
    mean : (item,) 0 for ordinal items.
    covariance : (item, item) of the variables beneath, symmetric; 1 on the diagonal for ordinal items.
    correlation : (item, item) the same, standardised.
    statistics : (statistic,) all of them in the order above.
    gamma : (statistic, statistic) asymptotic covariance matrix of √n times the statistics (NACOV). Full WLS
        weights by its inverse, DWLS and WLSMV by `dwls_weight`.
    influence : (respondent, statistic) each respondent's first-order contribution to the error of the
        statistics: `gamma` is n times the sum of its cross-products; sums over clusters give a cluster-robust
        one. Rows are the respondents used, in their order.
    rows : (respondent used,) their positions in the data.
    notes : what a reader should know, such as empty cells or a matrix that is not positive definite.
    slopes : (item, covariate) where there are covariates (see `conditional_statistics`), else None.
    """

    items: tuple[str, ...]
    ordinal: tuple[bool, ...]
    n: int
    n_joint: pd.DataFrame
    categories: dict[str, np.ndarray]
    thresholds: dict[str, np.ndarray]
    mean: pd.Series
    covariance: pd.DataFrame
    correlation: pd.DataFrame
    statistics: pd.Series
    gamma: pd.DataFrame
    influence: np.ndarray
    rows: np.ndarray
    notes: tuple[str, ...]
    slopes: pd.DataFrame | None = None

    @property
    def acov(self) -> pd.DataFrame:
        """(statistic, statistic) covariance matrix of the statistics: `gamma` / (n − 1), as lavaan has it."""
        return self.gamma / (self.n - 1)

    @property
    def standard_error(self) -> pd.Series:
        """(statistic,) standard errors."""
        return pd.Series(np.sqrt(np.diag(self.gamma) / (self.n - 1)), self.statistics.index)

    @property
    def dwls_weight(self) -> pd.Series:
        """(statistic,) the weights of DWLS and WLSMV: one over the diagonal of `gamma`."""
        return pd.Series(1.0 / np.diag(self.gamma), self.statistics.index)


def ordinal_statistics(
    items: pd.DataFrame | np.ndarray,
    *,
    continuous: Sequence[str] = (),
    missing: Literal["listwise", "pairwise"] = "listwise",
    correct: tuple[float, float] = (0.5, 0.0),
) -> OrdinalStatistics:
    """Thresholds and correlations of ordinal (and continuous) items with their full covariance matrix.

    Two-step estimates: each item's thresholds (or mean and variance) from its own answers, then each
    correlation by maximum likelihood with those held fixed. The covariance matrix is the sandwich of the two
    steps with the cross-products of scores as derivatives, as in Muthén (1984) and lavaan. For continuous
    items that takes them as normal: their own variances and covariances are better served by maximum
    likelihood with robust errors.

    Parameters
    ----------
    items : (respondent, item) answers; a missing answer is NaN.
    continuous : names of the items that are continuous. The others are ordinal, and there is at least one.
    missing : "listwise" uses who answered every item. "pairwise" uses for each item whoever answered it and
        for each correlation whoever answered both; n is who answered at least one. It needs answers that are
        missing completely at random.
    correct : (in 2×2 tables, in other tables) what fills empty cells before a polychoric correlation is
        estimated. A 2×2 table with one empty cell gets the first in that cell and in the opposite one, and
        loses it in the other two, so that margins stay; other tables get the second in each empty cell.
        Thresholds and scores are those of the answers as they are. (0.5, 0) is lavaan's default.

    Raises
    ------
    DataError
        If an item cannot be used, or two items have no joint answers that vary.
    FitError
        If one item determines another (a 2×2 table with two empty cells, or a linear copy).

    Source: Olsson (1979); Olsson, Drasgow & Dorans (1982); Muthén (1984, Psychometrika 49); Muthén & Satorra
    (1995).
    """
    if not all(0.0 <= count < 1.0 for count in correct):
        raise DataError(f"`correct` has two counts from 0 to below 1 for empty cells, not {correct}")
    found, perfect = estimate_statistics(items, continuous=continuous, missing=missing, correct=correct)
    if perfect:
        raise FitError(
            problems=[
                Problem("items", "one item determines the other", "Leave one of them out", where=pair)
                for pair in perfect
            ]
        )
    return found


def estimate_statistics(
    items: pd.DataFrame | np.ndarray,
    *,
    continuous: Sequence[str],
    missing: Literal["listwise", "pairwise"],
    correct: tuple[float, float],
) -> tuple[OrdinalStatistics, list[str]]:
    """`ordinal_statistics`, and the pairs whose correlation is ±1 and has no standard error (NaN)."""
    margins, rows = read_margins(items, set(continuous), missing)
    if len(margins) < 2:
        raise DataError(f"Two items are needed, and there is {len(margins)}")
    pairs = [(i, j) for j in range(len(margins)) for i in range(j + 1, len(margins))]
    n_joint = joint_answers(margins, pairs)
    fits = [_fit_pair(margins[j], margins[i], correct) for i, j in pairs]
    perfect = [f"{margins[j].name} and {margins[i].name}" for (i, j), fit in zip(pairs, fits) if fit.perfect]

    layout = _layout(margins)
    influence = _influence(margins, layout, pairs, fits)
    correlation = np.eye(len(margins))
    for (i, j), fit in zip(pairs, fits):
        correlation[i, j] = correlation[j, i] = fit.correlation
    deviation = np.array([m.deviation for m in margins])
    covariance = correlation * np.outer(deviation, deviation)
    _to_covariances(influence, margins, layout, pairs, correlation)

    names = [m.name for m in margins]
    own = np.empty(layout.n_own)
    for margin, at in zip(margins, layout.own):
        own[at] = margin.parameters
    values = np.concatenate([own, [covariance[i, j] for i, j in pairs]])
    labels = pd.Index(layout.labels + [f"{names[j]}~~{names[i]}" for i, j in pairs])
    gamma = len(rows) * (influence.T @ influence)
    statistics = OrdinalStatistics(
        items=tuple(names),
        ordinal=tuple(m.ordinal for m in margins),
        n=len(rows),
        n_joint=pd.DataFrame(n_joint, names, names),
        categories={m.name: m.categories for m in margins if m.ordinal},
        thresholds={m.name: m.parameters for m in margins if m.ordinal},
        mean=pd.Series([0.0 if m.ordinal else m.parameters[0] for m in margins], names),
        covariance=pd.DataFrame(covariance, names, names),
        correlation=pd.DataFrame(correlation, names, names),
        statistics=pd.Series(values, labels),
        gamma=pd.DataFrame(gamma, labels, labels),
        influence=influence,
        rows=rows,
        notes=(
            *pair_notes(margins, pairs, correlation, n_joint, correct),
            *(f"There is no standard error for {pair}: one item determines the other." for pair in perfect),
        ),
    )
    return statistics, perfect


@dataclass(frozen=True)
class _Layout:
    """Where each item's parameters stand among the statistics. own : (item,) arrays of positions."""

    own: list[np.ndarray]
    labels: list[str]

    @property
    def n_own(self) -> int:
        return len(self.labels)


def _layout(margins: list[Margin]) -> _Layout:
    labels: list[str] = []
    own = []
    for margin in margins:
        start = len(labels)
        if margin.ordinal:
            labels += [f"{margin.name}|t{k + 1}" for k in range(len(margin.parameters))]
            own.append(np.arange(start, len(labels)))
        else:
            labels.append(f"{margin.name}~1")
            own.append(np.array([start, -1]))
    for margin, at in zip(margins, own):
        if not margin.ordinal:
            at[1] = len(labels)
            labels.append(f"{margin.name}~~{margin.name}")
    return _Layout(own, labels)


def _fit_pair(first: Margin, second: Margin, correct: tuple[float, float]) -> PairFit:
    if first.ordinal and second.ordinal:
        return polychoric_pair(
            first.values, second.values, first.parameters, second.parameters, correct=correct
        )
    if not first.ordinal and not second.ordinal:
        return pearson_pair(first.values, second.values, first.parameters, second.parameters)
    if first.ordinal:
        turned = _fit_pair(second, first, correct)
        return PairFit(turned.correlation, turned.scores, turned.cross_second, turned.cross_first)
    return polyserial_pair(first.values, *first.parameters, second.values, second.parameters)


def _influence(
    margins: list[Margin], layout: _Layout, pairs: list[tuple[int, int]], fits: list[PairFit]
) -> np.ndarray:
    """(respondent, statistic) scores times the inverse of their derivatives, which is block triangular.

    A margin's parameters err by its own scores alone; a correlation by its score, less what comes of the
    error of the two margins. Derivatives are estimated by cross-products of scores.
    """
    n = len(margins[0].values)
    influence = np.zeros((n, layout.n_own + len(pairs)))
    for margin, at in zip(margins, layout.own):
        influence[:, at] = np.linalg.solve(margin.scores.T @ margin.scores, margin.scores.T).T
    if not pairs:
        return influence
    scores = np.column_stack([fit.scores for fit in fits])
    cross = np.zeros((layout.n_own, len(pairs)))
    for k, ((i, j), fit) in enumerate(zip(pairs, fits)):
        cross[layout.own[j], k] = fit.cross_first
        cross[layout.own[i], k] = fit.cross_second
    information = np.array([np.nan if fit.perfect else fit.scores @ fit.scores for fit in fits])
    influence[:, layout.n_own :] = (scores - influence[:, : layout.n_own] @ cross) / information
    return influence


def _to_covariances(
    influence: np.ndarray,
    margins: list[Margin],
    layout: _Layout,
    pairs: list[tuple[int, int]],
    correlation: np.ndarray,
) -> None:
    """Turn the influence on correlations into that on covariances (delta method), in place."""
    for k, (i, j) in enumerate(pairs):
        column = influence[:, layout.n_own + k]
        product = margins[i].deviation * margins[j].deviation
        column *= product
        for at in (i, j):
            if not margins[at].ordinal:
                variance = margins[at].parameters[1]
                column += influence[:, layout.own[at][1]] * correlation[i, j] * product / (2 * variance)
