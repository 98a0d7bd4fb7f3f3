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
def adapted_effects(between, factor, information, pull, contrasts, z):
    """Effects of units with covariance K = L·Lᵀ each, from z close to standard normal in the posterior.

    Contrasts between units are B·(z + Bᵀ·pull) with B a square root of (K⁻¹ + information)⁻¹. If the data say
    `information` about an effect and pull = information × its estimate, that holds whatever K. Nothing is
    inverted that a small variance makes singular: B = L·D⁻ᵀ with D·Dᵀ = I + Lᵀ·information·L.

    Parameters
    ----------
    between : (W, W) correlation between waves · factor : (P, P) Cholesky factor within a wave
    information : (W·P,) precision, ≥ 0 · pull, z : (U − 1, W·P) · contrasts : (U, U − 1)

    Returns
    -------
    Cholesky factor of `between`, L, D, B (each W·P square), z + Bᵀ·pull, the contrasts, the effects (U, W·P)
    """
    wave_factor = np.linalg.cholesky(between)
    n_waves, size = wave_factor.shape[0], factor.shape[0]
    whole = np.zeros((n_waves * size, n_waves * size))
    for v in range(n_waves):
        for w in range(v + 1):
            whole[v * size : (v + 1) * size, w * size : (w + 1) * size] = wave_factor[v, w] * factor
    gram = np.ascontiguousarray(whole.T * information) @ whole
    for i in range(n_waves * size):
        gram[i, i] += 1.0
    inner = np.linalg.cholesky(gram)
    adapted = whole @ np.ascontiguousarray(np.linalg.inv(inner).T)
    moved = z + pull @ adapted
    raw = moved @ np.ascontiguousarray(adapted.T)
    return wave_factor, whole, inner, adapted, moved, raw, contrasts @ raw


@_compiled
def adapted_log_density(information, z, wave_factor, whole, inner, adapted, moved, raw, effects):
    """N(contrasts | 0, K) and the Jacobian of z, less the standard normal of z that the layout adds."""
    total = 0.0
    for i in range(inner.shape[0]):
        total -= raw.shape[0] * np.log(inner[i, i])
    for u in range(raw.shape[0]):
        for i in range(raw.shape[1]):
            total += 0.5 * (z[u, i] ** 2 - moved[u, i] ** 2 + information[i] * raw[u, i] ** 2)
    return total


@_compiled
def adapted_effects_adjoint(
    d_effects,
    factor,
    information,
    pull,
    contrasts,
    z,
    wave_factor,
    whole,
    inner,
    adapted,
    moved,
    raw,
    effects,
):
    """Derivatives of f(effects) + `adapted_log_density` with respect to z, `between` and `factor`."""
    d_raw = np.ascontiguousarray(contrasts.T) @ d_effects + raw * information
    d_moved = d_raw @ adapted - moved
    d_adapted = np.ascontiguousarray(d_raw.T) @ moved + np.ascontiguousarray(pull.T) @ d_moved
    inverse = np.ascontiguousarray(np.linalg.inv(inner).T)
    d_inner = -(inverse @ (np.ascontiguousarray(d_adapted.T) @ whole) @ inverse)
    for i in range(inner.shape[0]):
        d_inner[i, i] -= raw.shape[0] / inner[i, i]
    d_gram = cholesky_adjoint(inner, d_inner)
    d_whole = whole @ d_gram
    for i in range(d_whole.shape[0]):
        d_whole[i] *= 2.0 * information[i]
    d_whole += d_adapted @ np.ascontiguousarray(inverse.T)
    n_waves, size = wave_factor.shape[0], factor.shape[0]
    d_wave_factor = np.zeros((n_waves, n_waves))
    d_factor = np.zeros((size, size))
    for v in range(n_waves):
        for w in range(v + 1):
            block = d_whole[v * size : (v + 1) * size, w * size : (w + 1) * size]
            d_wave_factor[v, w] = (block * factor).sum()
            d_factor += wave_factor[v, w] * block
    return d_moved + z, cholesky_adjoint(wave_factor, d_wave_factor), d_factor
