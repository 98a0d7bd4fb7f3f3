"""The correlation of a continuous variable with an ordinal or another continuous one, given their margins.

Continuous variables are standardised, z = (value − mean) / sd. An ordinal answer says that the variable
beneath lies between a lower and an upper bound: its two thresholds, less what covariates predict.

Derivatives of each respondent's log-likelihood come in rows: by the correlation; by the mean and the variance
of the first variable; by the two parameters of the second, mean and variance or lower and upper bound.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from relcap_models.psychometrics.bivariate_normal import normal_cdf, normal_density
from relcap_models.psychometrics.correlation_search import (
    BOUND,
    CLOSE,
    LEAST_PROBABILITY,
    MOST_STEPS,
    next_step,
)

_compiled = njit(cache=True, nogil=True, error_model="numpy")


@_compiled
def polyserial_correlation(z: np.ndarray, lower: np.ndarray, upper: np.ndarray, start: float) -> float:
    """Where the likelihood of values z and of answers between bounds, which may be infinite, is largest."""
    low, high, rho = -BOUND, BOUND, start
    for _ in range(MOST_STEPS):
        rest = (1.0 - rho) * (1.0 + rho)
        spread = math.sqrt(rest)
        slope, curvature = 0.0, 0.0
        for n in range(z.size):
            since, to = (lower[n] - rho * z[n]) / spread, (upper[n] - rho * z[n]) / spread
            first, second = 0.0, 0.0
            for side in range(2):
                bound, u = (upper[n], to) if side == 1 else (lower[n], since)
                if math.isinf(bound):
                    continue
                du = (bound * rho - z[n]) / (rest * spread)
                d2u = (bound + 3.0 * rho * (bound * rho - z[n]) / rest) / (rest * spread)
                density = (2.0 * side - 1.0) * normal_density(u)
                first += density * du
                second += density * (d2u - u * du * du)
            probability = _between(since, to)
            relative = first / probability
            slope += relative
            curvature += second / probability - relative * relative
        if slope > 0.0:
            low = rho
        else:
            high = rho
        step = next_step(rho, low, high, slope, curvature)
        if abs(step - rho) < CLOSE:
            return step
        rho = step
    return rho


@_compiled
def polyserial_derivatives(
    z: np.ndarray, lower: np.ndarray, upper: np.ndarray, rho: float, deviation: float
) -> np.ndarray:
    """(5, respondent); `deviation` is the continuous variable's."""
    rest = (1.0 - rho) * (1.0 + rho)
    spread = math.sqrt(rest)
    found = np.zeros((5, z.size))
    for n in range(z.size):
        since, to = (lower[n] - rho * z[n]) / spread, (upper[n] - rho * z[n]) / spread
        probability = _between(since, to)
        by_rho, by_lower, by_upper = 0.0, 0.0, 0.0
        if not math.isinf(upper[n]):
            by_upper = normal_density(to) / spread / probability
            by_rho += by_upper * (upper[n] * rho - z[n]) / rest
        if not math.isinf(lower[n]):
            by_lower = -normal_density(since) / spread / probability
            by_rho += by_lower * (lower[n] * rho - z[n]) / rest
        pull = rho * (by_upper + by_lower)
        found[0, n] = by_rho
        found[1, n] = (z[n] + pull) / deviation
        found[2, n] = (z[n] * z[n] - 1.0 + z[n] * pull) / (2.0 * deviation * deviation)
        found[3, n] = by_lower
        found[4, n] = by_upper
    return found


@_compiled
def _between(low: float, high: float) -> float:
    """P(low ≤ X ≤ high), from the tail in which it lies."""
    if low > 0.0:
        low, high = -high, -low
    return max(normal_cdf(high) - normal_cdf(low), LEAST_PROBABILITY)


def pearson_correlation(x: np.ndarray, y: np.ndarray) -> float:
    """Where the likelihood of two standardised variables is largest; ±1 if one determines the other.

    It is the mean of x y if the mean squares of both are 1, as they are where the same people answered both.
    """
    xx, yy, xy = (a @ b / a.size for a, b in ((x, x), (y, y), (x, y)))
    roots = np.roots([-1.0, xy, 1.0 - xx - yy, xy])
    real = np.clip(roots.real[np.abs(roots.imag) < 1e-8], -1.0, 1.0)
    rest = np.maximum(1.0 - real**2, 1e-15)
    log_likelihood = -0.5 * np.log(rest) - (xx - 2 * real * xy + yy) / (2 * rest)
    rho = float(real[np.argmax(log_likelihood)])
    return math.copysign(1.0, rho) if 1.0 - rho * rho < 1e-12 else rho


def pearson_derivatives(x: np.ndarray, y: np.ndarray, rho: float, sd_x: float, sd_y: float) -> np.ndarray:
    """(5, respondent); 0 throughout if one variable determines the other."""
    rest = 1.0 - rho * rho
    if rest == 0.0:
        return np.zeros((5, x.size))
    parts = [rho / rest + x * y / rest - (x * x - 2 * rho * x * y + y * y) * rho / rest**2]
    for own, other, sd in ((x, y, sd_x), (y, x, sd_y)):
        parts.append((own - rho * other) / rest / sd)
        parts.append(((own * own - rho * own * other) / rest - 1.0) / (2.0 * sd**2))
    return np.array(parts)
