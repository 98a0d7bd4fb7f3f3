"""The normal likelihood of one group, its slopes, its information, and each respondent's share.

`loss` is minus the log-likelihood per respondent without its constant; patterns of missing answers are summed
over, and complete data are one pattern. Everything that concerns parameters is written with their directions
(u, v, d), see `implied_moments`; W is the inverse covariance, M = W T W with T the covariance about the
implied mean.

Source: Yuan & Bentler (2000), Sociological Methodology 30, 165-200; Savalei (2010), Psychological Methods 15.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from relcap_models.psychometrics.structural.implied_moments import Directions
from relcap_models.psychometrics.structural.sample import Pattern, Sample


def loss(sigma: np.ndarray, mu: np.ndarray, sample: Sample) -> float:
    """Minus the log-likelihood per respondent; infinite where sigma is not positive definite."""
    total = 0.0
    for pattern in sample.patterns:
        part = sigma[np.ix_(pattern.seen, pattern.seen)]
        try:
            factor = cho_factor(part, lower=True)
        except (np.linalg.LinAlgError, ValueError):
            return np.inf
        log_determinant = 2 * np.log(np.diag(factor[0])).sum()
        off = pattern.mean - mu[pattern.seen]
        about = pattern.cov + np.outer(off, off)
        total += pattern.n * 0.5 * (log_determinant + np.trace(cho_solve(factor, about)))
    return total / sample.n


def slopes(sigma: np.ndarray, mu: np.ndarray, sample: Sample) -> tuple[np.ndarray, np.ndarray]:
    """Derivatives of the loss by sigma (as a symmetric matrix Q: dloss = tr(Q dsigma)) and by mu."""
    by_sigma, by_mu = np.zeros_like(sigma), np.zeros_like(mu)
    for pattern, weight, inverse, off, middle in _parts(sigma, mu, sample):
        by_sigma[np.ix_(pattern.seen, pattern.seen)] += 0.5 * weight * (inverse - middle)
        by_mu[pattern.seen] -= weight * (inverse @ off)
    return by_sigma, by_mu


def expected_information(moving: Directions, sigma: np.ndarray, mu: np.ndarray, sample: Sample) -> np.ndarray:
    """(parameter, parameter) expected information of one respondent."""
    total = np.zeros((moving.u.shape[1],) * 2)
    for pattern, weight, inverse, _, _ in _parts(sigma, mu, sample):
        u, v, d = (x[pattern.seen] for x in (moving.u, moving.v, moving.d))
        uu, uv, vv = u.T @ inverse @ u, u.T @ inverse @ v, v.T @ inverse @ v
        total += weight * (uu * vv + uv * uv.T + d.T @ inverse @ d)
    return total


def observed_information(moving: Directions, sigma: np.ndarray, mu: np.ndarray, sample: Sample) -> np.ndarray:
    """(parameter, parameter) second derivatives of the loss where parameters move the moments linearly."""
    total = np.zeros((moving.u.shape[1],) * 2)
    for pattern, weight, inverse, off, middle in _parts(sigma, mu, sample):
        u, v, d = (x[pattern.seen] for x in (moving.u, moving.v, moving.d))
        uu, uv, vv = u.T @ inverse @ u, u.T @ inverse @ v, v.T @ inverse @ v
        um, umv, vm = u.T @ middle @ u, u.T @ middle @ v, v.T @ middle @ v
        part = uv.T * umv + vv * um + uu * vm + uv * umv.T - uu * vv - uv * uv.T
        pulled = inverse @ off
        crossed = (d.T @ inverse @ u) * (v.T @ pulled) + (d.T @ inverse @ v) * (u.T @ pulled)
        total += weight * (part + crossed + crossed.T + d.T @ inverse @ d)
    return total


def casewise_scores(moving: Directions, sigma: np.ndarray, mu: np.ndarray, sample: Sample) -> np.ndarray:
    """(respondent, parameter) derivatives of each one's log-likelihood."""
    found = np.empty((sample.n, moving.u.shape[1]))
    for pattern, _, inverse, _, _ in _parts(sigma, mu, sample):
        u, v, d = (x[pattern.seen] for x in (moving.u, moving.v, moving.d))
        pulled = (sample.values[np.ix_(pattern.rows, pattern.seen)] - mu[pattern.seen]) @ inverse
        found[pattern.rows] = (pulled @ u) * (pulled @ v) + pulled @ d - ((inverse @ u) * v).sum(axis=0)
    return found


def _parts(
    sigma: np.ndarray, mu: np.ndarray, sample: Sample
) -> Iterator[tuple[Pattern, float, np.ndarray, np.ndarray, np.ndarray]]:
    for pattern in sample.patterns:
        inverse = np.linalg.inv(sigma[np.ix_(pattern.seen, pattern.seen)])
        off = pattern.mean - mu[pattern.seen]
        middle = inverse @ (pattern.cov + np.outer(off, off)) @ inverse
        yield pattern, pattern.n / sample.n, inverse, off, middle


def log_likelihood(sigma: np.ndarray, mu: np.ndarray, sample: Sample) -> float:
    """Log-likelihood of the group with its constant."""
    answers = sum(pattern.n * len(pattern.seen) for pattern in sample.patterns)
    return -sample.n * loss(sigma, mu, sample) - 0.5 * answers * np.log(2 * np.pi)
