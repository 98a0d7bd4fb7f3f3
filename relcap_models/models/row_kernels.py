"""Rows of correlated effects and their density in compiled code: one pass forwards and one in reverse.

Rows are (n, k), each with a covariance L·Lᵀ of its kind; `density_rows.Rows` says what they mean and owns the
arrays that are written here.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from relcap_models.models.covariance import adapted_factors
from relcap_models.models.kernels import gather_weighted, scatter_weighted
from relcap_models.models.small_matrices import put

_compiled = njit(cache=True, no_cfunc_wrapper=True, error_model="numpy")


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
def scaled_rows_adjoint(factors, kind, z, d_rows, d_z, d_factors):
    """Derivatives with respect to z, added to `d_z`, and the factors, written to `d_factors`."""
    clear(d_factors)
    for n in range(z.shape[0]):
        factor, d_factor = factors[kind[n]], d_factors[kind[n]]
        for i in range(z.shape[1]):
            for j in range(i + 1):
                d_z[n, j] += factor[i, j] * d_rows[n, i]
                d_factor[i, j] += d_rows[n, i] * z[n, j]


@_compiled
def stretch(z, direction, group, further):
    """Lengthen z along the direction that rows of a group share, in place; symmetric, so its own adjoint.

    z, direction : (n, k) · group : (n,) −1 for rows of none · further : (G, k)
    """
    along = np.zeros_like(further)
    scatter_weighted(z, direction, group, along)
    for g in range(further.shape[0]):
        for i in range(further.shape[1]):
            along[g, i] *= further[g, i]
    gather_weighted(z, direction, along, group)


@_compiled
def squares(z):
    """Σ z²"""
    total = 0.0
    for n in range(z.shape[0]):
        for i in range(z.shape[1]):
            total += z[n, i] * z[n, i]
    return total


@_compiled
def clear(matrices):
    """Set (K, k, k) to zero."""
    for k in range(matrices.shape[0]):
        for i in range(matrices.shape[1]):
            for j in range(matrices.shape[2]):
                matrices[k, i, j] = 0.0


@_compiled
def adapt(factors, factor_of_kind, information, count, own, inner, adapted, towards):
    """Write L (K, k, k) of every kind of row and its D, B and Bᵀ·I of `adapted_factors`; return −Σ log|D|.

    factors : (F, k, k) · factor_of_kind, count : (K,) the factor and the number of rows of each kind
    """
    total = 0.0
    for k in range(own.shape[0]):
        put(factors[factor_of_kind[k]], own[k])
    adapted_factors(own, information, inner, adapted, towards)
    for k in range(own.shape[0]):
        for i in range(own.shape[1]):
            total -= count[k] * math.log(inner[k, i, i])
    return total


@_compiled
def forward_rows(
    adapted,
    towards,
    information,
    kind,
    estimate,
    free,
    n_shared,
    direction,
    group,
    further,
    columns,
    z,
    moved,
    rows,
):
    """Rows with covariance K = L·Lᵀ each, from `free`, close to standard normal in the posterior.

    `free` is stretched to z, and a row is B·(z + Bᵀ·I·estimate), see `adapted_factors`: if I around the
    estimate is what the answers say about an effect, its z is standard normal whatever K.

    Parameters
    ----------
    adapted, towards, information : (K, k, k) B, Bᵀ·I and I · kind : (n,) · estimate, free : (n, k)
    n_shared, direction, group, further : how many stretches, and those of `stretch`, stacked
    columns : anything of length k; a tuple tells the compiler how long short rows are
    z, moved, rows : (n, k) z, z + Bᵀ·I·estimate and the rows, written

    Returns
    -------
    log N(rows | 0, K) with the Jacobian of `free`, less the standard normal of it that the layout adds and
    each row's −log|D|
    """
    size, total = len(columns), 0.0
    put(free, z)
    for s in range(n_shared):
        stretch(z, direction[s], group[s], further[s])
    if n_shared > 0:
        total += 0.5 * (squares(free) - squares(z))
    change = 0.0
    for n in range(z.shape[0]):
        k = kind[n]
        for i in range(size):
            value = z[n, i]
            change += value * value
            for j in range(size):
                value += towards[k, i, j] * estimate[n, j]
            change -= value * value
            moved[n, i] = value
        for i in range(size):
            value = 0.0
            for j in range(i + 1):
                value += adapted[k, i, j] * moved[n, j]
            rows[n, i] = value
        for i in range(size):
            for j in range(size):
                change += rows[n, i] * information[k, i, j] * rows[n, j]
    return total + 0.5 * change


@_compiled
def backward_rows(
    d_rows,
    adapted,
    information,
    kind,
    estimate,
    free,
    n_shared,
    direction,
    group,
    further,
    columns,
    moved,
    rows,
    slopes,
    d_free,
    d_adapted,
    d_estimate,
):
    """Derivatives of f(rows) + the log density of `forward_rows`, from those of f.

    Those with respect to `free` are added to `d_free` (n, k); those with respect to B (K, k, k) and the
    estimate (n, k) are written. slopes : (n, k), written with those with respect to z, less that of ½·z²
    """
    size = len(columns)
    clear(d_adapted)
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
            slopes[n, j] = value
        for i in range(size):
            value = 0.0
            for j in range(i + 1):
                d_adapted[k, i, j] += slope[i] * moved[n, j] + pull[i] * slopes[n, j]
                value += adapted[k, i, j] * slopes[n, j]
            d_pull[i] = value
        for i in range(size):
            value = 0.0
            for j in range(size):
                value += information[k, i, j] * d_pull[j]
            d_estimate[n, i] = value
    for s in range(n_shared - 1, -1, -1):
        stretch(slopes, direction[s], group[s], further[s])
    for n in range(rows.shape[0]):
        for i in range(size):
            d_free[n, i] += slopes[n, i] + free[n, i]
