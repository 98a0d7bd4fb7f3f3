"""The correlation of two items' residuals given covariates, by maximum likelihood, respondent by respondent.

Thresholds differ from respondent to respondent by what covariates predict, so that no table of counts will
do: the likelihood is summed over respondents, in compiled loops.
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

_compiled = njit(cache=True, nogil=True, error_model="numpy")
BOUND = 0.999
_LEAST = 1e-12
_MOST_STEPS = 200

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
        rho = _maximise_mixed(z, low, high)
        parts = _mixed_scores(z, low, high, rho, first[4])
    else:
        rho, parts = _normal_scores(first[1][both], second[1][both], first[4], second[4])
    whole = np.zeros((5, len(both)))
    whole[:, both] = parts
    return PairScores(float(rho), whole[0], (whole[1], whole[2]), (whole[3], whole[4]))


@_compiled
def _next_step(rho: float, low: float, high: float, slope: float, curvature: float) -> float:
    if curvature < 0.0:
        step = rho - slope / curvature
        if low < step < high:
            return step
    return 0.5 * (low + high)


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
    for _ in range(_MOST_STEPS):
        slope, curvature = 0.0, 0.0
        for n in range(a.size):
            p = max(_rectangle(a[n], b[n], c[n], d[n], rho), _LEAST)
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
        step = _next_step(rho, low, high, slope, curvature)
        if abs(step - rho) < 1e-11:
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
        p = max(_rectangle(a[n], b[n], c[n], d[n], rho), _LEAST)
        found[0, n] = _rectangle_slope(a[n], b[n], c[n], d[n], rho) / p
        found[1, n] = -_edge(a[n], c[n], d[n], rho, spread) / p
        found[2, n] = _edge(b[n], c[n], d[n], rho, spread) / p
        found[3, n] = -_edge(c[n], a[n], b[n], rho, spread) / p
        found[4, n] = _edge(d[n], a[n], b[n], rho, spread) / p
    return found


@_compiled
def _maximise_mixed(z: np.ndarray, low: np.ndarray, high: np.ndarray) -> float:
    lowest, highest, rho = -BOUND, BOUND, 0.0
    for _ in range(_MOST_STEPS):
        rest = (1.0 - rho) * (1.0 + rho)
        spread = math.sqrt(rest)
        slope, curvature = 0.0, 0.0
        for n in range(z.size):
            probability, first, second = 0.0, 0.0, 0.0
            for side in range(2):
                bound = high[n] if side == 1 else low[n]
                sign = 2.0 * side - 1.0
                if math.isinf(bound):
                    probability += 1.0 if side == 1 else 0.0
                    continue
                u = (bound - rho * z[n]) / spread
                du = (bound * rho - z[n]) / (rest * spread)
                d2u = (bound + 3.0 * rho * (bound * rho - z[n]) / rest) / (rest * spread)
                density = normal_density(u)
                probability += sign * normal_cdf(u)
                first += sign * density * du
                second += sign * density * (d2u - u * du * du)
            probability = max(probability, _LEAST)
            relative = first / probability
            slope += relative
            curvature += second / probability - relative * relative
        if slope > 0.0:
            lowest = rho
        else:
            highest = rho
        step = _next_step(rho, lowest, highest, slope, curvature)
        if abs(step - rho) < 1e-11:
            return step
        rho = step
    return rho


@_compiled
def _mixed_scores(
    z: np.ndarray, low: np.ndarray, high: np.ndarray, rho: float, deviation: float
) -> np.ndarray:
    spread = math.sqrt((1.0 - rho) * (1.0 + rho))
    found = np.zeros((5, z.size))
    for n in range(z.size):
        probability, by_rho, by_low, by_high = 0.0, 0.0, 0.0, 0.0
        if math.isinf(high[n]):
            probability += 1.0
        else:
            u = (high[n] - rho * z[n]) / spread
            by_high = normal_density(u) / spread
            probability += normal_cdf(u)
            by_rho += normal_density(u) * (high[n] * rho - z[n]) / spread**3
        if not math.isinf(low[n]):
            u = (low[n] - rho * z[n]) / spread
            by_low = -normal_density(u) / spread
            probability -= normal_cdf(u)
            by_rho -= normal_density(u) * (low[n] * rho - z[n]) / spread**3
        p = max(probability, _LEAST)
        pull = rho * (by_high + by_low) / p
        found[0, n] = by_rho / p
        found[1, n] = (z[n] + pull) / deviation
        found[2, n] = (z[n] * z[n] - 1.0 + z[n] * pull) / (2.0 * deviation * deviation)
        found[3, n] = by_low / p
        found[4, n] = by_high / p
    return found


def _normal_scores(x: np.ndarray, y: np.ndarray, sd_x: float, sd_y: float) -> tuple[float, np.ndarray]:
    """Two continuous items' standardised residuals."""
    xx, yy, xy = (x * x).mean(), (y * y).mean(), (x * y).mean()
    roots = np.roots([-1.0, xy, 1.0 - xx - yy, xy])
    real = np.clip(roots.real[np.abs(roots.imag) < 1e-8], -BOUND, BOUND)
    likelihood = -0.5 * np.log(1 - real**2) - (xx - 2 * real * xy + yy) / (2 * (1 - real**2))
    rho = float(real[np.argmax(likelihood)])
    rest = 1.0 - rho * rho
    scores = rho / rest + x * y / rest - (x * x - 2 * rho * x * y + y * y) * rho / rest**2
    parts = [scores]
    for own, other, sd in ((x, y, sd_x), (y, x, sd_y)):
        parts.append((own - rho * other) / rest / sd)
        parts.append(((own * own - rho * own * other) / rest - 1.0) / (2 * sd**2))
    return rho, np.array(parts)
