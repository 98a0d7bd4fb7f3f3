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


def reference_root(n_roles, n_dimensions, correlation):
    """Symmetric square root of a reference correlation matrix over role × dimension.

    Dimensions of one role correlate by `correlation`, effects of different roles do not.
    """
    alike = np.full((n_dimensions, n_dimensions), float(correlation))
    np.fill_diagonal(alike, 1.0)
    size, vectors = np.linalg.eigh(alike)
    return np.kron(np.eye(n_roles), (vectors * np.sqrt(size)) @ vectors.T)


@_compiled
def centred_correlation(root, lkj):
    """Correlation matrix R = N·root·(lkj·lkjᵀ)·root·N around the reference root², N diagonal.

    The symmetric root keeps R exchangeable in its dimensions as an LKJ matrix is.

    Returns
    -------
    Row lengths of root·lkj, its rows at length one, the Cholesky factor of R
    """
    rows = root @ lkj
    length = np.empty(rows.shape[0])
    for i in range(rows.shape[0]):
        length[i] = np.sqrt((rows[i] * rows[i]).sum())
        rows[i] /= length[i]
    return length, rows, np.linalg.cholesky(rows @ np.ascontiguousarray(rows.T))


@_compiled
def scaled_factor_adjoint(sd, partial, root, lkj, length, rows, factor, d_scaled):
    """Derivatives with respect to sd and `partial` from that with respect to diag(sd)·factor."""
    d_sd, d_factor = np.zeros_like(sd), np.zeros_like(factor)
    for i in range(factor.shape[0]):
        for j in range(i + 1):
            d_sd[i] += d_scaled[i, j] * factor[i, j]
            d_factor[i, j] = d_scaled[i, j] * sd[i]
    if sd.shape[0] == 1:
        return d_sd, np.zeros(0)
    d_rows = 2.0 * cholesky_adjoint(factor, d_factor) @ rows
    for i in range(rows.shape[0]):
        d_rows[i] = (d_rows[i] - (d_rows[i] * rows[i]).sum() * rows[i]) / length[i]
    return d_sd, correlation_factor_adjoint(partial, lkj, root @ d_rows)


@_compiled
def cholesky_adjoint(factor, d_factor):
    """Derivative with respect to a symmetric matrix A from that with respect to its Cholesky factor.

    Returned as the symmetric matrix S with dL = Σ S∘dA over all entries. Murray (2016), arXiv:1602.07527.
    """
    size = factor.shape[0]
    lower = np.zeros((size, size))
    for i in range(size):
        lower[i, : i + 1] = d_factor[i, : i + 1]
    inner = np.ascontiguousarray(factor.T) @ lower
    symmetric = np.empty((size, size))
    for i in range(size):
        symmetric[i, i] = inner[i, i]
        for j in range(i):
            symmetric[i, j] = symmetric[j, i] = inner[i, j]
    inverse = np.linalg.inv(factor)
    return 0.5 * np.ascontiguousarray(inverse.T) @ symmetric @ inverse


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
def kron_factor(wave_factor, factor):
    """Cholesky factor of the Kronecker product of two covariances from theirs: (W·P, W·P)."""
    n_waves, size = wave_factor.shape[0], factor.shape[0]
    whole = np.zeros((n_waves * size, n_waves * size))
    for v in range(n_waves):
        for w in range(v + 1):
            whole[v * size : (v + 1) * size, w * size : (w + 1) * size] = wave_factor[v, w] * factor
    return whole


@_compiled
def kron_factor_adjoint(wave_factor, factor, d_whole):
    """Derivatives with respect to both factors."""
    n_waves, size = wave_factor.shape[0], factor.shape[0]
    d_wave_factor, d_factor = np.zeros_like(wave_factor), np.zeros_like(factor)
    for v in range(n_waves):
        for w in range(v + 1):
            block = d_whole[v * size : (v + 1) * size, w * size : (w + 1) * size]
            d_wave_factor[v, w] = (block * factor).sum()
            d_factor += wave_factor[v, w] * block
    return d_wave_factor, d_factor


@_compiled
def scaled_rows(factors, kind, z):
    """L·z of each row, with the factor of its kind. (K, k, k), (n,), (n, k)"""
    rows = np.zeros_like(z)
    for n in range(z.shape[0]):
        factor = factors[kind[n]]
        for i in range(z.shape[1]):
            for j in range(i + 1):
                rows[n, i] += factor[i, j] * z[n, j]
    return rows


@_compiled
def scaled_rows_adjoint(factors, kind, z, d_rows):
    """Derivatives with respect to z and the factors."""
    d_z, d_factors = np.zeros_like(z), np.zeros_like(factors)
    for n in range(z.shape[0]):
        factor, d_factor = factors[kind[n]], d_factors[kind[n]]
        for i in range(z.shape[1]):
            for j in range(i + 1):
                d_z[n, j] += factor[i, j] * d_rows[n, i]
                d_factor[i, j] += d_rows[n, i] * z[n, j]
    return d_z, d_factors


