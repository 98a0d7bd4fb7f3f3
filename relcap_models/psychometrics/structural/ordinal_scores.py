"""Factor scores where there are ordinal items: the most probable latent variables given the answers.

Given the continuous variables that a respondent answered, the latent variables are normal. Each ordinal item
adds the probability of the answered category, which is log-concave in them, so that Newton's steps with exact
derivatives reach the one maximum. They run over all respondents at once, in directions in which that normal
distribution is standard: latent variables that others determine then need no inverse.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import log_ndtr

from relcap_models.errors import FitError
from relcap_models.psychometrics.structural.estimate_dwls import OrdinalModel
from relcap_models.psychometrics.structural.normal_scores import (
    causes_of_observed,
    likelihood_scores,
    regression_scores,
)
from relcap_models.psychometrics.structural.ordinal_moments import OrdinalBlock, OrdinalMoments
from relcap_models.psychometrics.structural.sample import Sample

VAGUE = 1e5
"""The prior variance under `ML`, for answers that have no finite maximum (lavaan's value)."""

MOST_STEPS = 200
MOST_HALVINGS = 30
TOLERANCE = 1e-10
HALF_LOG_TAU = 0.5 * np.log(2 * np.pi)


def ordinal_scores(model: OrdinalModel, theta: np.ndarray, *, method: str) -> list[np.ndarray]:
    """(respondent, latent) scores of each group. method : `EBM` or `ML`, see `factor_scores`.

    Raises
    ------
    FitError
        If a residual variance or the covariance matrix of the latent variables is not positive.
    """
    found = []
    for part, moments, sample, statistics in zip(
        model.parts_ordinal, model.implied(theta), model.samples, model.statistics
    ):
        codes = _codes(sample, statistics.categories)
        continuous = np.flatnonzero(~part.ordinal)
        patterns, which = np.unique(~np.isnan(sample.values[:, continuous]), axis=0, return_inverse=True)
        n_latent = len(moments.total.mean) - part.block.n_observed - len(part.covariates)
        scores = np.empty((sample.n, n_latent))
        if not n_latent:
            found.append(scores)
            continue
        for k, pattern in enumerate(patterns):
            rows = np.flatnonzero(which == k)
            given = _given(part, moments, sample, rows, continuous[pattern], method=method)
            lower, upper = _limits(part, moments, codes[rows])
            scores[rows] = (
                given.mean
                + most_probable(
                    (lower - given.level) / given.spread,
                    (upper - given.level) / given.spread,
                    given.slope / given.spread[:, None],
                )
                @ given.root.T
            )
        found.append(scores)
    return found


def _codes(sample: Sample, categories: dict[str, np.ndarray]) -> np.ndarray:
    """(respondent, ordinal item) the category answered, −1 where there is no answer."""
    columns = []
    for name, values in zip(sample.observed, sample.values.T):
        if name in categories:
            codes = np.searchsorted(categories[name], values)
            columns.append(np.where(np.isnan(values), -1, codes))
    return np.column_stack(columns)


def _limits(part: OrdinalBlock, moments: OrdinalMoments, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(respondent, ordinal item) thresholds below and above each answer, infinite where there is none."""
    lower, upper = np.full(codes.shape, -np.inf), np.full(codes.shape, np.inf)
    for column, item in enumerate(np.flatnonzero(part.ordinal)):
        bounds = np.concatenate([[-np.inf], moments.threshold[part.item == item], [np.inf]])
        seen = codes[:, column] >= 0
        lower[seen, column] = bounds[codes[seen, column]]
        upper[seen, column] = bounds[codes[seen, column] + 1]
    return lower, upper


@dataclass(frozen=True)
class _Given:
    """Respondents' latent variables, and the variables beneath their ordinal items, given continuous answers.

    mean : (respondent, latent). root : (latent, direction) times its transpose is their covariance matrix.
    level : (respondent, item) of the variable beneath at `mean`. slope : (item, direction). spread : (item,)
    residual standard deviation.
    """

    mean: np.ndarray
    root: np.ndarray
    level: np.ndarray
    slope: np.ndarray
    spread: np.ndarray


def _given(
    part: OrdinalBlock,
    moments: OrdinalMoments,
    sample: Sample,
    rows: np.ndarray,
    seen: np.ndarray,
    *,
    method: str,
) -> _Given:
    mean, covariance = moments.total.mean, moments.total.covariance
    p = part.block.n_observed
    latent = np.arange(p, len(mean) - len(part.covariates))
    ordinal = np.flatnonzero(part.ordinal)
    known = sample.values[np.ix_(rows, seen)]
    if len(part.covariates):
        seen, known = np.concatenate([seen, part.covariates]), np.hstack([known, sample.given[rows]])
    off = known - mean[seen]
    if method == "ML":
        effects, left = causes_of_observed(moments.total, latent)
        about, _ = regression_scores(
            covariance, latent, part.covariates, off[:, len(off.T) - len(part.covariates) :]
        )
        center, spread = likelihood_scores(
            effects[seen],
            left[np.ix_(seen, seen)],
            off,
            scale=np.sqrt(np.abs(np.diag(covariance)[latent])),
            vague=VAGUE,
            center=about,
        )
        # As if latent variables had any variance and nothing explained them.
        covariance = left + effects @ effects.T
        covariance[latent] = effects.T
        covariance[:, latent] = effects
        covariance[np.ix_(latent, latent)] = np.eye(len(latent))
    else:
        center, spread = regression_scores(covariance, latent, seen, off)
    values, vectors = np.linalg.eigh(spread)
    if values[0] < -1e-8 * max(values[-1], 1.0):
        raise FitError(
            f"There are no factor scores{_where(sample)}: the covariance matrix of the factors is not "
            "positive definite. Simplify the model"
        )
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    both = np.concatenate([latent, seen])
    weight = covariance[np.ix_(ordinal, both)] @ np.linalg.pinv(covariance[np.ix_(both, both)])
    residual = np.diag(covariance)[ordinal] - (weight * covariance[np.ix_(ordinal, both)]).sum(axis=1)
    if residual.min() <= 0:
        name = part.block.observed[ordinal[int(residual.argmin())]]
        raise FitError(
            f"There are no factor scores{_where(sample)}: the residual variance of {name} is not positive (a "
            "Heywood case). Leave it out, or simplify the model"
        )
    level = mean[ordinal] + np.hstack([center, off]) @ weight.T
    return _Given(mean[latent] + center, root, level, weight[:, : len(latent)] @ root, np.sqrt(residual))


def _where(sample: Sample) -> str:
    return f" in group '{sample.group}'" if sample.group else ""


def most_probable(lower: np.ndarray, upper: np.ndarray, slope: np.ndarray) -> np.ndarray:
    """(respondent, direction) z that makes the answers and a standard normal z most probable together.

    lower, upper : (respondent, item) between which a normal variable with mean `slope @ z` and variance 1
    lies. slope : (item, direction).

    Raises
    ------
    FitError
        If no maximum is reached.
    """
    at = np.zeros((len(lower), slope.shape[1]))
    crossed = (slope[:, :, None] * slope[:, None, :]).reshape(len(slope), -1)
    value, pull, bend = _answer_likelihood(lower, upper, at @ slope.T)
    value = value.sum(axis=1)
    for _ in range(MOST_STEPS):
        curvature = (bend @ crossed).reshape(len(at), slope.shape[1], -1) + np.eye(slope.shape[1])
        step = np.linalg.solve(curvature, (pull @ slope - at)[:, :, None])[:, :, 0]
        size = np.ones(len(at))
        for _ in range(MOST_HALVINGS):
            tried = at + size[:, None] * step
            new, pull, bend = _answer_likelihood(lower, upper, tried @ slope.T)
            new = new.sum(axis=1) - 0.5 * (tried**2).sum(axis=1)
            worse = new < value - 1e-9 * (1 + np.abs(value))
            if not worse.any():
                break
            size[worse] /= 2
        at, value = tried, new
        if np.abs(size[:, None] * step).max(initial=0.0) < TOLERANCE:
            return at
    raise FitError("The factor scores did not converge: a loading or residual variance is extreme")


def _answer_likelihood(
    lower: np.ndarray, upper: np.ndarray, mean: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(respondent, item) log-likelihood, its slope by the mean, and minus its curvature."""
    low, high = lower - mean, upper - mean
    # In the tail below zero, where probabilities keep their digits.
    turned = low > 0
    low, high = np.where(turned, -high, low), np.where(turned, -low, high)
    below, above = log_ndtr(low), log_ndtr(high)
    with np.errstate(divide="ignore", invalid="ignore"):
        log_p = above + np.log1p(-np.exp(below - above))
        ratio_low = np.exp(-0.5 * low**2 - HALF_LOG_TAU - log_p)
        ratio_high = np.exp(-0.5 * high**2 - HALF_LOG_TAU - log_p)
        pull = ratio_low - ratio_high
        edge_low = np.where(np.isinf(low), 0.0, low * ratio_low)
        edge_high = np.where(np.isinf(high), 0.0, high * ratio_high)
    bend = pull**2 - (edge_low - edge_high)
    return log_p, np.where(turned, -pull, pull), np.maximum(bend, 0.0)
