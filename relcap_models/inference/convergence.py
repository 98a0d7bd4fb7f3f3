"""R-hat and effective sample size of thousands of quantities at once.

The estimators of Vehtari et al. (2021, Bayesian Analysis 16, 667–718), number for number those of ArviZ
(a test holds them together), which takes a millisecond a quantity: too long for an organisation of a
thousand relations.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import njit
from scipy.special import ndtri

_compiled = njit(cache=True, nogil=True, error_model="numpy")
_CHUNK = 256
_MIN_DRAWS = 4


@dataclass(frozen=True)
class Convergence:
    """Per quantity, NaN where it is constant or too short to judge.

    rhat : (…) rank-normalised split R-hat, the larger of bulk and folded
    ess_bulk, ess_tail : (…) effective draws for the middle, and for the 5 % and 95 % quantiles
    ess_mean : (…) effective draws for the mean, of which sd/√ess_mean is the Monte Carlo error
    """

    rhat: np.ndarray
    ess_bulk: np.ndarray
    ess_tail: np.ndarray
    ess_mean: np.ndarray


def convergence(draws: np.ndarray) -> Convergence:
    """R-hat and effective sample sizes of each quantity.

    Parameters
    ----------
    draws : (chain, draw, …)

    Returns
    -------
    Convergence with arrays of shape (…). Quantities with a value that is not finite are judged as
    infinitely bad: R-hat infinite, effective sample size 0. One chain has no R-hat but that of its two
    halves.
    """
    n_chains, n_draws = draws.shape[:2]
    shape = draws.shape[2:]
    flat = np.moveaxis(draws.reshape(n_chains, n_draws, -1), 2, 0)
    results = np.full((len(flat), 4), np.nan)
    if n_draws >= _MIN_DRAWS:
        half = n_draws // 2
        n_split = 2 * n_chains * half
        # Ranks are whole or half numbers: a table of normal scores serves all quantities.
        scores = ndtri((np.arange(1, 2 * n_split + 1) / 2 - 3 / 8) / (n_split + 1 / 4))
        for start in range(0, len(flat), _CHUNK):
            part = np.ascontiguousarray(flat[start : start + _CHUNK], dtype=np.float64)
            finite = np.isfinite(part).all(axis=(1, 2))
            varies = finite & ~is_constant(part.reshape(len(part), -1), axis=1)
            found = np.full((len(part), 4), np.nan)
            found[~finite] = (np.inf, 0.0, 0.0, 0.0)
            if varies.any():
                found[varies] = _of_varying(part[varies], half, scores)
            results[start : start + _CHUNK] = found
    return Convergence(*results.T.reshape(4, *shape))


def is_constant(values: np.ndarray, *, axis: int) -> np.ndarray:
    """True where values along an axis differ by rounding alone, which grows with their size."""
    low, high = values.min(axis=axis), values.max(axis=axis)
    size = np.maximum(np.maximum(np.abs(low), np.abs(high)), 1.0)
    # Strictly: an infinite value has an infinite size, and is no constant.
    return high - low < np.finfo(float).resolution * size


def _of_varying(part: np.ndarray, half: int, scores: np.ndarray) -> np.ndarray:
    """(X, 4) R-hat, and ESS of bulk, tail and mean, of (X, chain, draw)."""
    size = len(part)
    split = np.concatenate([part[:, :, :half], part[:, :, -half:]], axis=1)
    n_chains = split.shape[1]
    flat = split.reshape(size, -1)
    middle = np.median(flat, axis=1)
    folded = np.abs(flat - middle[:, None])
    normal = _normal_scores(flat, np.argsort(flat, axis=1), scores).reshape(split.shape)
    normal_folded = _normal_scores(folded, np.argsort(folded, axis=1), scores).reshape(split.shape)
    low, high = np.quantile(part.reshape(size, -1), (0.05, 0.95), axis=1)
    tails = [(split <= q[:, None, None]).astype(float) for q in (low, high)]
    rhat = np.maximum(_rhat(normal), _rhat(normal_folded))
    bulk, below, above, mean = (
        _ess(values.reshape(size, n_chains, half)) for values in (normal, *tails, split)
    )
    return np.column_stack([rhat, bulk, np.minimum(below, above), mean])


@_compiled
def _normal_scores(values, order, scores):
    """Normal scores of the mean ranks of each row; `order` sorts the rows."""
    result = np.empty_like(values)
    n = values.shape[1]
    for x in range(values.shape[0]):
        start = 0
        while start < n:
            stop = start + 1
            while stop < n and values[x, order[x, stop]] == values[x, order[x, start]]:
                stop += 1
            # Twice the mean rank of the ties start … stop − 1 is start + 1 + stop.
            score = scores[start + stop]
            for k in range(start, stop):
                result[x, order[x, k]] = score
            start = stop
    return result


def _rhat(split: np.ndarray) -> np.ndarray:
    """(X,) R-hat of (X, chain, draw)."""
    n = split.shape[2]
    between = n * split.mean(axis=2).var(axis=1, ddof=1)
    within = split.var(axis=2, ddof=1).mean(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(within > 0, between / within, np.where(between > 0, np.inf, 0.0))
    return np.sqrt((ratio + n - 1) / n)


@_compiled
def _autocovariance(values, means, lag):
    """Mean over chains of the (biased) autocovariance at one lag."""
    n_chains, n = values.shape
    total = 0.0
    for c in range(n_chains):
        here = 0.0
        for t in range(n - lag):
            here += (values[c, t] - means[c]) * (values[c, t + lag] - means[c])
        total += here / n
    return total / n_chains


@_compiled
def _ess(split):
    """(X,) effective sample sizes of (X, chain, draw) by Geyer's initial monotone sequence.

    Autocovariances are computed lag by lag, as far as the sequence goes: chains that mix well need a few.
    """
    size, n_chains, n = split.shape
    result = np.empty(size)
    rho = np.empty(n)
    means = np.empty(n_chains)
    for x in range(size):
        values = split[x]
        for c in range(n_chains):
            means[c] = values[c].mean()
        mean_variance = _autocovariance(values, means, 0) * n / (n - 1.0)
        pooled = mean_variance * (n - 1.0) / n
        if n_chains > 1:
            pooled += means.var() * n_chains / (n_chains - 1.0)
        if not pooled > 0.0:
            result[x] = n_chains * n
            continue
        rho[:] = 0.0
        even = 1.0
        odd = 1.0 - (mean_variance - _autocovariance(values, means, 1)) / pooled
        rho[0], rho[1] = even, odd
        t = 1
        while t < n - 3 and even + odd > 0.0:
            even = 1.0 - (mean_variance - _autocovariance(values, means, t + 1)) / pooled
            odd = 1.0 - (mean_variance - _autocovariance(values, means, t + 2)) / pooled
            if even + odd >= 0.0:
                rho[t + 1], rho[t + 2] = even, odd
            t += 2
        last = t - 2
        if even > 0.0:
            rho[last + 1] = even
        t = 1
        while t <= last - 2:
            if rho[t + 1] + rho[t + 2] > rho[t - 1] + rho[t]:
                rho[t + 1] = (rho[t - 1] + rho[t]) / 2.0
                rho[t + 2] = rho[t + 1]
            t += 2
        total = n_chains * n
        tau = -1.0
        for k in range(last + 1):
            tau += 2.0 * rho[k]
        tau += rho[last + 1]
        result[x] = total / max(tau, 1.0 / math.log10(total))
    return result
