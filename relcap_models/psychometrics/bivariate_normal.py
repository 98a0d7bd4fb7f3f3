"""The bivariate normal distribution: orthants, tables of two sets of thresholds, and their derivatives.

scipy's bivariate normal integrates numerically for one point at a time (some 0.1 ms, 1e-5 to 1e-8). A matrix
of polychoric correlations needs a hundred thousand orthants, hence compiled scalar loops.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

_compiled = njit(cache=True, nogil=True, error_model="numpy")

_SQRT_2 = math.sqrt(2.0)
_SQRT_2PI = math.sqrt(2.0 * math.pi)
# Gauss-Legendre nodes in (0, 1) and weights; more of them as the correlation grows (Genz 2004, section 2).
_NODES_6, _WEIGHTS_6 = np.polynomial.legendre.leggauss(6)
_NODES_12, _WEIGHTS_12 = np.polynomial.legendre.leggauss(12)
_NODES_20, _WEIGHTS_20 = np.polynomial.legendre.leggauss(20)


@_compiled
def normal_density(x: float) -> float:
    """Standard normal density."""
    return math.exp(-0.5 * x * x) / _SQRT_2PI


@_compiled
def normal_cdf(x: float) -> float:
    """P(X ≤ x) of a standard normal X."""
    return 0.5 * math.erfc(-x / _SQRT_2)


@_compiled
def bivariate_normal_density(x: float, y: float, rho: float) -> float:
    """Density of two standard normals with correlation `rho`, |rho| < 1; 0 at infinite arguments.

    It is also the derivative of `bivariate_normal_cdf` with respect to `rho` (Plackett 1954).
    """
    if math.isinf(x) or math.isinf(y):
        return 0.0
    rest = (1.0 - rho) * (1.0 + rho)
    return math.exp(-0.5 * ((x - rho * y) ** 2 / rest + y * y)) / (2.0 * math.pi * math.sqrt(rest))


@_compiled
def bivariate_normal_density_slope(x: float, y: float, rho: float) -> float:
    """Derivative of `bivariate_normal_density` with respect to `rho`."""
    if math.isinf(x) or math.isinf(y):
        return 0.0
    rest = (1.0 - rho) * (1.0 + rho)
    inner = rho / rest + (x * y * (1.0 + rho * rho) - rho * (x * x + y * y)) / (rest * rest)
    return inner * bivariate_normal_density(x, y, rho)


@_compiled
def bivariate_normal_cdf(x: float, y: float, rho: float) -> float:
    """P(X ≤ x, Y ≤ y) of two standard normals with correlation `rho`, −1 ≤ rho ≤ 1; bounds may be infinite.

    Absolute error below 1e-14. Source: Drezner & Wesolowsky (1990), with Genz's (2004, Statistics and
    Computing 14) expansion for strong correlations.
    """
    if x == -math.inf or y == -math.inf:
        return 0.0
    if x == math.inf:
        return normal_cdf(y)
    if y == math.inf:
        return normal_cdf(x)
    if abs(rho) < 0.3:
        return _moderate(x, y, rho, _NODES_6, _WEIGHTS_6)
    if abs(rho) < 0.75:
        return _moderate(x, y, rho, _NODES_12, _WEIGHTS_12)
    if abs(rho) < 0.925:
        return _moderate(x, y, rho, _NODES_20, _WEIGHTS_20)
    return _strong(x, y, rho)


@_compiled
def _moderate(x: float, y: float, rho: float, nodes: np.ndarray, weights: np.ndarray) -> float:
    """Independence, plus the integral of the density over the correlation, as sin θ, from 0 to `rho`."""
    half_angle = 0.5 * math.asin(rho)
    squares = 0.5 * (x * x + y * y)
    total = 0.0
    for k in range(nodes.size):
        sine = math.sin(half_angle * (1.0 + nodes[k]))
        total += weights[k] * math.exp((sine * x * y - squares) / (1.0 - sine * sine))
    return normal_cdf(x) * normal_cdf(y) + total * half_angle / (2.0 * math.pi)


@_compiled
def _strong(x: float, y: float, rho: float) -> float:
    """The limit at |rho| = 1, less the integral of the density over the correlation from |rho| to 1.

    With t = √(1 − r²) the integrand is exp(−d²/2t² − p/2) times a smooth function, whose first terms are
    integrated exactly: only the rest is left to the quadrature.
    """
    if rho < 0.0:
        y = -y
    product = x * y
    loss = 0.0
    if abs(rho) < 1.0:
        loss = _loss_to_limit(abs(x - y), product, math.sqrt((1.0 - rho) * (1.0 + rho))) / (2.0 * math.pi)
    if rho > 0.0:
        return normal_cdf(min(x, y)) - loss
    # P(X ≤ x, Y ≤ −y) when Y is nearly −X: what lies between y and x.
    return max(0.0, _between(y, x)) + loss


@_compiled
def _between(low: float, high: float) -> float:
    """P(low ≤ X ≤ high), negative if they are the wrong way round; from the tail where it is small."""
    if low > 0.0 and high > 0.0:
        return normal_cdf(-low) - normal_cdf(-high)
    return normal_cdf(high) - normal_cdf(low)


@_compiled
def _loss_to_limit(distance: float, product: float, end: float) -> float:
    """∫₀ᵉⁿᵈ exp(−(d²/t² + 2p/(1 + r)) / 2) / r dt with r = √(1 − t²)."""
    square = distance * distance
    c = (4.0 - product) / 8.0
    d = (12.0 - product) / 16.0
    loss = 0.0
    exponent = -0.5 * (square / (end * end) + product)
    if exponent > -100.0:
        series = 1.0 - c * (square - end * end) * (1.0 - d * square / 5.0) / 3.0 + c * d * end**4 / 5.0
        loss += end * math.exp(exponent) * series
    if product > -100.0:
        tail = _SQRT_2PI * normal_cdf(-distance / end)
        series = 1.0 - c * square * (1.0 - d * square / 5.0) / 3.0
        loss -= math.exp(-0.5 * product) * tail * distance * series
    for k in range(_NODES_20.size):
        t2 = (0.5 * end * (1.0 + _NODES_20[k])) ** 2
        exponent = -0.5 * (square / t2 + product)
        if exponent > -100.0:
            r = math.sqrt(1.0 - t2)
            exact = math.exp(-0.5 * product * t2 / (1.0 + r) ** 2) / r
            loss += 0.5 * end * _WEIGHTS_20[k] * math.exp(exponent) * (exact - 1.0 - c * t2 * (1.0 + d * t2))
    return loss


@_compiled
def table_probabilities(rows: np.ndarray, columns: np.ndarray, rho: float) -> np.ndarray:
    """(row category, column category) probabilities of two normals cut at thresholds `rows` and `columns`."""
    corners = np.zeros((rows.size + 2, columns.size + 2))
    for i in range(1, rows.size + 2):
        x = rows[i - 1] if i <= rows.size else math.inf
        for j in range(1, columns.size + 2):
            y = columns[j - 1] if j <= columns.size else math.inf
            corners[i, j] = bivariate_normal_cdf(x, y, rho)
    return _cells(corners)


@_compiled
def table_slopes(rows: np.ndarray, columns: np.ndarray, rho: float) -> tuple[np.ndarray, np.ndarray]:
    """First and second derivative of `table_probabilities` with respect to `rho`, |rho| < 1."""
    first = np.zeros((rows.size + 2, columns.size + 2))
    second = np.zeros((rows.size + 2, columns.size + 2))
    for i in range(rows.size):
        for j in range(columns.size):
            first[i + 1, j + 1] = bivariate_normal_density(rows[i], columns[j], rho)
            second[i + 1, j + 1] = bivariate_normal_density_slope(rows[i], columns[j], rho)
    return _cells(first), _cells(second)


@_compiled
def table_threshold_slopes(rows: np.ndarray, columns: np.ndarray, rho: float) -> np.ndarray:
    """(row threshold, column category) by how much a row threshold moves probability to the row below it.

    The derivative of cell (k, j) with respect to row threshold k; that of cell (k + 1, j) is its negative.
    """
    slopes = np.empty((rows.size, columns.size + 1))
    spread = math.sqrt((1.0 - rho) * (1.0 + rho))
    for k in range(rows.size):
        density = normal_density(rows[k])
        below = 0.0
        for j in range(columns.size):
            upto = normal_cdf((columns[j] - rho * rows[k]) / spread)
            slopes[k, j] = density * (upto - below)
            below = upto
        slopes[k, columns.size] = density * (1.0 - below)
    return slopes


@_compiled
def _cells(corners: np.ndarray) -> np.ndarray:
    return corners[1:, 1:] - corners[:-1, 1:] - corners[1:, :-1] + corners[:-1, :-1]
