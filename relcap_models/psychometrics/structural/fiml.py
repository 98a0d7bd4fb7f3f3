"""Missing answers: means and covariances that make the answers there are most likely (EM)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from relcap_models.psychometrics.structural.constraints import Freedom
from relcap_models.psychometrics.structural.estimate_ml import surface_of
from relcap_models.psychometrics.structural.implied_moments import COVARIANCE, MEAN, Block
from relcap_models.psychometrics.structural.likelihood import loss
from relcap_models.psychometrics.structural.model import Model
from relcap_models.psychometrics.structural.newton import climb
from relcap_models.psychometrics.structural.sample import Sample, undetermined_note

TOLERANCE = 1e-12
MOST_STEPS = 100
NEWTON_STEPS = 30
SMALLEST_EIGENVALUE = 1e-6


def with_saturated_moments(sample: Sample) -> tuple[Sample, tuple[str, ...]]:
    """The sample with its maximum-likelihood mean and covariance, and notes; see `saturated_moments`."""
    mean, cov, notes = saturated_moments(sample)
    return replace(sample, mean=mean, cov=cov, determined=not notes), notes


def saturated_moments(sample: Sample) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """(mean, covariance, notes) of maximum likelihood without a model, where answers are missing at random.

    A note says so where so much is missing that the likelihood has no maximum inside.

    Source: Little & Rubin (2002), Statistical Analysis with Missing Data, section 11.2. Steps are lengthened
    after Varadhan & Roland (2008), Scandinavian Journal of Statistics 35, 335-353 (SQUAREM). Newton's method
    goes on where that is slow, since much is missing.
    """
    if sample.complete:
        return sample.patterns[0].mean, sample.patterns[0].cov, ()
    p = len(sample.observed)
    at, value = _pack(sample.mean, sample.cov), loss(sample.cov, sample.mean, sample)
    inside = True
    for _ in range(MOST_STEPS):
        longer, moved = _longer_step(at, sample)
        inside = _is_regular(moved, p)
        if not inside:
            break
        gain, change, value, at = value - longer, np.abs(moved - at).max(), longer, moved
        if gain < TOLERANCE and change < 1e-7 * (1 + np.abs(at).max()):
            return *_unpack(at, p), ()
    if inside:
        found, converged = climb(surface_of(_moments_model(sample)), at, most_steps=NEWTON_STEPS)
        if converged and _is_regular(found, p):
            return *_unpack(found, p), ()
    note = (
        f"{undetermined_note(sample)}: chi-square and what derives from it are approximate, and robust "
        "measures are left out"
    )
    return *_unpack(at, p), (note,)


def _longer_step(at: np.ndarray, sample: Sample) -> tuple[float, np.ndarray]:
    """(loss, moments) after two steps of EM, or beyond them where that is better."""
    p = len(sample.observed)
    first = _step(at, sample)
    second = _step(first, sample)
    move, bend = first - at, (second - first) - (first - at)
    length = max(1.0, np.linalg.norm(move) / max(np.linalg.norm(bend), 1e-300))
    tried = [second, at + 2 * length * move + length**2 * bend]
    values = [loss(*_unpack(moments, p)[::-1], sample) for moments in tried]
    best = int(values[1] < values[0])
    return values[best], tried[best]


def _is_regular(packed: np.ndarray, p: int) -> bool:
    """Whether the covariance matrix is away from singular, where the likelihood has no maximum inside."""
    _, cov = _unpack(packed, p)
    scale = np.sqrt(np.diag(cov))
    return bool(np.linalg.eigvalsh(cov / np.outer(scale, scale))[0] > SMALLEST_EIGENVALUE)


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


def _moments_model(sample: Sample) -> Model:
    """The model whose parameters are the means and the lower triangle of the covariances."""
    p = len(sample.observed)
    row, column = np.tril_indices(p)
    kind = np.concatenate([np.full(p, MEAN), np.full(len(row), COVARIANCE)])
    row, column = np.concatenate([np.arange(p), row]), np.concatenate([np.zeros(p, dtype=int), column])
    every, none = np.arange(len(kind)), np.zeros(len(kind))
    block = Block(sample.observed, sample.observed, kind, row, column, every, none, means=True)
    return Model((block,), (sample,), Freedom(np.eye(len(kind)), none))


def _pack(mean: np.ndarray, cov: np.ndarray) -> np.ndarray:
    return np.concatenate([mean, cov[np.tril_indices(len(mean))]])


def _unpack(packed: np.ndarray, p: int) -> tuple[np.ndarray, np.ndarray]:
    cov = np.zeros((p, p))
    cov[np.tril_indices(p)] = packed[p:]
    return packed[:p], cov + np.tril(cov, -1).T
