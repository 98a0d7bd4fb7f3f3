"""The correlation of two items' residuals given covariates, by maximum likelihood, respondent by respondent.

Thresholds differ from respondent to respondent by what covariates predict, so that no table of counts will
do for two ordinal items: the likelihood is summed over respondents, in compiled loops.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import njit

from relcap_models.psychometrics.bivariate_normal import (
    bivariate_normal_cdf,
    bivariate_normal_density,
    bivariate_normal_density_slope,
    normal_cdf,
    normal_density,
)
from relcap_models.psychometrics.continuous_pairs import (
    pearson_correlation,
    pearson_derivatives,
    polyserial_correlation,
    polyserial_derivatives,
)
from relcap_models.psychometrics.correlation_search import (
    BOUND,
    CLOSE,
    LEAST_PROBABILITY,
    MOST_STEPS,
    next_step,
)

_compiled = njit(cache=True, nogil=True, error_model="numpy")

View = tuple[bool, np.ndarray, np.ndarray, np.ndarray, float]
"""An item: whether it is ordinal, lower and upper bounds (or residuals), who answered, the residual sd."""


@dataclass(frozen=True)
class PairScores:
    """A correlation and what its standard errors need, 0 for who did not answer both.

    scores : (respondent,) derivative of the log-likelihood. first, second : its derivatives by the item's
    lower and upper bound, or by its mean and variance: (respondent,) each.
    """

    correlation: float
    scores: np.ndarray
    first: tuple[np.ndarray, np.ndarray]
    second: tuple[np.ndarray, np.ndarray]


def correlate(first: View, second: View) -> PairScores:
    """Two items, each ordinal or continuous."""
    both = first[3] & second[3]
    if first[0] and not second[0]:
        turned = correlate(second, first)
        return PairScores(turned.correlation, turned.scores, turned.second, turned.first)
    if first[0]:
        bounds = [np.ascontiguousarray(v[both]) for v in (*first[1:3], *second[1:3])]
        rho = _maximise(*bounds)
        parts = _ordinal_scores(*bounds, rho)
    elif second[0]:
        z, low, high = (np.ascontiguousarray(v[both]) for v in (first[1], *second[1:3]))
        rho = polyserial_correlation(z, low, high, 0.0)
        parts = polyserial_derivatives(z, low, high, rho, first[4])
    else:
        x, y = first[1][both], second[1][both]
        rho = pearson_correlation(x, y)
        parts = pearson_derivatives(x, y, rho, first[4], second[4])
    whole = np.zeros((5, len(both)))
    whole[:, both] = parts
    return PairScores(float(rho), whole[0], (whole[1], whole[2]), (whole[3], whole[4]))


@_compiled
def _rectangle(a: float, b: float, c: float, d: float, rho: float) -> float:
    """P(a < X < b, c < Y < d)."""
    return (
        bivariate_normal_cdf(b, d, rho)
        - bivariate_normal_cdf(a, d, rho)
        - bivariate_normal_cdf(b, c, rho)
        + bivariate_normal_cdf(a, c, rho)
    )


@_compiled
def _rectangle_slope(a: float, b: float, c: float, d: float, rho: float) -> float:
    return (
        bivariate_normal_density(b, d, rho)
        - bivariate_normal_density(a, d, rho)
        - bivariate_normal_density(b, c, rho)
        + bivariate_normal_density(a, c, rho)
    )


@_compiled
def _maximise(a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray) -> float:
    low, high, rho = -BOUND, BOUND, 0.0
    for _ in range(MOST_STEPS):
        slope, curvature = 0.0, 0.0
        for n in range(a.size):
            p = max(_rectangle(a[n], b[n], c[n], d[n], rho), LEAST_PROBABILITY)
            relative = _rectangle_slope(a[n], b[n], c[n], d[n], rho) / p
            second = (
                bivariate_normal_density_slope(b[n], d[n], rho)
                - bivariate_normal_density_slope(a[n], d[n], rho)
                - bivariate_normal_density_slope(b[n], c[n], rho)
                + bivariate_normal_density_slope(a[n], c[n], rho)
            )
            slope += relative
            curvature += second / p - relative * relative
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
def _edge(at: float, low: float, high: float, rho: float, spread: float) -> float:
    """By how much a bound moves the probability: density there times P(low < the other < high | there)."""
    if math.isinf(at):
        return 0.0
    return normal_density(at) * (
        normal_cdf((high - rho * at) / spread) - normal_cdf((low - rho * at) / spread)
    )


@_compiled
def _ordinal_scores(a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray, rho: float) -> np.ndarray:
    spread = math.sqrt((1.0 - rho) * (1.0 + rho))
    found = np.zeros((5, a.size))
    for n in range(a.size):
        p = max(_rectangle(a[n], b[n], c[n], d[n], rho), LEAST_PROBABILITY)
        found[0, n] = _rectangle_slope(a[n], b[n], c[n], d[n], rho) / p
        found[1, n] = -_edge(a[n], c[n], d[n], rho, spread) / p
        found[2, n] = _edge(b[n], c[n], d[n], rho, spread) / p
        found[3, n] = -_edge(c[n], a[n], b[n], rho, spread) / p
        found[4, n] = _edge(d[n], a[n], b[n], rho, spread) / p
    return found
