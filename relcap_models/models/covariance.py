"""Covariances from unconstrained parameters, forwards and in reverse.

Each forward function has an adjoint that turns the derivative with respect to its result into derivatives
with respect to its arguments. Matrices are a few rows wide.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from relcap_models.models.small_matrices import cholesky, lower_inverse, put, times, transposed

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
    rows = times(root, lkj)
    length = np.zeros(rows.shape[0])
    for i in range(rows.shape[0]):
        for j in range(rows.shape[1]):
            length[i] += rows[i, j] * rows[i, j]
        length[i] = np.sqrt(length[i])
        for j in range(rows.shape[1]):
            rows[i, j] /= length[i]
    return length, rows, cholesky(times(rows, transposed(rows)))


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
    d_rows = times(cholesky_adjoint(factor, d_factor), rows)
    for i in range(rows.shape[0]):
        along = 0.0
        for j in range(rows.shape[1]):
            along += d_rows[i, j] * rows[i, j]
        for j in range(rows.shape[1]):
            d_rows[i, j] = 2.0 * (d_rows[i, j] - along * rows[i, j]) / length[i]
    return d_sd, correlation_factor_adjoint(partial, lkj, times(root, d_rows))


@_compiled
def cholesky_adjoint(factor, d_factor):
    """Derivative with respect to a symmetric matrix A from that with respect to its Cholesky factor.

    Returned as the symmetric matrix S with dL = Σ S∘dA over all entries. Murray (2016), arXiv:1602.07527.
    """
    size = factor.shape[0]
    symmetric = np.zeros((size, size))
    for i in range(size):
        for j in range(i + 1):
            for k in range(i, size):
                symmetric[i, j] += 0.5 * factor[k, i] * d_factor[k, j]
            symmetric[j, i] = symmetric[i, j]
    inverse = lower_inverse(factor)
    return times(times(transposed(inverse), symmetric), inverse)


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
            for i in range(size):
                for j in range(size):
                    whole[v * size + i, w * size + j] = wave_factor[v, w] * factor[i, j]
    return whole


@_compiled
def kron_factor_adjoint(wave_factor, factor, d_whole):
    """Derivatives with respect to both factors."""
    n_waves, size = wave_factor.shape[0], factor.shape[0]
    d_wave_factor, d_factor = np.zeros_like(wave_factor), np.zeros_like(factor)
    for v in range(n_waves):
        for w in range(v + 1):
            for i in range(size):
                for j in range(size):
                    d = d_whole[v * size + i, w * size + j]
                    d_wave_factor[v, w] += d * factor[i, j]
                    d_factor[i, j] += wave_factor[v, w] * d
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
def adapted_factors(factors, information):
    """What `adapted_rows` needs of every kind of row, for covariances K = L·Lᵀ and information I.

    Nothing is inverted that a small variance makes singular: (K⁻¹ + I)⁻¹ = L·(D·Dᵀ)⁻¹·Lᵀ with
    D·Dᵀ = 1 + Lᵀ·I·L. Of its square roots it is the triangular one that keeps still where the answers say
    much and follows L where they say little; another would turn with L, and the rows with it.

    Parameters
    ----------
    factors : (K, k, k) L · information : (K, k, k) precision

    Returns
    -------
    D, the lower triangular B with B·Bᵀ = (K⁻¹ + I)⁻¹, and Bᵀ·I: (K, k, k) each
    """
    size = factors.shape[1]
    inner, adapted, towards = np.empty_like(factors), np.empty_like(factors), np.empty_like(factors)
    for k in range(factors.shape[0]):
        gram = times(times(transposed(factors[k]), information[k]), factors[k])
        for i in range(size):
            gram[i, i] += 1.0
        put(cholesky(gram), inner[k])
        root = times(factors[k], transposed(lower_inverse(inner[k])))
        put(cholesky(times(root, transposed(root))), adapted[k])
        put(times(transposed(adapted[k]), information[k]), towards[k])
    return inner, adapted, towards


@_compiled
def adapted_factors_adjoint(factors, information, count, inner, adapted, d_adapted):
    """Derivatives of f(B) − count·log|D| with respect to the factors L, from those of f."""
    size = factors.shape[1]
    d_factors = np.empty_like(factors)
    for k in range(factors.shape[0]):
        inverse = lower_inverse(inner[k])
        upper = transposed(inverse)
        # Halves of derivatives: those of A·Aᵀ come twice.
        d_root = times(cholesky_adjoint(adapted[k], d_adapted[k]), times(factors[k], upper))
        d_inner = times(times(upper, times(transposed(d_root), factors[k])), upper)
        for i in range(size):
            for j in range(size):
                d_inner[i, j] *= -2.0
            d_inner[i, i] -= count[k] / inner[k, i, i]
        d_factor = times(information[k], times(factors[k], cholesky_adjoint(inner[k], d_inner)))
        through = times(d_root, inverse)
        for i in range(size):
            for j in range(size):
                d_factors[k, i, j] = 2.0 * (d_factor[i, j] + through[i, j])
    return d_factors


@_compiled
def adapted_rows(adapted, towards, information, kind, estimate, z, columns):
    """Rows with covariance K = L·Lᵀ each, from z close to standard normal in the posterior.

    A row is B·(z + Bᵀ·I·estimate): if I around the estimate is what the answers say about an effect, its z
    is standard normal whatever K.

    Parameters
    ----------
    adapted, towards : of `adapted_factors` · information : (K, k, k) · kind : (n,) · estimate, z : (n, k)
    columns : anything of length k; a tuple tells the compiler how long short rows are

    Returns
    -------
    z + Bᵀ·I·estimate, the rows, and log N(rows | 0, K) with the Jacobian of z, less the standard normal of z
    that the layout adds and each kind's −log|D|
    """
    size = len(columns)
    moved, rows = np.empty_like(z), np.empty_like(z)
    total = 0.0
    for n in range(z.shape[0]):
        k = kind[n]
        for i in range(size):
            value = z[n, i]
            total += value * value
            for j in range(size):
                value += towards[k, i, j] * estimate[n, j]
            total -= value * value
            moved[n, i] = value
        for i in range(size):
            value = 0.0
            for j in range(i + 1):
                value += adapted[k, i, j] * moved[n, j]
            rows[n, i] = value
        for i in range(size):
            for j in range(size):
                total += rows[n, i] * information[k, i, j] * rows[n, j]
    return moved, rows, 0.5 * total


@_compiled
def adapted_rows_adjoint(d_rows, adapted, information, kind, estimate, moved, rows, columns):
    """Derivatives of f(rows) + the log density of `adapted_rows` with respect to z, B and `estimate`.

    That of ½·z² is left out.
    """
    size = len(columns)
    d_z, d_estimate, d_adapted = np.empty_like(rows), np.empty_like(rows), np.zeros_like(adapted)
    slope, pull, d_pull = np.empty(size), np.empty(size), np.empty(size)
    for n in range(rows.shape[0]):
        k = kind[n]
        for i in range(size):
            here, there = d_rows[n, i], 0.0
            for j in range(size):
                here += information[k, i, j] * rows[n, j]
                there += information[k, i, j] * estimate[n, j]
            slope[i], pull[i] = here, there
        for j in range(size):
            value = -moved[n, j]
            for i in range(j, size):
                value += adapted[k, i, j] * slope[i]
            d_z[n, j] = value
        for i in range(size):
            value = 0.0
            for j in range(i + 1):
                d_adapted[k, i, j] += slope[i] * moved[n, j] + pull[i] * d_z[n, j]
                value += adapted[k, i, j] * d_z[n, j]
            d_pull[i] = value
        for i in range(size):
            value = 0.0
            for j in range(size):
                value += information[k, i, j] * d_pull[j]
            d_estimate[n, i] = value
    return d_z, d_adapted, d_estimate
