"""What a model leaves of the sample's covariances and means."""

from __future__ import annotations

import numpy as np

from relcap_models.psychometrics.structural.fit import Fit
from relcap_models.psychometrics.structural.two_level_sample import level_moments

SMALLEST_VARIANCE = 1e-6


def moment_residuals(fit: Fit) -> list[tuple[np.ndarray, np.ndarray]]:
    """For each block (covariances, means): sample minus implied."""
    return [
        (sample.cov - moments.sigma, sample.mean - mu)
        for _, _, moments, sample, mu in fit.model.parts(fit.theta)
    ]


def correlation_residuals(fit: Fit) -> list[np.ndarray]:
    """For each block (observed, observed): sample correlations minus implied ones."""
    if fit.two_level:
        both = zip(level_moments(fit.model.samples), fit.model.moments(fit.theta))
        return [_correlations(level.cov) - _correlations(_proper(m.sigma)) for level, m in both]
    return [
        _correlations(sample.cov) - _correlations(moments.sigma)
        for _, _, moments, sample, _ in fit.model.parts(fit.theta)
    ]


def _proper(cov: np.ndarray) -> np.ndarray:
    """The nearest covariance matrix without negative variances, which between clusters may occur."""
    values, vectors = np.linalg.eigh(cov)
    if values[0] > 0:
        return cov
    return (vectors * np.maximum(values, SMALLEST_VARIANCE)) @ vectors.T


def _correlations(cov: np.ndarray) -> np.ndarray:
    scale = np.sqrt(np.diag(cov))
    return cov / np.outer(scale, scale)
