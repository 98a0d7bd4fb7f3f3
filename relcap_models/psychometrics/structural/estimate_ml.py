"""Maximum likelihood: the estimates of a model's free parameters."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from relcap_models.psychometrics.structural.implied_moments import (
    COVARIANCE,
    LOADING,
    Block,
    curvature,
    directions,
    free_entries,
)
from relcap_models.psychometrics.structural.likelihood import (
    expected_information,
    loss,
    observed_information,
    slopes,
)
from relcap_models.psychometrics.structural.model import Model
from relcap_models.psychometrics.structural.newton import Surface, maximum
from relcap_models.psychometrics.structural.sample import Sample


def total_loss(model: Model, theta: np.ndarray) -> float:
    """Minus the log-likelihood per respondent, without constant."""
    try:
        return sum(w * loss(m.sigma, mu, sample) for w, _, m, sample, mu in model.parts(theta))
    except np.linalg.LinAlgError:
        return np.inf


def total_gradient(model: Model, theta: np.ndarray) -> np.ndarray:
    """(free parameter,) derivatives of the loss."""
    found = np.zeros(model.n_free)
    for weight, block, moments, sample, mu in model.parts(theta):
        slope, slope_mean = slopes(moments.sigma, mu, sample)
        moving = directions(block, moments)
        mine = 2 * (moving.u * (slope @ moving.v)).sum(axis=0) + slope_mean @ moving.d
        np.add.at(found, block.parameter[free_entries(block)], weight * mine)
    return found


def total_hessian(model: Model, theta: np.ndarray) -> np.ndarray:
    """(free parameter, free parameter) second derivatives of the loss: the observed information."""
    found = np.zeros((model.n_free, model.n_free))
    for weight, block, moments, sample, mu in model.parts(theta):
        moving = directions(block, moments)
        mine = observed_information(moving, moments.sigma, mu, sample)
        mine += curvature(block, moments, *slopes(moments.sigma, mu, sample))
        _add(found, block, weight * mine)
    return found


def total_expected(model: Model, theta: np.ndarray) -> np.ndarray:
    """(free parameter, free parameter) expected information of one respondent."""
    found = np.zeros((model.n_free, model.n_free))
    for weight, block, moments, sample, mu in model.parts(theta):
        moving = directions(block, moments)
        _add(found, block, weight * expected_information(moving, moments.sigma, mu, sample))
    return found


def _add(total: np.ndarray, block: Block, part: np.ndarray) -> None:
    at = block.parameter[free_entries(block)]
    np.add.at(total, (at[:, None], at[None, :]), part)


def surface_of(model: Model) -> Surface:
    """The loss and its derivatives."""
    return Surface(
        model.freedom,
        partial(total_loss, model),
        partial(total_gradient, model),
        partial(total_hessian, model),
        partial(total_expected, model),
    )


def estimate(model: Model, start: np.ndarray) -> np.ndarray:
    """(free parameter,) maximum-likelihood estimates; see `maximum`."""
    return maximum(surface_of(model), (start, plain_start(model.blocks, model.samples, start)))


def plain_start(blocks: Sequence[Block], samples: Sequence[Sample], start: np.ndarray) -> np.ndarray:
    """Starting values of a model in which everything is independent, for starts that lead nowhere."""
    theta = start.copy()
    for block, sample in zip(blocks, samples):
        for entry in free_entries(block):
            row, column, kind = block.row[entry], block.column[entry], block.kind[entry]
            if kind == COVARIANCE and row == column:
                value = 0.8 * sample.cov[row, row] if row < block.n_observed else 0.2 * sample.cov[0, 0]
            elif kind == COVARIANCE:
                value = 0.0
            elif kind == LOADING:
                value = 0.0 if column < block.n_observed or row >= block.n_observed else 0.5
            else:
                continue
            theta[block.parameter[entry]] = value
    return theta
