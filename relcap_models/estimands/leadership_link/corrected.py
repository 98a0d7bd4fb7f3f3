"""The link freed of measurement error: structural relations after the measurement of unit means."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from relcap_models.estimands.leadership_link.levels import Level, levels_of
from relcap_models.estimands.leadership_link.mean_errors import Errors, error_covariances
from relcap_models.estimands.leadership_link.naive import too_few
from relcap_models.estimands.leadership_link.rows import (
    Question,
    Slope,
    Slopes,
    link_rows,
    questions,
    variables,
)
from relcap_models.estimands.leadership_link.unit_means import UnitMeans, fitted_unit_means, unit_covariates
from relcap_models.models.frame import Frame
from relcap_models.models.leadership_link import LeadershipLink

_ALPHA = 2
"""Undoing the bias of order 1/units altogether would take 2/reliability, which is not known well."""


def corrected_link(
    model: LeadershipLink, frame: Frame, scores: Mapping[str, np.ndarray], *, ci_prob: float
) -> pd.DataFrame:
    """How far units with better leaders are rated better by others, if all means were without error.

    First the measurement: means of units (`fitted_unit_means`) and how far they are off, by which respondents
    answered and by what is particular to relations (`error_covariances`). Then the structure: covariances of
    means less those of their errors, and regressions on these (Rosseel & Loh 2024; with unit means it is the
    method of moments of Fuller 1987, § 2.2). Products of sums over units have expectations

        between   Σ_between tr(M) + Σ_within tr(M B Bᵀ) + tr(M B Θ Bᵀ)
        within    Σ_within tr(M W Wᵀ) + tr(M W Θ Wᵀ)

    with Θ the errors' covariance over units and waves, B and W the weights that make unit means over
    waves and deviations from them, and M what controls leave; both are solved for Σ. With one wave, what is
    stable and what belongs to the wave are one. Two assumptions: parts of waves are independent of one
    another, and all units share the respondents' and relations' variances.

    Standard errors are those of the estimating equations, a unit's share of the errors' estimation counted
    (sandwich with leverages as in HC3), intervals by Student's t. On the scales `points` and `probability`
    the effect is that of one standard deviation of true leadership at that level, its estimation counted too;
    `per_point` is that of one point. Where leadership has no variance beyond error a note stands in place of
    numbers. Ratings of the own unit by those who rate its leaders are freed of the leniency that respondents
    share, not of what all staff of a unit share. Columns: `rows.COLUMNS`.
    """
    return link_rows(model, frame, scores, _slopes, method="corrected", ci_prob=ci_prob)


def _slopes(frame: Frame, score: np.ndarray) -> Slopes:
    means, covariates = fitted_unit_means(frame, score), unit_covariates(frame)
    errors = error_covariances(means, score)
    for predictor in frame.facets[1:]:
        for question, level, found in corrected_slopes(means, errors, predictor, covariates):
            yield means, question, level, found


def corrected_slopes(
    means: UnitMeans, errors: Errors, predictor: str, covariates: np.ndarray
) -> Iterator[tuple[Question, Level, Slope]]:
    """Slopes of the outcome on the predictor at each level, unadjusted and adjusted."""
    seen = variables(means, predictor)
    levels = levels_of(means, seen, covariates)
    sums = _sums_of_levels(means, errors, levels, seen)
    spreads = sums
    if covariates.shape[1]:
        unconditional = levels_of(means, seen, covariates[:, :0])
        spreads = _sums_of_levels(means, errors, unconditional, (predictor,))
    for question in questions(means, predictor):
        n, at = len(question.predictors), [seen.index(name) for name in question.names]
        for level, own, spread in zip(levels, sums, spreads):
            note = too_few(level, n) or _unknown_errors(means, errors, question)
            found = Slope(note=note) if note else _slope(own.of(at), spread, question, level.freedom(n))
            yield question, level, found


@dataclass(frozen=True)
class _Sums:
    """Sums of products over units, less what errors add to them: in expectation size × covariance.

    with_errors, by_unit : (U, V, V) what each unit adds to the sums themselves, and to the sums less errors,
    its share in the estimation of errors counted · size : a factor · waves : by how much the covariance of
    waves' parts adds · values : (m, V) observations less controls · unit : (m,) · used_up : (U,) leverage of
    controls
    """

    with_errors: np.ndarray
    by_unit: np.ndarray
    size: float
    waves: float
    values: np.ndarray
    unit: np.ndarray
    used_up: np.ndarray

    @property
    def total(self) -> np.ndarray:
        return self.by_unit.sum(axis=0)

    def of(self, at: list[int]) -> _Sums:
        """Of these variables alone."""
        with_errors, by_unit = (x[:, at][:, :, at] for x in (self.with_errors, self.by_unit))
        return replace(self, with_errors=with_errors, by_unit=by_unit, values=self.values[:, at])

    def root(self, n: int) -> float:
        """How many times the errors of the first n variables fit into their sums before nothing is left."""
        observed = self.with_errors[:, :n, :n].sum(axis=0)
        largest = np.linalg.eigvals(np.linalg.solve(observed, observed - self.total[:n, :n])).real.max()
        return float(1 / largest) if largest > 0 else np.inf

    def modified(self, n: int) -> _Sums:
        """Less of the error is taken away where units are few, or hardly anything would be left.

        The ratio of two estimates that both vary is too large on average; this makes up for most of it, and
        keeps the first n variables' covariance positive definite (Fuller 1987, § 2.5; α = 2).
        """
        root = self.root(n)
        share = (1.0 if root > 1 + 1 / self.size else root - 1 / self.size) - _ALPHA / self.size
        return replace(self, by_unit=(1 - share) * self.with_errors + share * self.by_unit)


def _sums_of_levels(
    means: UnitMeans, errors: Errors, levels: list[Level], names: tuple[str, ...]
) -> list[_Sums]:
    """Sums of each level, those between units freed of what waves add."""
    between, *within = (_sums(means, errors, level, names) for level in levels)
    if within and within[0].size > 0:
        between = _less_waves(between, within[0])
    return [between, *within]


def _sums(means: UnitMeans, errors: Errors, level: Level, names: tuple[str, ...]) -> _Sums:
    """What the units' means add up to at a level, and what their errors add to it."""
    n_units, V = len(means.frame.units), len(names)
    weights = level.without_controls(level.transform)
    # Of each variable only the cells that it is made of.
    cells = [np.unique(means.maps[name][level.rows].indices) for name in names]
    left = [weights @ means.maps[name][level.rows][:, at] for name, at in zip(names, cells)]
    values = np.column_stack([p @ means.cells.mean[at] for p, at in zip(left, cells)])
    products = values[:, :, None] * values[:, None, :]
    with_errors = np.zeros((n_units, V, V))
    np.add.at(with_errors, level.unit, products)
    moved = np.zeros((n_units, V, V))
    whole = errors.total
    for a in range(V):
        for b in range(a + 1):
            between = whole[cells[a]][:, cells[b]]
            added = ((left[a] @ between) * left[b]).sum(axis=1)
            products[:, a, b] -= added
            products[:, b, a] = products[:, a, b]
            for pattern, share in zip(errors.patterns, errors.by_unit):
                if not share.any():
                    continue
                part = pattern[cells[a]][:, cells[b]]
                if part.nnz:
                    moved[:, a, b] += ((left[a] @ part) * left[b]).sum() * share
            moved[:, b, a] = moved[:, a, b]
    by_unit = -moved
    np.add.at(by_unit, level.unit, products)
    used_up = np.bincount(level.unit, (level.controls**2).sum(axis=1), minlength=n_units)
    within = level.name == "within"
    waves = float((weights**2).sum())
    size = waves if within else float(len(level.unit) - level.controls.shape[1])
    return _Sums(with_errors, by_unit, size, waves, values, level.unit, used_up)


