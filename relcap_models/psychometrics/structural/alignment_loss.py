"""Alignment of one factor: the group means and variances at which loadings and intercepts agree best.

In the configural model each group's factor has mean 0 and variance 1. With mean α and variance ψ instead, its
loadings are λ / √ψ and its intercepts ν − α λ / √ψ (thresholds τ + α λ / √ψ), and the model fits as well.
The loss sums (d² + ε)^¼ over parameters and pairs of groups, d their difference: it prefers a few large
differences to many small ones.

Source: Asparouhov & Muthén (2014), Structural Equation Modeling 21, 495-508.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.linalg import block_diag, null_space
from scipy.optimize import minimize
from statsmodels.tools.numdiff import approx_fprime

from relcap_models.errors import FitError

EPSILON = 0.01
COARSER = (10.0, 1.0, 0.1)
STARTS = 10
NEWTON_STEPS = 20


@dataclass(frozen=True)
class Configural:
    """What the configural model says of one factor.

    loadings : (item, group). levels : (level, group) intercepts or thresholds. item : (level,) the item of
    each. sign : (level,) 1 for intercepts, −1 for thresholds. n : (group,) respondents. fixed : the group
    whose mean is 0 and whose variance is 1, or None for means that are all estimated and variances whose
    product is 1.
    """

    loadings: np.ndarray
    levels: np.ndarray
    item: np.ndarray
    sign: np.ndarray
    n: np.ndarray
    fixed: int | None

    @property
    def packed(self) -> np.ndarray:
        """(parameter · group,) loadings and then levels."""
        return np.concatenate([self.loadings.ravel(), self.levels.ravel()])

    def unpack(self, packed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return (
            packed[: self.loadings.size].reshape(self.loadings.shape),
            packed[self.loadings.size :].reshape(self.levels.shape),
        )

    @property
    def weights(self) -> np.ndarray:
        """(group, group) √(n n'), with sum 1 over pairs."""
        root = np.sqrt(self.n)
        weight = np.outer(root, root)
        np.fill_diagonal(weight, 0.0)
        return weight / weight.sum() * 2

    @property
    def basis(self) -> np.ndarray:
        """(log standard deviation and mean of each group, free direction): logs sum to 0."""
        groups = len(self.n)
        means = np.eye(groups)
        if self.fixed is not None:
            means = np.delete(means, self.fixed, axis=1)
        return block_diag(null_space(np.ones((1, groups))), means)


@dataclass(frozen=True)
class Aligned:
    """The outcome, with the covariance matrix of everything in it.

    means, variances : (group,). parameters : (parameter, group) loadings, then levels. loss : per pair and
    parameter. covariance : of means, variances and parameters (row by row), in this order.
    """

    means: np.ndarray
    variances: np.ndarray
    parameters: np.ndarray
    covariance: np.ndarray
    loss: float


def align(configural: Configural, covariance: np.ndarray) -> Aligned:
    """Means and variances that align the groups, with standard errors by the delta method.

    covariance : (parameter · group, parameter · group) of the configural estimates, as `Configural.packed`.

    Raises
    ------
    FitError
        If the loss has no minimum that can be found.
    """
    basis, packed = configural.basis, configural.packed
    at = _minimum(configural)
    gradient = _gradient_of(configural, packed, EPSILON)
    hessian = basis.T @ approx_fprime(basis @ at, gradient, centered=True) @ basis
    cross = basis.T @ approx_fprime(
        packed, lambda given: _gradient_of(configural, given, EPSILON)(basis @ at), centered=True
    )
    moved = -basis @ np.linalg.pinv(hessian, rcond=1e-10, hermitian=True) @ cross
    slope = approx_fprime(basis @ at, lambda eta: _outcome(configural, eta, packed), centered=True) @ moved
    slope += approx_fprime(packed, lambda given: _outcome(configural, basis @ at, given), centered=True)
    found = _outcome(configural, basis @ at, packed)
    groups = len(configural.n)
    return Aligned(
        found[:groups],
        found[groups : 2 * groups],
        found[2 * groups :].reshape(-1, groups),
        slope @ covariance @ slope.T,
        _loss(configural, basis @ at, packed, EPSILON) / (len(found) / groups - 2),
    )


def _aligned(configural: Configural, eta: np.ndarray, packed: np.ndarray) -> np.ndarray:
    """(parameter, group) loadings and levels."""
    groups = len(configural.n)
    loadings, levels = configural.unpack(packed)
    loadings = loadings * np.exp(-eta[:groups])
    shift = configural.sign[:, None] * eta[groups:] * loadings[configural.item]
    return np.vstack([loadings, levels - shift])


def _outcome(configural: Configural, eta: np.ndarray, packed: np.ndarray) -> np.ndarray:
    """Means, variances and aligned parameters, in units of the fixed group if there is one."""
    groups = len(configural.n)
    parameters = _aligned(configural, eta, packed)
    spread, means = np.exp(eta[:groups]), eta[groups:]
    if configural.fixed is not None:
        unit = spread[configural.fixed]
        spread, means = spread / unit, means / unit
        parameters[: len(configural.loadings)] *= unit
    return np.concatenate([means, spread**2, parameters.ravel()])


def _loss(configural: Configural, eta: np.ndarray, packed: np.ndarray, epsilon: float) -> float:
    parameters = _aligned(configural, eta, packed)
    apart = parameters[:, :, None] - parameters[:, None, :]
    return float(0.5 * (configural.weights * (apart**2 + epsilon) ** 0.25).sum())


def _gradient_of(
    configural: Configural, packed: np.ndarray, epsilon: float
) -> Callable[[np.ndarray], np.ndarray]:
    """The slopes of the loss as a function of log standard deviations and means."""
    groups, n_items = len(configural.n), len(configural.loadings)

    def gradient(eta: np.ndarray) -> np.ndarray:
        parameters = _aligned(configural, eta, packed)
        apart = parameters[:, :, None] - parameters[:, None, :]
        pull = (configural.weights * 0.5 * apart * (apart**2 + epsilon) ** -0.75).sum(axis=2)
        loadings = parameters[:n_items]
        reach = configural.sign[:, None] * loadings[configural.item] * pull[n_items:]
        by_spread = (reach * eta[groups:]).sum(axis=0) - (loadings * pull[:n_items]).sum(axis=0)
        return np.concatenate([by_spread, -reach.sum(axis=0)])

    return gradient


def _minimum(configural: Configural) -> np.ndarray:
    """(free direction,) the lowest minimum from several starts."""
    basis, packed = configural.basis, configural.packed

    def descend(x: np.ndarray, epsilon: float) -> np.ndarray:
        gradient = _gradient_of(configural, packed, epsilon)
        return minimize(
            lambda y: _loss(configural, basis @ y, packed, epsilon),
            x,
            jac=lambda y: basis.T @ gradient(basis @ y),
            method="BFGS",
            options={"gtol": 1e-7, "maxiter": 2000},
        ).x

    def height(x: np.ndarray) -> float:
        return _loss(configural, basis @ x, packed, EPSILON)

    groups = len(configural.n)
    # A smooth loss first, which has one minimum, and then ever sharper ones.
    plain = np.concatenate([np.log(np.sqrt((configural.loadings**2).mean(axis=0))), np.zeros(groups)])
    plain[:groups] -= plain[:groups].mean()
    smooth = basis.T @ plain
    for epsilon in COARSER:
        smooth = descend(smooth, epsilon)
    rng = np.random.default_rng(0)
    scale = 0.3 + np.abs(smooth)
    starts = [smooth, *(smooth + scale * rng.normal(size=len(smooth)) for _ in range(STARTS))]
    best = min((descend(start, EPSILON) for start in starts), key=height)
    return _sharpened(configural, best)


def _sharpened(configural: Configural, x: np.ndarray) -> np.ndarray:
    """Newton steps: standard errors need slopes that are zero."""
    basis = configural.basis
    gradient = _gradient_of(configural, configural.packed, EPSILON)
    for _ in range(NEWTON_STEPS):
        slope = basis.T @ gradient(basis @ x)
        if np.abs(slope).max() < 1e-11:
            break
        hessian = basis.T @ approx_fprime(basis @ x, gradient, centered=True) @ basis
        step = np.linalg.lstsq(hessian, slope, rcond=1e-10)[0]
        if not np.abs(basis.T @ gradient(basis @ (x - step))).max() < np.abs(slope).max():
            break
        x = x - step
    if np.abs(basis.T @ gradient(basis @ x)).max() > 1e-5:
        raise FitError(
            "The groups could not be aligned: the loss has no minimum nearby. Leave out groups in which the "
            "configural model does not fit"
        )
    return x
