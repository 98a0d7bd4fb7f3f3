"""What least-squares estimation needs of ordinal and continuous items: statistics and their covariance matrix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from scipy.special import ndtri

from relcap_models.errors import DataError, FitError, Problem
from relcap_models.psychometrics.correlation_pairs import (
    PairFit,
    joint_table,
    pearson_pair,
    polychoric_pair,
    polyserial_pair,
)
from relcap_models.psychometrics.items import read_items, read_ordinal

NEARLY_ONE = 0.99
"""Correlations beyond this are named in a note."""


@dataclass(frozen=True)
class OrdinalStatistics:
    """Thresholds, means, variances and correlations of one group's items, and how precisely they are known.

    The normal variable beneath an ordinal item has mean 0 and variance 1. With p items the statistics are, in
    lavaan's order:

    1. item by item: an ordinal item's thresholds (`A1|t1`, `A1|t2`, …), a continuous item's mean (`y~1`),
    2. variances of the continuous items (`y~~y`; divided by n, not n − 1),
    3. covariances below the diagonal, column by column (`A1~~A2`, `A1~~A3`, …, `A2~~A3`, …): between ordinal
       items polychoric correlations, between an ordinal and a continuous item the polyserial correlation times
       the continuous item's standard deviation, between continuous items their covariance.

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

    @property
    def acov(self) -> pd.DataFrame:
        """(statistic, statistic) covariance matrix of the statistics themselves: `gamma` / n."""
        return self.gamma / self.n

    @property
    def standard_error(self) -> pd.Series:
        """(statistic,) standard errors."""
        return pd.Series(np.sqrt(np.diag(self.gamma) / self.n), self.statistics.index)

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
    steps with the cross-products of scores as derivatives, as in Muthén (1984) and lavaan.

    Parameters
    ----------
    items : (respondent, item) answers; a missing answer is NaN.
    continuous : names of the items that are continuous. The others are ordinal.
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
        If one item determines another (a 2×2 table with two empty cells).

    Source: Olsson (1979); Olsson, Drasgow & Dorans (1982); Muthén (1984, Psychometrika 49); Muthén & Satorra
    (1995).
    """
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
    margins, rows = _read_margins(items, set(continuous), missing)
    pairs = [(i, j) for j in range(len(margins)) for i in range(j + 1, len(margins))]
    n_joint = _joint_answers(margins, pairs)
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
        notes=tuple(_notes(margins, pairs, correlation, n_joint)),
    )
    return statistics, perfect


@dataclass(frozen=True)
class _Margin:
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


@dataclass(frozen=True)
class _Layout:
    """Where each item's parameters stand among the statistics. own : (item,) arrays of positions."""

    own: list[np.ndarray]
    labels: list[str]

    @property
    def n_own(self) -> int:
        return len(self.labels)


def _read_margins(
    items: pd.DataFrame | np.ndarray, continuous: set[str], missing: str
) -> tuple[list[_Margin], np.ndarray]:
    if missing not in ("listwise", "pairwise"):
        raise DataError(f"`missing` is 'listwise' or 'pairwise', not {missing!r}")
    frame = items if isinstance(items, pd.DataFrame) else pd.DataFrame(np.asarray(items))
    if not isinstance(items, pd.DataFrame):
        frame.columns = [str(i + 1) for i in range(frame.shape[1])]
    if unknown := continuous - set(map(str, frame.columns)):
        raise DataError(f"`continuous` names {', '.join(sorted(unknown))}, which are not among the items")
    answered = frame.notna().to_numpy()
    rows = np.flatnonzero(answered.all(axis=1) if missing == "listwise" else answered.any(axis=1))
    if len(rows) < 2:
        fewest = frame.columns[int(np.argmin(answered.sum(axis=0)))]
        raise DataError(
            f"{len(rows)} of {len(frame)} respondents answered every item. Item '{fewest}' has the fewest "
            "answers: leave it out, or set `missing` to 'pairwise'"
        )
    used = frame.iloc[rows]
    is_ordinal = np.array([str(name) not in continuous for name in frame.columns])
    margins: dict[int, _Margin] = {}
    if is_ordinal.any():
        read = read_ordinal(used.loc[:, is_ordinal])
        for k, position in enumerate(np.flatnonzero(is_ordinal)):
            margins[position] = _ordinal_margin(read.names[k], read.codes[:, k], read.categories[k])
    if not is_ordinal.all():
        numbers = read_items(used.loc[:, ~is_ordinal])
        for k, position in enumerate(np.flatnonzero(~is_ordinal)):
            margins[position] = _continuous_margin(numbers.names[k], numbers.values[:, k])
    if len(margins) < 2:
        raise DataError(f"Two items are needed, and there are {len(margins)}")
    return [margins[position] for position in range(len(margins))], rows


