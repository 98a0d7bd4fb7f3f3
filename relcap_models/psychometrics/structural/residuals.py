"""What a model leaves of the sample's covariances and means."""

from __future__ import annotations

import numpy as np

from relcap_models.psychometrics.structural.fit import Fit


def moment_residuals(fit: Fit) -> list[tuple[np.ndarray, np.ndarray]]:
    """For each block (covariances, means): sample minus implied."""
    if fit.two_level:
        both = zip(fit.model.level_moments, fit.model.moments(fit.theta))
        return [(level.cov - moments.sigma, level.mean - moments.mu) for level, moments in both]
    return [
        (sample.cov - moments.sigma, sample.mean - mu)
        for _, _, moments, sample, mu in fit.model.parts(fit.theta)
    ]


def correlation_residuals(fit: Fit) -> list[np.ndarray]:
    """For each block (observed, observed): sample correlations minus implied ones."""
    if fit.two_level:
        both = zip(fit.model.level_moments, fit.model.moments(fit.theta))
        return [_correlations(level.cov) - _correlations(moments.sigma) for level, moments in both]
    return [
        _correlations(sample.cov) - _correlations(moments.sigma)
        for _, _, moments, sample, _ in fit.model.parts(fit.theta)
    ]


def _correlations(cov: np.ndarray) -> np.ndarray:
    scale = np.sqrt(np.diag(cov))
    return cov / np.outer(scale, scale)
