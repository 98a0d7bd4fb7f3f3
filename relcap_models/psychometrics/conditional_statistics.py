"""Statistics of items given covariates: regressions, and correlations of what they leave.

Each ordinal item has an ordered probit regression on the covariates, each continuous one a linear one; then
each pair has the correlation of the two residuals, by maximum likelihood with the regressions held fixed.
The covariance matrix of all is the sandwich of the two steps, with cross-products of scores as derivatives.

Source: Muthén (1984), Psychometrika 49, 115-132 (its case B).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri

from relcap_models.errors import DataError, FitError, Problem
from relcap_models.psychometrics.conditional_pairs import PairScores, correlate
from relcap_models.psychometrics.margins import Margin, read_margins
from relcap_models.psychometrics.ordinal_statistics import OrdinalStatistics
from relcap_models.psychometrics.pair_checks import definiteness_note, joint_answers

MOST_STEPS = 100


@dataclass(frozen=True)
class Regression:
    """One item given the covariates.

    intercepts : thresholds, or the mean where covariates are 0. slopes : (covariate,). variance : of the
    residual, 1 of ordinal items. lower, upper : (respondent,) thresholds around the answer less what
    covariates predict, infinite beyond the last ones (both the standardised residual of a continuous item).
    place : (respondent,) category, −1 if missing. scores : (respondent, parameter) by intercepts, slopes and,
    of continuous items, the variance.
    """

    margin: Margin
    intercepts: np.ndarray
    slopes: np.ndarray
    variance: float
    lower: np.ndarray
    upper: np.ndarray
    place: np.ndarray
    scores: np.ndarray

    def by_parameters(self, x: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        """(respondent, parameter) derivatives, from those by `lower` and `upper` (or mean and variance)."""
        if not self.margin.ordinal:
            return np.column_stack([low, low[:, None] * x, high])
        n = len(self.intercepts)
        thresholds = _spread(self.place, high, n) + _spread(self.place - 1, low, n)
        return np.hstack([thresholds, -(low + high)[:, None] * x])


def _spread(place: np.ndarray, values: np.ndarray, n: int) -> np.ndarray:
    """(respondent, threshold) each one's value at the threshold that it belongs to, 0 elsewhere."""
    found = np.zeros((len(place), n))
    rows = np.flatnonzero((place >= 0) & (place < n))
    found[rows, place[rows]] = values[rows]
    return found


def conditional_statistics(
    items: pd.DataFrame, covariates: pd.DataFrame, *, continuous: list[str], missing: str
) -> OrdinalStatistics:
    """Thresholds, slopes and residual correlations given covariates, with their covariance matrix.

    Statistics are those of `ordinal_statistics`, of the residuals, with slopes (`y~x`) before the variances,
    covariate by covariate. `covariance` and `correlation` are of the residuals, `mean` is where covariates
    are 0.

    Raises
    ------
    DataError
        If an item or covariate cannot be used, or covariates determine one another or an item.
    FitError
        If a regression does not converge, or one item determines another given the covariates.
    """
    x = covariates.to_numpy(dtype=float)
    _check_covariates(x, list(covariates.columns))
    margins, rows = read_margins(items, set(continuous), missing)
    x = x[rows]
    found = [_regress(margin, x) for margin in margins]
    pairs = [(i, j) for j in range(len(margins)) for i in range(j + 1, len(margins))]
    n_joint = joint_answers(margins, pairs)
    fits = [correlate(*(_view(found[k]) for k in (j, i))) for i, j in pairs]
    names = [m.name for m in margins]
    problems = [
        Problem("items", "one item determines the other", "Leave one out", where=f"{names[j]} and {names[i]}")
        for (i, j), fit in zip(pairs, fits)
        if not fit.scores @ fit.scores > 0
    ]
    if problems:
        raise FitError(problems=problems)
    own, labels = _layout(found, list(covariates.columns))
    influence = _influence(found, own, len(labels), x, pairs, fits)
    correlation = np.eye(len(margins))
    for (i, j), fit in zip(pairs, fits):
        correlation[i, j] = correlation[j, i] = fit.correlation
    deviation = np.sqrt([r.variance for r in found])
    covariance = correlation * np.outer(deviation, deviation)
    _to_covariances(influence, found, own, len(labels), pairs, covariance)
    values = np.empty(len(labels))
    for r, at in zip(found, own):
        values[at] = np.concatenate([r.intercepts, r.slopes, [] if r.margin.ordinal else [r.variance]])
    index = pd.Index(labels + [f"{names[j]}~~{names[i]}" for i, j in pairs])
    return OrdinalStatistics(
        items=tuple(names),
        ordinal=tuple(m.ordinal for m in margins),
        n=len(rows),
        n_joint=pd.DataFrame(n_joint, names, names),
        categories={m.name: m.categories for m in margins if m.ordinal},
        thresholds={r.margin.name: r.intercepts for r in found if r.margin.ordinal},
        mean=pd.Series([0.0 if r.margin.ordinal else r.intercepts[0] for r in found], names),
        covariance=pd.DataFrame(covariance, names, names),
        correlation=pd.DataFrame(correlation, names, names),
        statistics=pd.Series(np.concatenate([values, [covariance[i, j] for i, j in pairs]]), index),
        gamma=pd.DataFrame(len(rows) * influence.T @ influence, index, index),
        influence=influence,
        rows=rows,
        notes=tuple(definiteness_note(correlation)),
        slopes=pd.DataFrame([r.slopes for r in found], names, list(covariates.columns)),
    )


