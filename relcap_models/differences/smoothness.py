"""Effects that a trend cannot explain away if its slope changes no more than so much at a time."""

from __future__ import annotations

import numpy as np
from scipy.optimize import brentq, minimize
from scipy.special import ndtr
from scipy.stats import norm

from relcap_models.differences.relative_magnitudes import EventStudy


def fixed_length_interval(study: EventStudy, bound: float, alpha: float) -> tuple[float, float]:
    """The shortest interval around a weighted sum of estimates that covers under every trend in the bound.

    A straight trend cancels in the sum; a trend whose slope changes by at most `bound` biases it by at most
    `bound` times the summed absolute loads of the changes. The half-length, a quantile of |N(bias,
    variance)|, is convex in the weights.

    Source: Rambachan & Roth (2023), section 4.1; Armstrong & Kolesár (2018), Econometrica 86, 655–683.
    """
    time, bends = _trends(study)
    before = study.n_before
    unit = study.se
    covariance = study.covariance / unit**2
    free = len(bends)

    def weights(v: np.ndarray) -> np.ndarray:
        return np.concatenate([v[:before], study.target])

    def half(v: np.ndarray) -> float:
        w = weights(v)
        return half_length(bound / unit * v[before:].sum(), np.sqrt(w @ covariance @ w), alpha)

    def slope(v: np.ndarray) -> np.ndarray:
        w = weights(v)
        sd = np.sqrt(w @ covariance @ w)
        by_bias, by_sd = _half_length_slopes(bound / unit * v[before:].sum(), sd, alpha)
        return np.concatenate([by_sd * (covariance @ w)[:before] / sd, np.full(free, by_bias * bound / unit)])

    # v holds weights before the start, then the absolute loads of the bends.
    fixed = bends[:, before:] @ study.target
    least = np.column_stack([bends[:, :before], np.zeros((free, free))])
    size = np.column_stack([np.zeros((free, before)), np.eye(free)])
    start = np.zeros(before)
    start[-1] = -(time[before:] @ study.target) / time[before - 1]
    start = np.concatenate([start, np.abs(bends[:, :before] @ start + fixed) + 1e-3])
    found = minimize(
        half,
        start,
        jac=slope,
        method="SLSQP",
        constraints=[
            {
                "type": "eq",
                "fun": lambda v: time[:before] @ v[:before] + time[before:] @ study.target,
                "jac": lambda v: np.concatenate([time[:before], np.zeros(free)]),
            },
            {"type": "ineq", "fun": lambda v: size @ v - least @ v - fixed, "jac": lambda v: size - least},
            {"type": "ineq", "fun": lambda v: size @ v + least @ v + fixed, "jac": lambda v: size + least},
        ],
        options={"maxiter": 1000, "ftol": 1e-12},
    ).x
    # Whatever the search found, straight trends cancel exactly and the bias is that of these weights.
    pre = found[:before]
    pre = pre - time[:before] * (time[:before] @ pre + time[before:] @ study.target) / (
        time[:before] @ time[:before]
    )
    w = np.concatenate([pre, study.target])
    length = unit * half_length(bound / unit * np.abs(bends @ w).sum(), np.sqrt(w @ covariance @ w), alpha)
    centre = float(w @ study.estimate)
    return centre - length, centre + length


def half_length(bias: float, sd: float, alpha: float) -> float:
    """The 1 − alpha quantile of |N(bias, sd²)|."""
    # A search may look where loads, and with them the bias, are negative: the sign makes no difference.
    bias = abs(bias)
    ratio = bias / sd
    if ratio > 8:
        # One side only is left: the other is beyond eight standard deviations.
        return bias + sd * norm.ppf(1 - alpha)
    return sd * brentq(lambda q: ndtr(q - ratio) - ndtr(-q - ratio) - (1 - alpha), 0, ratio + 10, xtol=1e-13)


def _half_length_slopes(bias: float, sd: float, alpha: float) -> tuple[float, float]:
    """Derivatives of the half-length q in bias and sd, from Φ((q − b)/s) − Φ((−q − b)/s) = 1 − α."""
    q = half_length(bias, sd, alpha)
    above, below = norm.pdf((q - bias) / sd), norm.pdf((q + bias) / sd)
    total = above + below
    return (above - below) / total, ((q - bias) * above + (q + bias) * below) / sd / total


def _trends(study: EventStudy) -> tuple[np.ndarray, np.ndarray]:
    """(time,) steps from the last time before the start, and (bend, time) what a change of slope adds.

    Any trend that is 0 at the base is a straight line through it plus bends, each of which starts at a time
    between the first and the last and goes away from the base.
    """
    n, before = len(study.estimate), study.n_before
    at = np.concatenate([np.arange(-before - 1, -1), np.arange(n - before)]) + 1.0
    inner = np.arange(-before + 1, n - before)
    bends = np.where(
        inner[:, None] >= 0,
        (at - inner[:, None]).clip(0),
        (inner[:, None] - at).clip(0),
    )
    return at, bends