def _less_waves(between: _Sums, within: _Sums) -> _Sums:
    """Sums between units, less what waves' parts add to units' means over waves."""
    added = within.by_unit * (between.waves / within.size)
    return replace(between, by_unit=between.by_unit - added)


def _unknown_errors(means: UnitMeans, errors: Errors, question: Question) -> str:
    """Facets whose raters' spread nobody shows, though their errors matter."""
    facets = means.frame.facets
    shared = question.adjusted or not len(means.cells.relations)
    needed = (question.predictor, question.outcome) if shared else (question.predictor,)
    alone = [name for name in needed if errors.pooled_over[facets.index(name)] < 1]
    if not alone:
        return ""
    return f"nobody else in the unit rated {' and '.join(alone)}, so that error cannot be told from truth"


def _slope(sums: _Sums, spread: _Sums, question: Question, freedom: int) -> Slope:
    """Estimate and influence of each unit on it."""
    n = len(question.predictors)
    if note := _no_true_variance(sums, question):
        return Slope(note=note)
    sums, spread = sums.modified(n), spread.modified(1)
    inverse = np.linalg.inv(sums.total[:n, :n])
    slope = inverse @ sums.total[:n, n]
    equations = sums.by_unit[:, :n, n] - sums.by_unit[:, :n, :n] @ slope
    influence = equations @ inverse[0] / (1 - _leverage(sums, n))
    variance, of_variance = _mean_and_influence(spread.by_unit[:, 0, 0], spread)
    sd = np.sqrt(variance)
    of_per_sd = sd * influence + slope[0] * of_variance / (2 * sd)
    # Variance of the predictor that others do not explain.
    apart = inverse[0] / inverse[0, 0]
    left, of_left = _mean_and_influence(np.einsum("uab,a,b->u", sums.by_unit[:, :n, :n], apart, apart), sums)
    note = ""
    if left < 2 * _size(of_left):
        note = f"the variance of {question.predictor} beyond error is hardly known: the estimate is unstable"
    return Slope(float(slope[0]), _size(influence), float(slope[0] * sd), _size(of_per_sd), freedom, note)