def _check_covariates(x: np.ndarray, names: list[str]) -> None:
    spread = x.std(axis=0)
    if (spread == 0).any():
        raise DataError(f"Covariate {names[int(np.argmin(spread))]} is the same for everybody: leave it out")
    values, vectors = np.linalg.eigh(np.corrcoef(x.T).reshape(len(names), -1))
    if values[0] < 1e-10:
        part = [name for name, w in zip(names, vectors[:, 0]) if abs(w) > 0.05]
        raise DataError(f"Covariates {', '.join(part)} determine one another: leave one out")


def _regress(margin: Margin, x: np.ndarray) -> Regression:
    """The regression, covariates standardised on the way for the sake of digits."""
    center, unit = x.mean(axis=0), x.std(axis=0)
    z = (x - center) / unit
    return _ordinal(margin, x, z, center, unit) if margin.ordinal else _linear(margin, x)


def _linear(margin: Margin, x: np.ndarray) -> Regression:
    seen = margin.answered
    design = np.column_stack([np.ones(len(x)), x])
    weight = np.linalg.lstsq(design[seen], margin.values[seen], rcond=None)[0]
    off = np.where(seen, margin.values - design @ weight, 0.0)
    variance = float(off @ off / seen.sum())
    if variance < 1e-10 * margin.parameters[1]:
        raise DataError(f"The covariates determine {margin.name}: leave it out")
    scores = np.column_stack([off[:, None] / variance * design, (off**2 / variance - seen) / (2 * variance)])
    z = np.where(seen, off / np.sqrt(variance), np.nan)
    place = np.where(seen, 0, -1)
    return Regression(margin, weight[:1], weight[1:], variance, z, z, place, scores)


def _ordinal(
    margin: Margin, x: np.ndarray, z: np.ndarray, center: np.ndarray, unit: np.ndarray
) -> Regression:
    n = len(margin.categories) - 1
    place = np.asarray(margin.values, dtype=int)
    seen = place >= 0
    counts = np.bincount(place[seen], minlength=n + 1)
    start = np.concatenate([ndtri(np.cumsum(counts)[:-1] / counts.sum()), np.zeros(z.shape[1])])
    upper_design = np.hstack([_spread(place, np.ones(len(z)), n), -z])
    lower_design = np.hstack([_spread(place - 1, np.ones(len(z)), n), -z])
    at, value = start, -np.inf
    step = np.zeros_like(at)
    for _ in range(MOST_STEPS):
        low, high = _bounds(place, at, z, n)
        probability = np.where(seen, _between(low, high), 1.0)
        new = np.log(np.maximum(probability, 1e-300)).sum() if (np.diff(at[:n]) > 0).all() else -np.inf
        if new < value - 1e-9 * abs(value):
            step = step / 2
            at = at - step
            continue
        value = new
        rise, fall, curve = _derivatives(low, high, probability, seen)
        slope = upper_design.T @ rise + lower_design.T @ fall
        hessian = (upper_design.T * curve[0]) @ upper_design + (lower_design.T * curve[1]) @ lower_design
        crossed = (upper_design.T * curve[2]) @ lower_design
        step = -np.linalg.solve(hessian + crossed + crossed.T, slope)
        if np.abs(step).max() < 1e-11:
            break
        at = at + step
    else:
        raise FitError(
            f"The regression of {margin.name} on the covariates does not converge: they may tell its "
            "categories apart without error. Leave one out"
        )
    slopes = at[n:] / unit
    thresholds = at[:n] + center @ slopes
    scores = np.hstack([_spread(place, rise, n) + _spread(place - 1, fall, n), -(rise + fall)[:, None] * x])
    return Regression(margin, thresholds, slopes, 1.0, low, high, place, scores)


