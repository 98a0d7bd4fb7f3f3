"""The response families: what an item's answer is, given the latent rating.

Each function works on plain NumPy arrays, item by item. `location` is λ times the latent mean and `variance`
λ² times the latent variance that is averaged over (0 for a fixed latent value); they broadcast.
`thresholds` has a last axis of length K − 1. Answers are 0-based categories; the gaussian family treats
them as numbers.
"""

from __future__ import annotations

import numpy as np
from scipy.special import expit, log_ndtr, ndtr

# Probabilists' Gauss–Hermite rule. With 21 nodes P(answer > k) errs by at most 4e-6 (logit) and 8e-5 (partial
# credit) at λσ = 2, and by 2e-4 and 1.5e-3 at λσ = 3.
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(21)
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()

LATENT_SCALE = {"probit": 1.0, "logit": 1.8, "partial_credit": 1.8}
"""Size of a latent unit relative to probit: priors are multiplied by it."""

RESIDUAL_SD = {"probit": 1.0, "logit": np.pi / np.sqrt(3), "partial_credit": np.pi / np.sqrt(3)}
"""Standard deviation of the residual that an ordinal family implies, in latent units.

Partial credit has no latent answer: there it only defines the reciprocity of relations with one answer to one
item; see `partial_credit_residual`.
"""


def family_name(family: str, link: str) -> str:
    """One of probit, logit, partial_credit, gaussian."""
    return link if family == "cumulative" else family


def exceedance(family: str, location: np.ndarray, variance: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """P(answer > k) for k = 0 … K−2, averaged over a normal latent.

    Parameters
    ----------
    family : probit, logit or partial_credit
    location, variance : broadcastable (…)
    thresholds : (…, K−1); for partial credit the step parameters

    Returns
    -------
    (…, K−1). Closed form for probit, Φ((location − τ)/√(1 + variance)); Gauss–Hermite otherwise.
    """
    location, variance = np.asarray(location), np.asarray(variance)
    if family == "probit":
        return ndtr((location[..., None] - thresholds) / np.sqrt(1.0 + variance)[..., None])
    spread = np.sqrt(variance)
    if not np.any(spread):
        return _exceedance_at(family, location, thresholds)
    total: np.ndarray | float = 0.0
    for node, weight in zip(_NODES, _WEIGHTS):
        total = total + weight * _exceedance_at(family, location + spread * node, thresholds)
    return np.asarray(total)


def _exceedance_at(family: str, location: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    if family == "logit":
        return expit(location[..., None] - thresholds)
    probability = np.exp(_partial_credit_log(location, thresholds))
    return np.flip(np.cumsum(np.flip(probability, -1), axis=-1), -1)[..., 1:]


def _partial_credit_log(location: np.ndarray, steps: np.ndarray) -> np.ndarray:
    score = np.cumsum(location[..., None] - steps, axis=-1)
    score = np.concatenate([np.zeros((*score.shape[:-1], 1)), score], axis=-1)
    top = score.max(axis=-1, keepdims=True)
    return score - top - np.log(np.exp(score - top).sum(axis=-1, keepdims=True))


def partial_credit_residual(answer_variance: float, latent_variance: float) -> float:
    """Variance of a normal observation of η that tells about as much as an answer in partial credit: 1/v.

    v = Var(y | η) is the Fisher information and the slope of the expected answer, so that the variance of
    answers is about v + v²·Var(η): a rule of thumb that needs no thresholds.
    """
    return 2.0 * latent_variance / (np.sqrt(1.0 + 4.0 * latent_variance * answer_variance) - 1.0)


def gaussian_exceedance(
    location: np.ndarray, variance: np.ndarray, residual_sd: np.ndarray, cut: float
) -> np.ndarray:
    """P(answer ≥ cut) in the gaussian family, with the continuity correction of half a point."""
    return ndtr((location - (cut - 0.5)) / np.sqrt(variance + residual_sd**2))


def log_likelihood(
    family: str, answer: np.ndarray, location: np.ndarray, thresholds: np.ndarray
) -> np.ndarray:
    """Log probability of each answer at a fixed latent value (no averaging).

    answer, location : broadcastable (…); thresholds : (…, K−1). Accurate in both tails.
    """
    answer = np.asarray(answer, dtype=np.int64)
    if family == "partial_credit":
        table = _partial_credit_log(np.asarray(location), thresholds)
        return np.take_along_axis(table, answer[..., None], axis=-1)[..., 0]
    edge = np.full((*thresholds.shape[:-1], 1), np.inf)
    cuts = np.concatenate([-edge, thresholds, edge], axis=-1)
    lower = np.take_along_axis(cuts, answer[..., None], axis=-1)[..., 0] - location
    upper = np.take_along_axis(cuts, answer[..., None] + 1, axis=-1)[..., 0] - location
    # Work in the tail where both limits are small, so that the difference keeps its digits.
    flip = lower + upper > 0
    lower, upper = np.where(flip, -upper, lower), np.where(flip, -lower, upper)
    cdf = log_ndtr if family == "probit" else _log_expit
    log_upper, log_lower = cdf(upper), cdf(lower)
    with np.errstate(divide="ignore"):
        return log_upper + np.log(-np.expm1(log_lower - log_upper))


def _log_expit(x: np.ndarray) -> np.ndarray:
    return -np.logaddexp(0.0, -x)


def draw_answers(
    family: str, location: np.ndarray, thresholds: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """One answer per entry of `location`; thresholds (…, K−1) broadcast against it."""
    exceeds = exceedance(family, location, np.zeros(()), thresholds)
    return (rng.random(np.shape(location))[..., None] < exceeds).sum(axis=-1)