def _mean_and_influence(by_unit: np.ndarray, sums: _Sums) -> tuple[float, np.ndarray]:
    """A variance, and by how much each unit moves it."""
    taking_part = np.zeros(len(by_unit), dtype=bool)
    taking_part[sums.unit] = True
    deviation = np.where(taking_part, by_unit - by_unit.sum() / taking_part.sum(), 0.0)
    return float(by_unit.sum() / sums.size), deviation / sums.size


def _size(influence: np.ndarray) -> float:
    return float(np.sqrt((influence**2).sum()))


def _no_true_variance(sums: _Sums, question: Question) -> str:
    n = len(question.predictors)
    observed = sums.with_errors[:, :n, :n].sum(axis=0)
    size = np.sqrt(np.diag(observed))
    constant = [name for name, s in zip(question.predictors, size) if s < 1e-9]
    if constant:
        return f"{', '.join(constant)} does not vary"
    together = " and ".join(question.predictors)
    if np.linalg.eigvalsh(observed / np.outer(size, size)).min() < 1e-9:
        return f"{together} cannot be told apart"
    return f"{together}: no variance between means beyond their error" if sums.root(n) <= 1 else ""


def _leverage(sums: _Sums, n: int) -> np.ndarray:
    """(U,) how far each unit draws the regression to itself."""
    x = sums.values[:, :n]
    of_row = np.einsum("ma,ab,mb->m", x, np.linalg.inv(sums.with_errors[:, :n, :n].sum(axis=0)), x)
    of_unit = sums.used_up + np.bincount(sums.unit, of_row, minlength=len(sums.used_up))
    return np.minimum(of_unit, 0.95)
