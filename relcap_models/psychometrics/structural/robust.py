"""Tests and standard errors that hold without normality (MLM, MLR), and fit with missing answers.

Traces are of U Γ: Γ is the sampling covariance of the moments, U what the model leaves of their weight.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.linalg import block_diag

from relcap_models.psychometrics.structural.clusters import shared_products, stacked_products
from relcap_models.psychometrics.structural.estimate_ml import total_expected, total_hessian
from relcap_models.psychometrics.structural.implied_moments import (
    Block,
    Moments,
    directions,
    free_entries,
    jacobian,
    kept_moments,
    saturated_directions,
)
from relcap_models.psychometrics.structural.likelihood import (
    casewise_scores,
    expected_information,
    loss,
    observed_information,
)
from relcap_models.psychometrics.structural.model import Model
from relcap_models.psychometrics.structural.sample import Pattern, Sample


def sandwich_mlm(
    model: Model, theta: np.ndarray, covariates: tuple[np.ndarray, ...]
) -> tuple[np.ndarray, float]:
    """(covariance of the estimates, trace of U Γ) after Satorra and Bentler, from expected information.

    covariates : (observed,) bool for each block.

    Source: Satorra & Bentler (1994), in von Eye & Clogg (eds), Latent Variables Analysis, 399-419.
    """
    inverse = model.freedom.invert(total_expected(model, theta))
    meat = np.zeros_like(inverse)
    trace = 0.0
    for (weight, block, moments, sample, mu), fixed in zip(model.parts(theta), covariates):
        moment = saturated_directions(block.n_observed, means=block.means)
        normal = expected_information(moment, moments.sigma, mu, sample)
        sampling = moment_sampling(sample, means=block.means, fixed=fixed)
        weighted = normal @ sampling
        slope = moment_slopes(block, moments, model.n_free)
        trace += np.trace(weighted)
        meat += weight * slope.T @ weighted @ normal @ slope
    return inverse @ meat @ inverse / model.n, trace - np.trace(inverse @ meat)


def sandwich_mlr(
    model: Model, theta: np.ndarray, covariates: tuple[np.ndarray, ...]
) -> tuple[np.ndarray, float]:
    """(covariance of the estimates, trace of U Γ) after Yuan and Bentler, from observed information.

    Scores are summed within clusters, if there are any.

    Source: Huber (1967); White (1982), Econometrica 50, 1-25; Yuan & Bentler (2000), Sociological Methodology
    30, 165-200, T2* with traces as in Asparouhov & Muthén (2005).
    """
    inverse = model.freedom.invert(total_hessian(model, theta))
    scores = []
    saturated = 0.0
    for (_, block, moments, sample, mu), fixed in zip(model.parts(theta), covariates):
        mine = casewise_scores(directions(block, moments), moments.sigma, mu, sample)
        scores.append(mine @ _membership(block, model.n_free))
        moment = saturated_directions(block.n_observed, means=block.means, fixed=fixed)
        bread = observed_information(moment, sample.cov, sample.mean, sample)
        free_scores = casewise_scores(moment, sample.cov, sample.mean, sample)
        products = shared_products([free_scores], [sample])
        saturated += np.trace(np.linalg.solve(bread, products)) / sample.n
    meat = shared_products(scores, model.samples) / model.n
    return inverse @ meat @ inverse / model.n, saturated - np.trace(meat @ inverse)


def moment_sampling(sample: Sample, *, means: bool, fixed: np.ndarray) -> np.ndarray:
    """Γ, the distribution-free sampling covariance of means and covariances, times n."""
    moments = moment_influence(sample, means=means, fixed=fixed)
    return moments.T @ moments / sample.n


def moment_influence(sample: Sample, *, means: bool, fixed: np.ndarray) -> np.ndarray:
    """(respondent, moment) what each one contributes to the error of means and covariances, times n.

    fixed : (observed,) bool, covariates: what they predict of the others is taken as given.

    Source: Browne (1984), British Journal of Mathematical and Statistical Psychology 37, 62-83.
    """
    centred = sample.values - sample.mean
    moments = _products(centred, means=means)
    if fixed.any():
        predicted = centred.copy()
        x = centred[:, fixed]
        predicted[:, ~fixed] = x @ np.linalg.lstsq(x, centred[:, ~fixed], rcond=None)[0]
        moments = moments - _products(predicted, means=means)
    return moments - moments.mean(axis=0)


def _products(centred: np.ndarray, *, means: bool) -> np.ndarray:
    column, row = np.triu_indices(centred.shape[1])
    products = centred[:, row] * centred[:, column]
    return np.hstack([centred, products]) if means else products


def _membership(block: Block, n_free: int) -> np.ndarray:
    """(free entry, free parameter) 1 where the entry is the parameter."""
    at = block.parameter[free_entries(block)]
    found = np.zeros((len(at), n_free))
    found[np.arange(len(at)), at] = 1.0
    return found


def moment_slopes(block: Block, moments: Moments, n_free: int) -> np.ndarray:
    """(moment, free parameter) derivatives of the block's moments."""
    moving = directions(block, moments)
    return jacobian(moving, means=block.means) @ _membership(block, n_free)


def corrected_for_missing(
    model: Model, theta: np.ndarray, covariates: tuple[np.ndarray, ...], *, robust: bool
) -> tuple[float, float]:
    """(chi-square, trace) with which fit is estimated as if no answer were missing.

    The chi-square is the model's distance from the saturated moments as if these were a complete sample's;
    robust : the trace holds without normality (V3 of the source), else with it (V6).

    Source: Zhang & Savalei (2023), Psychological Methods 28, 263-283.
    """
    chisq = 0.0
    inner = np.zeros((model.n_free, model.n_free))
    bread, full, normal, errors, slope = [], [], [], [], []
    for (weight, block, moments, sample, _), fixed in zip(model.parts(theta), covariates):
        whole = _as_complete(sample)
        chisq += (
            2 * sample.n * (loss(moments.sigma, moments.mu, whole) - loss(sample.cov, sample.mean, whole))
        )
        moment = saturated_directions(block.n_observed, means=block.means, fixed=fixed)
        missing = observed_information(moment, sample.cov, sample.mean, sample)
        rows = kept_moments(block.n_observed, means=block.means, fixed=fixed)
        slope.append(moment_slopes(block, moments, model.n_free)[rows])
        inner += weight * slope[-1].T @ missing @ slope[-1]
        bread.append(weight * missing)
        full.append(weight * expected_information(moment, sample.cov, sample.mean, whole))
        if robust:
            scores = casewise_scores(moment, sample.cov, sample.mean, sample)
            errors.append(np.linalg.solve(missing, scores.T).T / sample.n)
        else:
            normal.append(np.linalg.inv(missing) / weight)
    slopes = np.vstack(slope)
    sampling = model.n * stacked_products(errors, model.samples) if robust else block_diag(*normal)
    # What the model cannot reach of a deviation of the moments.
    beyond = np.eye(len(slopes)) - slopes @ model.freedom.invert(inner) @ slopes.T @ block_diag(*bread)
    return chisq, float(np.trace(beyond.T @ block_diag(*full) @ beyond @ sampling))


def _as_complete(sample: Sample) -> Sample:
    everything = Pattern(np.arange(len(sample.observed)), np.arange(sample.n), sample.mean, sample.cov)
    return replace(sample, patterns=(everything,))