@_compiled
def adapted_rows(factors, information, kind, estimate, z):
    """Rows with covariance K = L·Lᵀ each, from z close to standard normal in the posterior.

    A row is B·(z + Bᵀ·information·estimate) with B a square root of (K⁻¹ + information)⁻¹. If that is what
    the answers say about an effect, it holds whatever K. Nothing is inverted that a small variance makes
    singular: B = L·D⁻ᵀ with D·Dᵀ = I + Lᵀ·information·L.

    Parameters
    ----------
    factors : (K, k, k) L of every kind · information : (K, k, k) precision · kind : (n,)
    estimate, z : (n, k)

    Returns
    -------
    D and B of every kind, z + Bᵀ·information·estimate, the rows
    """
    size = z.shape[1]
    inner, adapted, towards = np.empty_like(factors), np.empty_like(factors), np.empty_like(factors)
    for k in range(factors.shape[0]):
        gram = np.ascontiguousarray(factors[k].T) @ information[k] @ factors[k]
        for i in range(size):
            gram[i, i] += 1.0
        inner[k] = np.linalg.cholesky(gram)
        adapted[k] = factors[k] @ np.ascontiguousarray(np.linalg.inv(inner[k]).T)
        towards[k] = np.ascontiguousarray(adapted[k].T) @ information[k]
    moved, rows = z.copy(), np.zeros_like(z)
    for n in range(z.shape[0]):
        root, pull = adapted[kind[n]], towards[kind[n]]
        for i in range(size):
            for j in range(size):
                moved[n, i] += pull[i, j] * estimate[n, j]
        for i in range(size):
            for j in range(size):
                rows[n, i] += root[i, j] * moved[n, j]
    return inner, adapted, moved, rows


@_compiled
def adapted_log_density(information, kind, z, inner, moved, rows):
    """N(rows | 0, K) and the Jacobian of z, less the standard normal of z that the layout adds."""
    total = 0.0
    logs = np.zeros(inner.shape[0])
    for k in range(inner.shape[0]):
        for i in range(inner.shape[1]):
            logs[k] += np.log(inner[k, i, i])
    for n in range(z.shape[0]):
        k = kind[n]
        total -= logs[k]
        for i in range(z.shape[1]):
            total += 0.5 * (z[n, i] ** 2 - moved[n, i] ** 2)
            for j in range(z.shape[1]):
                total += 0.5 * rows[n, i] * information[k, i, j] * rows[n, j]
    return total


@_compiled
def adapted_rows_adjoint(d_rows, factors, information, kind, estimate, inner, adapted, moved, rows):
    """Derivatives of f(rows) + `adapted_log_density` with respect to z, the factors and `estimate`.

    That of ½·z² is left out.
    """
    size = rows.shape[1]
    d_z, d_estimate, d_adapted = np.zeros_like(rows), np.zeros_like(rows), np.zeros_like(factors)
    count = np.zeros(factors.shape[0])
    slope, d_moved, pull, d_pull = np.empty(size), np.empty(size), np.empty(size), np.empty(size)
    for n in range(rows.shape[0]):
        k = kind[n]
        root, d_root, known = adapted[k], d_adapted[k], information[k]
        count[k] += 1.0
        for i in range(size):
            slope[i], pull[i] = d_rows[n, i], 0.0
            for j in range(size):
                slope[i] += known[i, j] * rows[n, j]
                pull[i] += known[i, j] * estimate[n, j]
            d_moved[i] = -moved[n, i]
        for i in range(size):
            for j in range(size):
                d_moved[j] += root[i, j] * slope[i]
        for i in range(size):
            d_z[n, i] = d_moved[i]
            d_pull[i] = 0.0
            for j in range(size):
                d_root[i, j] += slope[i] * moved[n, j] + pull[i] * d_moved[j]
                d_pull[i] += root[i, j] * d_moved[j]
        for i in range(size):
            for j in range(size):
                d_estimate[n, i] += known[i, j] * d_pull[j]
    d_factors = np.empty_like(factors)
    for k in range(factors.shape[0]):
        inverse = np.ascontiguousarray(np.linalg.inv(inner[k]).T)
        d_inner = -(inverse @ (np.ascontiguousarray(d_adapted[k].T) @ factors[k]) @ inverse)
        for i in range(size):
            d_inner[i, i] -= count[k] / inner[k, i, i]
        d_factor = 2.0 * information[k] @ (factors[k] @ cholesky_adjoint(inner[k], d_inner))
        d_factors[k] = d_factor + d_adapted[k] @ np.ascontiguousarray(inverse.T)
    return d_z, d_factors, d_estimate
