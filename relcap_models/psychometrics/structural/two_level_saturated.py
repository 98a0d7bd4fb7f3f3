"""Means and covariances at two levels without a model: maximum likelihood among covariances that can be.

The between covariance matrix is L L' with L lower triangular, so that it cannot leave the positive
semidefinite ones, as it cannot under EM; Newton's method reaches the border where EM only creeps.
"""

from __future__ import annotations

import numpy as np

from relcap_models.errors import FitError
from relcap_models.psychometrics.structural.constraints import Freedom
from relcap_models.psychometrics.structural.implied_moments import COVARIANCE, LOADING, MEAN, Block
from relcap_models.psychometrics.structural.model import Model
from relcap_models.psychometrics.structural.newton import Surface, climb
from relcap_models.psychometrics.structural.two_level_likelihood import (
    two_level_log_likelihood,
    two_level_surface,
)
from relcap_models.psychometrics.structural.two_level_sample import LevelMoments, Saturated, TwoLevelSample

SMALLEST_EIGENVALUE = 1e-4
START_EIGENVALUE = 0.05
NEGLIGIBLE = 1e-4


def saturated_levels(sample: TwoLevelSample) -> Saturated:
    """The most likely moments.

    Raises
    ------
    FitError
        If they are not found.

    Source: McDonald & Goldstein (1989), British Journal of Mathematical and Statistical Psychology 42,
    215-232.
    """
    model, start = _model(sample)
    surface = two_level_surface(model)
    theta, converged = climb(surface, start)
    converged = converged or _reachable(surface, theta) * sample.n < NEGLIGIBLE
    where = f" of group '{sample.group}'" if sample.group else ""
    if not converged:
        raise FitError(
            f"Covariances within and between clusters{where} were not found: the clusters are too few or too "
            "small for so many variables. Leave variables out"
        )
    within, between = model.moments(theta)
    notes = ()
    # Against everybody's variance, so that a variable without variance between clusters shows.
    scale = sample.values[:, sample.at_between].std(axis=0)
    values, vectors = np.linalg.eigh(between.sigma / np.outer(scale, scale))
    flat = [name for name, w in zip(sample.between, vectors[:, 0]) if abs(w) > 0.3]
    if values[0] < SMALLEST_EIGENVALUE:
        notes = (
            f"Without a model the covariance matrix between clusters{where} is singular: {', '.join(flat)} "
            "hardly differ between them, or differ alike. Chi-square and its kin are approximate",
        )
    return Saturated(
        LevelMoments(sample.within, within.mu, within.sigma, sample.n),
        LevelMoments(sample.between, between.mu, between.sigma, sample.n_clusters),
        two_level_log_likelihood(sample, within, between),
        notes,
    )


def _reachable(surface: Surface, theta: np.ndarray) -> float:
    """How much lower Newton's method takes the loss to lie; at the border the slopes vanish slowly."""
    slope = surface.gradient(theta)
    return 0.5 * float(slope @ np.linalg.lstsq(surface.hessian(theta), slope, rcond=1e-12)[0])


def _model(sample: TwoLevelSample) -> tuple[Model, np.ndarray]:
    """The model without restrictions, and where to start."""
    inner, outer = sample.within, sample.between
    p, q = len(inner), len(outer)
    alone = np.array([i for i, name in enumerate(inner) if name not in outer], dtype=int)
    row, column = np.tril_indices(p)
    start_within, mean = _start_within(sample)
    kind = np.concatenate([np.full(len(row), COVARIANCE), np.full(len(alone), MEAN)])
    within = Block(
        inner,
        inner,
        kind,
        np.concatenate([row, alone]),
        np.concatenate([column, np.zeros_like(alone)]),
        np.arange(len(kind)),
        np.zeros(len(kind)),
        means=True,
    )
    begin = np.concatenate([start_within[row, column], mean[alone]])
    row, column = np.tril_indices(q)
    every = np.arange(q)
    kind = np.concatenate([np.full(len(row), LOADING), np.full(q, COVARIANCE), np.full(q, MEAN)])
    free = np.concatenate([np.arange(len(row)), np.full(q, -1), len(row) + every])
    between = Block(
        outer,
        (*outer, *(f"{name}*" for name in outer)),
        kind,
        np.concatenate([row, q + every, every]),
        np.concatenate([q + column, q + every, np.zeros(q, dtype=int)]),
        np.where(free < 0, -1, free + len(begin)),
        np.concatenate([np.zeros(len(row)), np.ones(q), np.zeros(q)]),
        means=True,
    )
    factor = _start_factor(sample, start_within)
    begin = np.concatenate([begin, factor[row, column], mean[sample.at_between]])
    none = np.zeros(len(begin))
    return Model((within, between), (sample,), Freedom(np.eye(len(begin)), none)), begin


def _start_within(sample: TwoLevelSample) -> tuple[np.ndarray, np.ndarray]:
    """Pooled covariance within clusters, and everybody's means."""
    cov = sample.contrasts.cov.copy()
    # Few contrasts may be singular though everybody's answers are not.
    cov[np.diag_indices_from(cov)] *= 1.01
    return cov, sample.values.mean(axis=0)


def _start_factor(sample: TwoLevelSample, within: np.ndarray) -> np.ndarray:
    """Cholesky factor of the means' covariance less what differences within clusters add, made positive."""
    p = len(sample.within)
    means = np.vstack([part.values for part in sample.means])
    cov = np.cov(means, rowvar=False, bias=True).reshape(means.shape[1], -1)
    left = cov.copy()
    left[:p, :p] -= within * np.mean(1 / sample.cluster_sizes)
    at = np.ix_(sample.at_between, sample.at_between)
    scale = np.sqrt(np.diag(cov[at]))
    values, vectors = np.linalg.eigh(left[at] / np.outer(scale, scale))
    inside = (vectors * np.maximum(values, START_EIGENVALUE)) @ vectors.T
    return np.linalg.cholesky(inside * np.outer(scale, scale))
