"""Covariances from unconstrained parameters, forwards and in reverse.

Each forward function has an adjoint that turns the derivative with respect to its result into derivatives
with respect to its arguments. Matrices are a few rows wide.
"""

from __future__ import annotations

import numpy as np
from numba import njit

_compiled = njit(cache=True, error_model="numpy")


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
def adapted_factor(wave_factor, factor, information):
    """Square root B of (K⁻¹ + diag(information))⁻¹, K = L·Lᵀ, L = wave_factor ⊗ factor.

    Effects B·z have z close to standard normal in the posterior if `information` is what the data say about
    them: with none this is the non-centred, with much the centred parameterisation. Nothing is inverted that
    a small variance makes singular: B = L·D⁻ᵀ with D·Dᵀ = I + Lᵀ·diag(information)·L.

    Parameters
    ----------
    wave_factor : (W, W) · factor : (P, P) Cholesky factors · information : (W·P,) precision, ≥ 0

    Returns
    -------
    B (WP, WP), L, D
    """
    whole = np.kron(wave_factor, factor)
    inner = np.linalg.cholesky(np.eye(whole.shape[0]) + (whole.T * information) @ whole)
    return whole @ np.linalg.inv(inner).T, whole, inner


@_compiled
def adapted_factor_adjoint(wave_factor, factor, information, whole, inner, d_adapted, n_units):
    """Derivatives of f(B) − n_units·log|D| with respect to `wave_factor` and `factor`, from df/dB."""
    inverse = np.linalg.inv(inner).T
    d_inner = -np.tril(inverse @ (d_adapted.T @ whole) @ inverse)
    for i in range(inner.shape[0]):
        d_inner[i, i] -= n_units / inner[i, i]
    d_gram = cholesky_adjoint(inner, d_inner)
    d_whole = d_adapted @ inverse.T + 2.0 * information.reshape(-1, 1) * (whole @ d_gram)
    n_waves, size = wave_factor.shape[0], factor.shape[0]
    d_wave_factor = np.zeros((n_waves, n_waves))
    d_factor = np.zeros((size, size))
    for v in range(n_waves):
        for w in range(v + 1):
            block = d_whole[v * size : (v + 1) * size, w * size : (w + 1) * size]
            d_wave_factor[v, w] = np.sum(block * factor)
            d_factor += wave_factor[v, w] * block
    return d_wave_factor, np.tril(d_factor)
