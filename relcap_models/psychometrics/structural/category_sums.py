"""Variance of a sum of ordinal answers, from thresholds and correlations of the normal variables beneath.

An answer counts the thresholds that its normal variable exceeds, so that two answers covary by the sum, over
pairs of thresholds, of Φ₂(a, b, r) − Φ(a) Φ(b).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import njit

from relcap_models.psychometrics.bivariate_normal import (
    bivariate_normal_cdf,
    bivariate_normal_density,
    normal_cdf,
    normal_density,
)


@dataclass(frozen=True)
class SumVariance:
    """Variance of a sum of answers and its slopes.

    by_correlation : (item, item), the cells above and below the diagonal taken as two.
    by_threshold : (threshold,).
    """

    value: float
    by_correlation: np.ndarray
    by_threshold: np.ndarray


def sum_variance(thresholds: np.ndarray, item: np.ndarray, correlation: np.ndarray) -> SumVariance:
    """Variance of the sum of answers, each 0, 1, … by the thresholds below its normal variable.

    Parameters
    ----------
    thresholds : (threshold,) of normal variables with variance 1. item : (threshold,) the item of each.
    correlation : (item, item) within [−1, 1]. A diagonal of 1 gives the variance of the sum, one of
        communalities the part of it that two sums with the same common factors share.
    """
    value, by_correlation, by_threshold = _sum_variance(thresholds, item, correlation)
    return SumVariance(value, by_correlation, by_threshold)


# Compiled: a scalar bivariate probability for each pair of thresholds of each pair of items.
@njit(cache=True)
def _sum_variance(
    thresholds: np.ndarray, item: np.ndarray, correlation: np.ndarray
) -> tuple[float, np.ndarray, np.ndarray]:
    value = 0.0
    by_correlation = np.zeros_like(correlation)
    by_threshold = np.zeros(thresholds.size)
    for k in range(thresholds.size):
        a = thresholds[k]
        below, density = normal_cdf(a), normal_density(a)
        for m in range(thresholds.size):
            b, r = thresholds[m], correlation[item[k], item[m]]
            value += bivariate_normal_cdf(a, b, r) - below * normal_cdf(b)
            rest = (1.0 - r) * (1.0 + r)
            if rest > 0.0:
                by_correlation[item[k], item[m]] += bivariate_normal_density(a, b, r)
                joint = normal_cdf((b - r * a) / math.sqrt(rest))
            elif r > 0.0:
                joint = 0.5 if a == b else 1.0 if a < b else 0.0
            else:
                joint = 1.0 if a > -b else 0.0
            # Threshold k is met as the first and as the second of a pair.
            by_threshold[k] += 2.0 * density * (joint - normal_cdf(b))
    return value, by_correlation, by_threshold