def _ordinal_margin(name: str, codes: np.ndarray, categories: np.ndarray) -> _Margin:
    counts = np.bincount(codes[codes >= 0], minlength=len(categories))
    share = counts / counts.sum()
    thresholds = ndtri(np.cumsum(share)[:-1])
    density = np.exp(-0.5 * thresholds**2) / np.sqrt(2 * np.pi)
    k = np.arange(len(thresholds))
    by_category = np.zeros((len(categories), len(thresholds)))
    by_category[k, k] = density / share[:-1]
    by_category[k + 1, k] = -density / share[1:]
    scores = np.where((codes >= 0)[:, None], by_category[codes], 0.0)
    return _Margin(name, True, codes, categories, thresholds, scores)


def _continuous_margin(name: str, values: np.ndarray) -> _Margin:
    mean, variance = np.nanmean(values), np.nanvar(values)
    off = np.where(np.isnan(values), 0.0, values - mean)
    answered = ~np.isnan(values)
    scores = np.column_stack([off / variance, (off**2 / variance - answered) / (2 * variance)])
    return _Margin(name, False, values, np.array([]), np.array([mean, variance]), scores)


def _layout(margins: list[_Margin]) -> _Layout:
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


def _joint_answers(margins: list[_Margin], pairs: list[tuple[int, int]]) -> np.ndarray:
    """(item, item) counts; an error that names every pair without answers to correlate."""
    answered = np.column_stack([m.answered for m in margins]).astype(float)
    counts = (answered.T @ answered).astype(int)
    problems = []
    for i, j in pairs:
        if counts[i, j] < len(answered):
            both = margins[i].answered & margins[j].answered
            for margin, other in ((margins[j], margins[i]), (margins[i], margins[j])):
                seen = margin.values[both]
                if seen.size < 2 or seen.min() == seen.max():
                    few = f"only {counts[i, j]} respondents answered both '{margin.name}' and '{other.name}'"
                    alike = f"all who answered '{other.name}' answered '{margin.name}' alike"
                    problems.append(
                        Problem("items", few if seen.size < 2 else alike, "Leave one of the two out")
                    )
                    break
    if problems:
        raise DataError(problems=problems)
    return counts


def _fit_pair(first: _Margin, second: _Margin, correct: tuple[float, float]) -> PairFit:
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
    margins: list[_Margin], layout: _Layout, pairs: list[tuple[int, int]], fits: list[PairFit]
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
    margins: list[_Margin],
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


def _notes(
    margins: list[_Margin], pairs: list[tuple[int, int]], correlation: np.ndarray, n_joint: np.ndarray
) -> list[str]:
    notes = []
    for margin in margins:
        skipped = _skipped(margin.categories)
        if skipped:
            notes.append(f"Nobody answered {margin.name} with {skipped}: there is no threshold for it.")
    empty = [
        f"{margins[j].name} and {margins[i].name}"
        for i, j in pairs
        if margins[i].ordinal and margins[j].ordinal and _has_empty_cell(margins[j], margins[i])
    ]
    if empty:
        notes.append(
            f"{len(empty)} of {len(pairs)} pairs have answers that nobody combined: {_some(empty)}. If a "
            "correlation looks wrong, collapse rare categories, or set `correct`."
        )
    sparse = [
        f"{margins[j].name} and {margins[i].name} ({n_joint[i, j]})"
        for i, j in pairs
        if n_joint[i, j] < (len(margins[i].parameters) + 1) * (len(margins[j].parameters) + 1)
    ]
    if sparse:
        notes.append(f"Fewer joint answers than cells in the table: {_some(sparse)}. Collapse categories.")
    extreme = [
        f"{margins[j].name} and {margins[i].name} ({correlation[i, j]:.3f})"
        for i, j in pairs
        if abs(correlation[i, j]) > NEARLY_ONE
    ]
    if extreme:
        notes.append(
            f"Correlations at or near ±1: {_some(extreme)}. Their standard errors mean little: leave one of "
            "the two out, or collapse categories, or set `correct`."
        )
    least = np.linalg.eigvalsh(correlation)[0]
    if least <= 1e-10:
        notes.append(
            f"The correlation matrix is not positive definite (smallest eigenvalue {least:.3g}). It is left as "
            "it is: leave out an item that others nearly determine, or smooth it."
        )
    return notes


def _has_empty_cell(first: _Margin, second: _Margin) -> bool:
    shape = (len(first.categories), len(second.categories))
    return bool((joint_table(first.values, second.values, shape) == 0).any())


def _skipped(categories: np.ndarray) -> str:
    """Whole numbers between the lowest and highest category that do not occur."""
    if len(categories) == 0 or (categories % 1 != 0).any():
        return ""
    between = set(range(int(categories[0]), int(categories[-1]) + 1)) - set(categories.astype(int))
    return " or ".join(map(str, sorted(between))) if len(between) <= 10 else ""


def _some(names: list[str], most: int = 5) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