def _bounds(place: np.ndarray, at: np.ndarray, z: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    ends = np.concatenate([[-np.inf], at[:n], [np.inf]])
    predicted = z @ at[n:]
    code = np.maximum(place, 0)
    return ends[code] - predicted, ends[code + 1] - predicted


def _between(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    flip = low > 0
    return ndtr(np.where(flip, -low, high)) - ndtr(np.where(flip, -high, low))


def _derivatives(
    low: np.ndarray, high: np.ndarray, probability: np.ndarray, seen: np.ndarray
) -> tuple[np.ndarray, np.ndarray, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """By the upper and the lower bound, and second ones (upper, lower, both)."""
    p = np.maximum(probability, 1e-300)
    up = np.where(seen, np.exp(-0.5 * high**2) / np.sqrt(2 * np.pi) / p, 0.0)
    down = np.where(seen, np.exp(-0.5 * low**2) / np.sqrt(2 * np.pi) / p, 0.0)
    high_up = np.where(np.isinf(high), 0.0, high) * up
    low_down = np.where(np.isinf(low), 0.0, low) * down
    return up, -down, (-high_up - up**2, low_down - down**2, up * down)


def _view(r: Regression) -> tuple[bool, np.ndarray, np.ndarray, np.ndarray, float]:
    return r.margin.ordinal, r.lower, r.upper, r.margin.answered, float(np.sqrt(r.variance))


def _layout(found: list[Regression], covariates: list[str]) -> tuple[list[np.ndarray], list[str]]:
    """Where each item's parameters stand among the statistics, and the names of those statistics."""
    labels: list[str] = []
    own: list[list[int]] = []
    for r in found:
        name = r.margin.name
        own.append(list(range(len(labels), len(labels) + len(r.intercepts))))
        labels += (
            [f"{name}|t{k + 1}" for k in range(len(r.intercepts))] if r.margin.ordinal else [f"{name}~1"]
        )
    for covariate in covariates:
        for r, at in zip(found, own):
            at.append(len(labels))
            labels.append(f"{r.margin.name}~{covariate}")
    for r, at in zip(found, own):
        if not r.margin.ordinal:
            at.append(len(labels))
            labels.append(f"{r.margin.name}~~{r.margin.name}")
    return [np.array(at) for at in own], labels


def _influence(
    found: list[Regression],
    own: list[np.ndarray],
    n_own: int,
    x: np.ndarray,
    pairs: list[tuple[int, int]],
    fits: list[PairScores],
) -> np.ndarray:
    """(respondent, statistic) as in `ordinal_statistics`."""
    influence = np.zeros((len(x), n_own + len(pairs)))
    for r, at in zip(found, own):
        influence[:, at] = np.linalg.solve(r.scores.T @ r.scores, r.scores.T).T
    for k, ((i, j), fit) in enumerate(zip(pairs, fits)):
        column = fit.scores.copy()
        for at, (low, high) in ((j, fit.first), (i, fit.second)):
            cross = fit.scores @ found[at].by_parameters(x, low, high)
            column -= influence[:, own[at]] @ cross
        influence[:, n_own + k] = column / (fit.scores @ fit.scores)
    return influence


def _to_covariances(
    influence: np.ndarray,
    found: list[Regression],
    own: list[np.ndarray],
    n_own: int,
    pairs: list[tuple[int, int]],
    covariance: np.ndarray,
) -> None:
    """Turn the influence on correlations into that on covariances (delta method), in place."""
    for k, (i, j) in enumerate(pairs):
        column = influence[:, n_own + k]
        column *= np.sqrt(found[i].variance * found[j].variance)
        for at in (i, j):
            if not found[at].margin.ordinal:
                column += influence[:, own[at][-1]] * covariance[i, j] / (2 * found[at].variance)
