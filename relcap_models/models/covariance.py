"""Covariances from unconstrained parameters, forwards and in reverse.

Each forward function has an adjoint that turns the derivative with respect to its result into derivatives
with respect to its arguments. Matrices are a few rows wide.
"""

from __future__ import annotations

import numpy as np
from numba import njit

_compiled = njit(cache=True, nogil=True, error_model="numpy")


@_compiled
def correlation_factor(partial, size):
    """Cholesky factor of a correlation matrix from partial correlations along a C-vine, row by row.

    partial : (size·(size−1)/2,) in (−1, 1), lower triangle in row order. Lewandowski, Kurowicka & Joe (2009).
    """
    factor = np.zeros((size, size))
    position = 0
    for i in range(size):
        left = 1.0
        for j in range(i):
            factor[i, j] = partial[position] * left
            left *= np.sqrt(1.0 - partial[position] ** 2)
            position += 1
        factor[i, i] = left
    return factor


@_compiled
def correlation_factor_adjoint(partial, factor, d_factor):
    """Derivative with respect to `partial` from the derivative with respect to the factor."""
    size = factor.shape[0]
    d_partial = np.zeros(partial.shape[0])
    position = 0
    for i in range(size):
        left = 1.0
        for j in range(i):
            t = partial[position + j]
            later = 0.0
            for m in range(j + 1, i + 1):
                later += d_factor[i, m] * factor[i, m]
            d_partial[position + j] = d_factor[i, j] * left - later * t / (1.0 - t * t)
            left *= np.sqrt(1.0 - t * t)
        position += i
    return d_partial


@_compiled
def cholesky_adjoint(factor, d_factor):
    """Derivative with respect to a symmetric matrix A from that with respect to its Cholesky factor.

    Returned as the symmetric matrix S with dL = Σ S∘dA over all entries. Murray (2016), arXiv:1602.07527.
    """
    inner = factor.T @ np.tril(d_factor)
    inner = np.tril(inner)
    for i in range(inner.shape[0]):
        inner[i, i] *= 0.5
    symmetric = inner + inner.T
    inverse = np.linalg.inv(factor)
    return 0.5 * inverse.T @ symmetric @ inverse


@_compiled
def wave_correlation(stability, memory, n_waves):
    """(W, W) correlation between waves: a stable part plus a stationary AR(1) part (memory 0: none)."""
    matrix = np.ones((n_waves, n_waves))
    for v in range(n_waves):
        for w in range(n_waves):
            if v != w:
                matrix[v, w] = stability + (1.0 - stability) * memory ** abs(v - w)
    return matrix


@_compiled
def wave_correlation_adjoint(stability, memory, d_matrix):
    """Derivatives with respect to stability and memory."""
    n = d_matrix.shape[0]
    d_stability, d_memory = 0.0, 0.0
    for v in range(n):
        for w in range(n):
            lag = abs(v - w)
            if lag > 0:
                d_stability += d_matrix[v, w] * (1.0 - memory**lag)
                d_memory += d_matrix[v, w] * (1.0 - stability) * lag * memory ** (lag - 1)
    return d_stability, d_memory


@_compiled
def matrix_normal(effects, wave, factor):
    """Log density (without constants) of rows that are matrix normal, with its derivatives.

    effects : (U, W, P) · wave : (W, W) correlation between waves
    factor : (P, P) Cholesky factor of the covariance

    Returns
    -------
    log density, d effects (U, W, P), d wave (W, W), d factor (P, P, lower triangle)
    """
    n_units, n_waves, size = effects.shape
    wave_inverse = np.linalg.inv(wave)
    factor_inverse = np.linalg.inv(factor)
    precision = factor_inverse.T @ factor_inverse
    across = np.zeros((size, size))
    between = np.zeros((n_waves, n_waves))
    d_effects = np.empty_like(effects)
    total = 0.0
    for u in range(n_units):
        here = effects[u]
        scaled = wave_inverse @ here
        weighted = here @ precision
        across += here.T @ scaled
        between += here @ weighted.T
        pulled = wave_inverse @ weighted
        total -= 0.5 * np.sum(here * pulled)
        d_effects[u] = -pulled
    log_wave = np.log(np.linalg.det(wave))
    diagonal = np.diag(factor)
    total -= n_units * (n_waves * np.sum(np.log(diagonal)) + 0.5 * size * log_wave)
    d_wave = 0.5 * (wave_inverse @ between @ wave_inverse) - 0.5 * n_units * size * wave_inverse
    d_factor = np.tril(precision @ across @ precision @ factor)
    for p in range(size):
        d_factor[p, p] -= n_units * n_waves / diagonal[p]
    return total, d_effects, d_wave, d_factor
