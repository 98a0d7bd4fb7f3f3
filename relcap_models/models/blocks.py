"""Pieces of a PyMC graph that every model uses: covariances, centred effects, ordinal likelihoods."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pymc.distributions.dist_math import normal_lcdf

Tensor = pt.TensorVariable


def correlation_cholesky(name: str, root: np.ndarray, eta: float) -> Tensor:
    """Cholesky factor of the correlation matrix of `correlation_root`."""
    rows = correlation_root(name, root, eta)
    return pt.linalg.cholesky(rows @ rows.T)


def correlation_root(name: str, root: np.ndarray, eta: float) -> Tensor:
    """A square root R of a correlation matrix R·Rᵀ: root·LKJ(eta)·root, scaled back to a unit diagonal.

    root : symmetric square root of the reference around which the matrix lies. The LKJ matrix is built from
    partial correlations with Beta priors along a C-vine (Lewandowski, Kurowicka & Joe 2009, J. Multivariate
    Analysis 100, 1989–2001).
    """
    size = len(root)
    if size == 1:
        return pt.ones((1, 1))
    row, column = np.tril_indices(size, k=-1)
    shape = eta + (size - 2 - column) / 2
    partial = 2 * pm.Beta(f"{name}_partial", shape, shape, shape=len(row)) - 1
    strict = pt.zeros((size, size))[row, column].set(partial)
    left = pt.sqrt(1 - strict**2)
    before = pt.concatenate([pt.ones((size, 1)), pt.cumprod(left, axis=1)[:, :-1]], axis=1)
    rows = pt.dot(root, (strict + pt.eye(size)) * pt.tril(before))
    return rows / pt.sqrt((rows**2).sum(axis=1, keepdims=True))


def wave_correlation_cholesky(stability: Tensor, memory: Tensor | None, n_waves: int) -> Tensor:
    """Cholesky factor (W, W) of the correlation between waves: a stable part plus a stationary AR(1) part.

    stability : share of variance that never changes
    memory : lag-1 correlation of the rest (None: independent)
    """
    lag = np.abs(np.subtract.outer(np.arange(n_waves), np.arange(n_waves)))
    fading = pt.eye(n_waves) if memory is None else memory**lag
    return pt.linalg.cholesky(stability + (1 - stability) * fading)


def centred(effects: Tensor, strata: np.ndarray | None = None) -> Tensor:
    """Effects less their mean over the first axis, or over each stratum of it.

    This is parameterisation: locations (thresholds, wave means) take up what is removed.
    """
    if strata is None or len(np.unique(strata)) == 1:
        return effects - effects.mean(axis=0, keepdims=True)
    n_strata = int(strata.max()) + 1
    counts = np.maximum(np.bincount(strata, minlength=n_strata), 1)
    sums = pt.zeros((n_strata, effects.shape[1]))[strata].inc(effects)
    return effects - (sums / counts[:, None])[strata]


def ordered_thresholds(name: str, starts: Sequence[np.ndarray], sd: float) -> Tensor:
    """Flat vector of thresholds, item by item, each item's in rising order.

    Each item's thresholds are independent normals with standard deviation `sd`, conditioned on their order.
    Items with equally many categories share one random variable.
    """
    lengths = np.array([len(s) for s in starts])
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    flat = pt.zeros(int(offsets[-1]))
    for length in np.unique(lengths):
        items = np.flatnonzero(lengths == length)
        initial = np.stack([starts[i] for i in items])
        ordering = {"transform": pm.distributions.transforms.ordered} if length > 1 else {}
        value = pm.Normal(
            f"{name}_{length + 1}_categories",
            0.0,
            sd,
            shape=initial.shape,
            initval=initial,
            **ordering,
        )
        where = (offsets[items][:, None] + np.arange(length)).ravel()
        flat = flat[where].set(value.ravel())
    return flat


def cumulative_log_likelihood(
    link: str,
    location: Tensor,
    thresholds: Tensor,
    *,
    item: np.ndarray,
    answer: np.ndarray,
    first_threshold: np.ndarray,
    n_categories: np.ndarray,
) -> Tensor:
    """Σ log P(answer) of a cumulative model, accurate in both tails.

    location : (M,) λη of each response · thresholds : flat, item by item · item, answer : (M,)
    """
    upper = first_threshold[item] + answer
    top = answer == n_categories[item] - 1
    bottom = answer == 0
    middle = np.flatnonzero(~top & ~bottom)
    bottom, top = np.flatnonzero(bottom), np.flatnonzero(top)
    total = pt.zeros(())
    if len(bottom):
        total += _log_cdf(link, thresholds[upper[bottom]] - location[bottom]).sum()
    if len(top):
        total += _log_cdf(link, location[top] - thresholds[upper[top] - 1]).sum()
    if len(middle):
        here = location[middle]
        a, b = thresholds[upper[middle] - 1] - here, thresholds[upper[middle]] - here
        # Work in the tail where both limits are small, so that the difference keeps its digits.
        flip = pt.gt(a + b, 0)
        a, b = pt.switch(flip, -b, a), pt.switch(flip, -a, b)
        log_b = _log_cdf(link, b)
        total += (log_b + pt.log(-pt.expm1(_log_cdf(link, a) - log_b))).sum()
    return total


def _log_cdf(link: str, x: Tensor) -> Tensor:
    return normal_lcdf(0.0, 1.0, x) if link == "probit" else -pt.softplus(-x)


def partial_credit_log_likelihood(
    location: Tensor,
    steps: Tensor,
    *,
    item: np.ndarray,
    answer: np.ndarray,
    first_threshold: np.ndarray,
    n_categories: np.ndarray,
) -> Tensor:
    """Σ log P(answer) of a partial credit model: log odds of k against k − 1 are λη − step[k]."""
    total = pt.zeros(())
    for n in np.unique(n_categories):
        items = np.flatnonzero(n_categories == n)
        rows = np.flatnonzero(n_categories[item] == n)
        reached = pt.cumsum(steps[first_threshold[items][:, None] + np.arange(n - 1)], axis=1)
        reached = pt.concatenate([pt.zeros((len(items), 1)), reached], axis=1)
        which = np.searchsorted(items, item[rows])
        score = location[rows][:, None] * np.arange(n) - reached[which]
        chosen = location[rows] * answer[rows] - reached[which, answer[rows]]
        total += (chosen - pt.logsumexp(score, axis=1)).sum()
    return total
