"""Covariances from unconstrained parameters, forwards and in reverse.

Each forward function has an adjoint that turns the derivative with respect to its result into derivatives
with respect to its arguments. Matrices are a few rows wide.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from relcap_models.models.small_matrices import (
    cholesky,
    factorise,
    invert_lower,
    multiply,
    put,
    times,
    transposed,
    transposed_times,
)

_compiled = njit(cache=True, no_cfunc_wrapper=True, error_model="numpy")


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
def scaled_factor(sd, share, root, lkj, length, rows, correlation, factor):
    """Cholesky factor diag(sd)·F of a covariance, into `factor`, with all that its adjoint needs.

    share : (size·(size−1)/2,) partial correlations on (0, 1) · correlation : F
    lkj, length, rows : what F is made of, see `centred_correlation`
    """
    if sd.shape[0] == 1:
        correlation[0, 0], factor[0, 0] = 1.0, sd[0]
        return
    put(correlation_factor(2.0 * share - 1.0, sd.shape[0]), lkj)
    lengths, unit_rows, found = centred_correlation(root, lkj)
    for i in range(sd.shape[0]):
        length[i] = lengths[i]
        for j in range(sd.shape[0]):
            rows[i, j], correlation[i, j] = unit_rows[i, j], found[i, j]
            factor[i, j] = sd[i] * found[i, j]


@_compiled
def scaled_factor_adjoint(sd, share, root, lkj, length, rows, correlation, d_scaled, d_sd, d_share):
    """Add derivatives with respect to sd and `share` to d_sd and d_share, from those of the factor.

    What stands above the diagonal of `d_scaled` does not count.
    """
    size = sd.shape[0]
    if size == 1:
        d_sd[0] += d_scaled[0, 0]
        return
    d_factor = np.zeros((size, size))
    for i in range(size):
        for j in range(i + 1):
            d_sd[i] += d_scaled[i, j] * correlation[i, j]
            d_factor[i, j] = d_scaled[i, j] * sd[i]
    d_rows = times(cholesky_adjoint(correlation, d_factor), rows)
    for i in range(size):
        along = 0.0
        for j in range(size):
            along += d_rows[i, j] * rows[i, j]
        for j in range(size):
            d_rows[i, j] = 2.0 * (d_rows[i, j] - along * rows[i, j]) / length[i]
    d_partial = correlation_factor_adjoint(2.0 * share - 1.0, lkj, times(root, d_rows))
    for position in range(share.shape[0]):
        d_share[position] += 2.0 * d_partial[position]


@_compiled
def cholesky_adjoint(factor, d_factor):
    """Derivative with respect to a symmetric matrix A from that with respect to its Cholesky factor.

    Returned as the symmetric matrix S with dL = Σ S∘dA over all entries. Murray (2016), arXiv:1602.07527.
    """
    result, half, scratch = np.empty_like(factor), np.empty_like(factor), np.empty_like(factor)
    pull_cholesky(factor, d_factor, result, half, scratch)
    return result


@_compiled
def pull_cholesky(factor, d_factor, result, half, scratch):
    """`cholesky_adjoint` into `result`; the others are written on the way."""
    size = factor.shape[0]
    for i in range(size):
        for j in range(i + 1):
            total = 0.0
            for k in range(i, size):
                total += factor[k, i] * d_factor[k, j]
            result[i, j] = result[j, i] = 0.5 * total
    invert_lower(factor, scratch)
    transposed_times(scratch, result, half)
    multiply(half, scratch, result)


@_compiled
def pooled_factor(first, second, weight, pooled):
    """Cholesky factor of K₁ + weight·K₂ from the factors of both, into `pooled`."""
    size = first.shape[0]
    for i in range(size):
        for j in range(i + 1):
            total = 0.0
            for k in range(j + 1):
                total += first[i, k] * first[j, k] + weight * second[i, k] * second[j, k]
            pooled[j, i] = 0.0
            pooled[i, j] = total
    factorise(pooled)


@_compiled
def pooled_factor_adjoint(first, second, weight, pooled, d_pooled, d_first, d_second):
    """Add derivatives with respect to both factors to d_first and d_second."""
    d_total = cholesky_adjoint(pooled, d_pooled)
    of_first, of_second = times(d_total, first), times(d_total, second)
    for i in range(first.shape[0]):
        for j in range(i + 1):
            d_first[i, j] += 2.0 * of_first[i, j]
            d_second[i, j] += 2.0 * weight * of_second[i, j]


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
def kron_factor(wave_factor, factor, whole):
    """Cholesky factor of the Kronecker product of two covariances from theirs, into `whole` (W·P, W·P)."""
    n_waves, size = wave_factor.shape[0], factor.shape[0]
    for v in range(n_waves):
        for w in range(v + 1):
            for i in range(size):
                for j in range(size):
                    whole[v * size + i, w * size + j] = wave_factor[v, w] * factor[i, j]


@_compiled
def kron_factor_adjoint(wave_factor, factor, d_whole, d_wave_factor, d_factor):
    """Add derivatives with respect to both factors to d_wave_factor and d_factor."""
    n_waves, size = wave_factor.shape[0], factor.shape[0]
    for v in range(n_waves):
        for w in range(v + 1):
            for i in range(size):
                for j in range(i + 1):
                    d = d_whole[v * size + i, w * size + j]
                    d_wave_factor[v, w] += d * factor[i, j]
                    d_factor[i, j] += wave_factor[v, w] * d


@_compiled
def adapted_factors(factors, information, inner, adapted, towards):
    """What `adapted_rows` needs of every kind of row, for covariances K = L·Lᵀ and information I.

    Nothing is inverted that a small variance makes singular: (K⁻¹ + I)⁻¹ = L·(D·Dᵀ)⁻¹·Lᵀ with
    D·Dᵀ = 1 + Lᵀ·I·L. Of its square roots it is the triangular one that keeps still where the answers say
    much and follows L where they say little; another would turn with L, and the rows with it.

    Parameters
    ----------
    factors : (K, k, k) L · information : (K, k, k) precision
    inner, adapted, towards : (K, k, k) written: D, the lower triangular B with B·Bᵀ = (K⁻¹ + I)⁻¹, and Bᵀ·I
    """
    size = factors.shape[1]
    root, known = np.empty((size, size)), np.empty((size, size))
    for k in range(factors.shape[0]):
        factor, lower, square = factors[k], inner[k], adapted[k]
        multiply(information[k], factor, known)
        transposed_times(factor, known, lower)
        for i in range(size):
            lower[i, i] += 1.0
        factorise(lower)
        # Rows of L·D⁻ᵀ solve D·r = L's.
        for i in range(size):
            for j in range(size):
                left = factor[i, j]
                for m in range(j):
                    left -= lower[j, m] * root[i, m]
                root[i, j] = left / lower[j, j]
        for i in range(size):
            for j in range(i + 1):
                square[i, j] = 0.0
                for m in range(size):
                    square[i, j] += root[i, m] * root[j, m]
        factorise(square)
        for i in range(size):
            for j in range(i + 1, size):
                lower[i, j] = square[i, j] = 0.0
        transposed_times(square, information[k], towards[k])


@_compiled
def adapted_factors_adjoint(
    factors, factor_of_kind, information, count, inner, adapted, d_adapted, d_factors
):
    """Derivatives of f(B) − Σ count·log|D| with respect to the factors that kinds have, from those of f.

    With A = (D·Dᵀ)⁻¹ and M = L·A, a change of L moves B·Bᵀ by dL·Mᵀ + M·dLᵀ − M·d(D·Dᵀ)·Mᵀ.

    factor_of_kind : (K,) place of each kind's factor · d_factors : (F, k, k), written
    """
    size = factors.shape[1]
    for f in range(d_factors.shape[0]):
        for i in range(size):
            for j in range(size):
                d_factors[f, i, j] = 0.0
    scratch = np.empty((6, size, size))
    work, inverse, moved, d_square = scratch[0], scratch[1], scratch[2], scratch[3]
    d_moved, through = scratch[4], scratch[5]
    for k in range(factors.shape[0]):
        f, factor = factor_of_kind[k], factors[k]
        invert_lower(inner[k], work)
        transposed_times(work, work, inverse)
        multiply(factor, inverse, moved)
        # Halves of derivatives: those of symmetric products come twice.
        pull_cholesky(adapted[k], d_adapted[k], d_square, d_moved, work)
        multiply(d_square, moved, d_moved)
        transposed_times(moved, d_moved, through)
        for i in range(size):
            for j in range(size):
                through[i, j] = -through[i, j] - 0.5 * count[k] * inverse[i, j]
        multiply(factor, through, work)
        d_known = d_square
        multiply(information[k], work, d_known)
        for i in range(size):
            for j in range(size):
                d_factors[f, i, j] += 2.0 * (d_moved[i, j] + d_known[i, j])
