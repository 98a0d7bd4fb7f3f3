"""Standard errors and a test of two-level models that hold without normality, clusters being independent."""

from __future__ import annotations

import numpy as np

from relcap_models.psychometrics.structural.constraints import Freedom
from relcap_models.psychometrics.structural.implied_moments import COVARIANCE, MEAN, Block
from relcap_models.psychometrics.structural.model import Model
from relcap_models.psychometrics.structural.two_level_likelihood import (
    two_level_hessian,
    two_level_scores,
)
from relcap_models.psychometrics.structural.two_level_sample import LevelMoments, TwoLevelSample


def two_level_sandwich(
    model: Model, theta: np.ndarray, covariates: tuple[np.ndarray, ...]
) -> tuple[np.ndarray, float]:
    """(covariance of the estimates, trace of U Γ) from observed information and the clusters' scores.

    covariates : (observed,) bool for each block.

    Source: Yuan & Bentler (2007), Sociological Methodology 37, 53-82; traces as in Asparouhov & Muthén
    (2005).
    """
    inverse = model.freedom.invert(two_level_hessian(model, theta))
    scores = two_level_scores(model, theta)
    meat = scores.T @ scores / model.n
    saturated = 0.0
    for g, sample in enumerate(model.samples):
        free, at = moments_model(sample, *covariates[2 * g : 2 * g + 2])
        scores = two_level_scores(free, at)
        saturated += np.trace(np.linalg.solve(two_level_hessian(free, at), scores.T @ scores)) / sample.n
    return inverse @ meat @ inverse / model.n, saturated - np.trace(meat @ inverse)


def unit_sandwich(model: Model, theta: np.ndarray, owner: np.ndarray) -> np.ndarray:
    """Covariance of the estimates if not clusters are independent, but units that several of them lie in.

    owner : (cluster,) the unit of each, from 0.
    """
    inverse = model.freedom.invert(two_level_hessian(model, theta))
    return sum_by_unit(two_level_scores(model, theta) @ inverse / model.n, owner)


def sum_by_unit(by_cluster: np.ndarray, owner: np.ndarray) -> np.ndarray:
    """(estimate, estimate) covariance of what clusters add to each estimate, units being independent."""
    by_unit = np.zeros((owner.max() + 1, by_cluster.shape[1]))
    np.add.at(by_unit, owner, by_cluster)
    # At the border of the covariances that can be, scores do not sum to zero.
    by_unit -= by_unit.mean(axis=0)
    return len(by_unit) / (len(by_unit) - 1) * by_unit.T @ by_unit


def moments_model(
    sample: TwoLevelSample, fixed_within: np.ndarray, fixed_between: np.ndarray
) -> tuple[Model, np.ndarray]:
    """The model whose parameters are the moments at both levels, without those of covariates alone."""
    saturated = sample.saturated
    only = ~np.isin(sample.within, sample.between)
    within, first = _moments_block(saturated.within, fixed_within, ~fixed_within & only, 0)
    between, second = _moments_block(saturated.between, fixed_between, ~fixed_between, len(first))
    theta = np.concatenate([first, second])
    free = Freedom(np.eye(len(theta)), np.zeros(len(theta)))
    return Model((within, between), (sample,), free), theta


def _moments_block(
    level: LevelMoments, fixed: np.ndarray, free_mean: np.ndarray, start: int
) -> tuple[Block, np.ndarray]:
    """start : the number of its first parameter."""
    p = len(level.observed)
    row, column = np.tril_indices(p)
    kind = np.concatenate([np.full(len(row), COVARIANCE), np.full(p, MEAN)])
    value = np.concatenate([level.cov[row, column], level.mean])
    free = np.concatenate([~(fixed[row] & fixed[column]), free_mean])
    parameter = np.where(free, start - 1 + np.cumsum(free), -1)
    row, column = np.concatenate([row, np.arange(p)]), np.concatenate([column, np.zeros(p, dtype=int)])
    block = Block(
        level.observed,
        level.observed,
        kind,
        row,
        column,
        parameter,
        np.where(free, 0.0, value),
        means=True,
    )
    return block, value[free]
