"""Missing answers: means and covariances that make the answers there are most likely (the EM algorithm)."""

from __future__ import annotations

import numpy as np

from relcap_models.errors import FitError
from relcap_models.psychometrics.sem.likelihood import loss
from relcap_models.psychometrics.sem.sample import Sample

TOLERANCE = 1e-12
MOST_STEPS = 5000


def saturated_moments(sample: Sample) -> tuple[np.ndarray, np.ndarray]:
    """(mean, covariance) of maximum likelihood without a model, where answers are missing at random.

    Raises
    ------
    FitError
        If they cannot be found, as where too much is missing.

    Source: Little & Rubin (2002), Statistical Analysis with Missing Data, section 11.2. Steps are lengthened
    after Varadhan & Roland (2008), Scandinavian Journal of Statistics 35, 335-353 (SQUAREM).
    """
    if sample.complete:
        return sample.patterns[0].mean, sample.patterns[0].cov
    at = _pack(sample.mean, sample.cov)
    p = len(sample.observed)
    value = loss(sample.cov, sample.mean, sample)
    for _ in range(MOST_STEPS):
        first = _step(at, sample)
        second = _step(first, sample)
        move, bend = first - at, (second - first) - (first - at)
        length = min(-1.0, -np.linalg.norm(move) / max(np.linalg.norm(bend), 1e-300))
        mean, cov = _unpack(at - 2 * length * move + length**2 * bend, p)
        longer = loss(cov, mean, sample)
        mean2, cov2 = _unpack(second, p)
        plain = loss(cov2, mean2, sample)
        best = (longer, _pack(mean, cov)) if longer < plain else (plain, second)
        settled = value - best[0] < TOLERANCE and np.abs(best[1] - at).max() < 1e-7 * (1 + np.abs(at).max())
        value, at = best
        if settled:
            return _unpack(at, p)
    where = f" of group '{sample.group}'" if sample.group else ""
    raise FitError(
        f"Means and covariances{where} could not be found, since too many answers are missing: leave out the "
        "variables with the fewest answers"
    )


def _step(packed: np.ndarray, sample: Sample) -> np.ndarray:
    p = len(sample.observed)
    mean, cov = _unpack(packed, p)
    total, squares = np.zeros(p), np.zeros((p, p))
    for pattern in sample.patterns:
        seen = pattern.seen
        slope = np.linalg.solve(cov[np.ix_(seen, seen)], cov[seen])
        filled = mean + (pattern.mean - mean[seen]) @ slope
        left = cov - cov[:, seen] @ slope
        total += pattern.n * filled
        squares += pattern.n * (slope.T @ pattern.cov @ slope + np.outer(filled, filled) + left)
    mean = total / sample.n
    return _pack(mean, squares / sample.n - np.outer(mean, mean))


def _pack(mean: np.ndarray, cov: np.ndarray) -> np.ndarray:
    return np.concatenate([mean, cov[np.tril_indices(len(mean))]])


def _unpack(packed: np.ndarray, p: int) -> tuple[np.ndarray, np.ndarray]:
    cov = np.zeros((p, p))
    cov[np.tril_indices(p)] = packed[p:]
    return packed[:p], cov + np.tril(cov, -1).T
