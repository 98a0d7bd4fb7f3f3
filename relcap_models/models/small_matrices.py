"""Linear algebra of matrices a few rows wide, for compiled code.

For these LAPACK's calls cost more than the sums, and seconds of compilation wherever one is used.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

_compiled = njit(cache=True, no_cfunc_wrapper=True, nogil=True, error_model="numpy")


@_compiled
def factorise(matrix):
    """Put the Cholesky factor into the lower triangle of a symmetric matrix, which alone is read.

    NaN if the matrix is not positive definite.
    """
    size = matrix.shape[0]
    for j in range(size):
        for k in range(j):
            matrix[j, j] -= matrix[j, k] * matrix[j, k]
        matrix[j, j] = math.sqrt(matrix[j, j]) if matrix[j, j] > 0.0 else math.nan
        for i in range(j + 1, size):
            for k in range(j):
                matrix[i, j] -= matrix[i, k] * matrix[j, k]
            matrix[i, j] /= matrix[j, j]


@_compiled
def solve_lower(factor, right):
    """Overwrite `right` with L⁻¹·right, L the lower triangle of `factor`."""
    for i in range(factor.shape[0]):
        for k in range(i):
            right[i] -= factor[i, k] * right[k]
        right[i] /= factor[i, i]


@_compiled
def solve_upper(factor, right):
    """Overwrite `right` with L⁻ᵀ·right, L the lower triangle of `factor`."""
    for i in range(factor.shape[0] - 1, -1, -1):
        for k in range(i + 1, factor.shape[0]):
            right[i] -= factor[k, i] * right[k]
        right[i] /= factor[i, i]


@_compiled
def cholesky(matrix):
    """Cholesky factor of a symmetric matrix as a new one; NaN if it is not positive definite."""
    factor = matrix.copy()
    factorise(factor)
    for i in range(factor.shape[0]):
        for j in range(i + 1, factor.shape[0]):
            factor[i, j] = 0.0
    return factor


@_compiled
def lower_inverse(factor):
    """Inverse of a lower triangular matrix."""
    inverse = np.empty_like(factor)
    invert_lower(factor, inverse)
    return inverse


@_compiled
def invert_lower(factor, inverse):
    """Inverse of a lower triangular matrix into `inverse`."""
    for i in range(factor.shape[0]):
        inverse[i, i] = 1.0 / factor[i, i]
        for j in range(i):
            total = 0.0
            for k in range(j, i):
                total += factor[i, k] * inverse[k, j]
            inverse[i, j] = -total * inverse[i, i]
            inverse[j, i] = 0.0


@_compiled
def times(left, right):
    """left·right"""
    result = np.empty((left.shape[0], right.shape[1]))
    multiply(left, right, result)
    return result


@_compiled
def multiply(left, right, result):
    """left·right into `result`."""
    for i in range(left.shape[0]):
        for j in range(right.shape[1]):
            result[i, j] = 0.0
        for k in range(left.shape[1]):
            for j in range(right.shape[1]):
                result[i, j] += left[i, k] * right[k, j]


@_compiled
def transposed(matrix):
    result = np.empty((matrix.shape[1], matrix.shape[0]))
    for i in range(matrix.shape[0]):
        for j in range(matrix.shape[1]):
            result[j, i] = matrix[i, j]
    return result


@_compiled
def transposed_times(left, right, result):
    """leftᵀ·right into `result`."""
    for i in range(left.shape[1]):
        for j in range(right.shape[1]):
            result[i, j] = 0.0
        for k in range(left.shape[0]):
            for j in range(right.shape[1]):
                result[i, j] += left[k, i] * right[k, j]


@_compiled
def put(matrix, place):
    """Copy a matrix to `place`. An assignment to a slice is compiled with all that words its errors."""
    for i in range(matrix.shape[0]):
        for j in range(matrix.shape[1]):
            place[i, j] = matrix[i, j]
