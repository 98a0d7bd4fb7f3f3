"""How the probability of each answer follows from the latent trait, and its derivatives.

An item with K categories has K parameters: its slope a, and K − 1 intercepts d. Estimation uses slopes and
intercepts (both log-likelihoods are concave in them when the trait is known); difficulties b follow.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.special import expit, log_expit, log_softmax


class Curve(NamedTuple):
    """Log probabilities of the categories of one item, and their derivatives by its parameters.

    log_p : (category, point). score : (category, point, parameter).
    curvature : (category, point, parameter, parameter).
    """

    log_p: np.ndarray
    score: np.ndarray
    curvature: np.ndarray


@dataclass(frozen=True)
class ResponseModel:
    """One way from the trait to the answers.

    curve : parameters (a, d1, …) and points of the trait -> `Curve`.
    along : (threshold,) how often the trait's a·θ enters beside each intercept.
    differences : (threshold, threshold) with difficulties b = −(differences @ d) / a.
    """

    name: str
    title: str
    curve: Callable[[np.ndarray, np.ndarray], Curve]
    along: Callable[[int], np.ndarray]
    differences: Callable[[int], np.ndarray]


def along_trait(
    model: ResponseModel, parameters: np.ndarray, theta: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Log probabilities with their first and second derivative by the trait, each (category, point)."""
    curve = model.curve(parameters, theta)
    slope, along = parameters[0], model.along(len(parameters) - 1)
    first = slope * curve.score[:, :, 1:] @ along
    return curve.log_p, first, slope**2 * (curve.curvature[:, :, 1:, 1:] @ along) @ along


def graded_curve(parameters: np.ndarray, theta: np.ndarray) -> Curve:
    """Samejima's (1969) graded response model: P(answer ≥ k) = logistic(a·θ + d_k), d falling.

    A category between boundaries y and z has log P = log σ(y) + log σ(−z) + log(1 − exp(z − y)), which
    loses no digits where both boundaries are far away.
    """
    slope, intercepts = parameters[0], parameters[1:]
    last, n_points = len(intercepts), len(theta)
    log_p = np.zeros((last + 1, n_points))
    score = np.zeros((last + 1, n_points, last + 1))
    curvature = np.zeros((last + 1, n_points, last + 1, last + 1))
    gaps = -np.diff(intercepts)
    if np.any(gaps <= 0):
        return Curve(np.full_like(log_p, -np.inf), score, curvature)
    for k, d in enumerate(intercepts, start=1):
        z = slope * theta + d
        above = expit(z)
        spread = above * (1 - above)
        for category, log_side, side in ((k, log_expit(z), expit(-z)), (k - 1, log_expit(-z), -above)):
            log_p[category] += log_side
            score[category, :, k] = side
            score[category, :, 0] += theta * side
            curvature[category, :, k, k] = -spread
            curvature[category, :, 0, k] = curvature[category, :, k, 0] = -theta * spread
            curvature[category, :, 0, 0] -= theta**2 * spread
    for k, gap in enumerate(gaps, start=1):
        log_p[k] += np.log(-np.expm1(-gap))
        pull = np.exp(-gap) / -np.expm1(-gap)
        bend = pull / -np.expm1(-gap)
        score[k, :, k] += pull
        score[k, :, k + 1] -= pull
        curvature[k, :, k, k] -= bend
        curvature[k, :, k + 1, k + 1] -= bend
        curvature[k, :, k, k + 1] = curvature[k, :, k + 1, k] = bend
    return Curve(log_p, score, curvature)


def partial_credit_curve(parameters: np.ndarray, theta: np.ndarray) -> Curve:
    """Muraki's (1992) generalised partial credit model: P(answer = k) ∝ exp(k·a·θ + d_k), d_0 = 0."""
    slope, intercepts = parameters[0], parameters[1:]
    steps = np.arange(len(intercepts) + 1)
    log_p = log_softmax(np.outer(steps, slope * theta) + np.concatenate([[0.0], intercepts])[:, None], axis=0)
    # (category, point, parameter): what each parameter is multiplied by in the exponent.
    design = np.zeros((len(steps), len(theta), len(steps)))
    design[:, :, 0] = np.outer(steps, theta)
    design[steps[1:], :, steps[1:]] = 1.0
    p = np.exp(log_p)
    score = design - np.einsum("kq,kqm->qm", p, design)
    spread = np.einsum("kq,kqm,kqn->qmn", p, score, score)
    return Curve(log_p, score, np.broadcast_to(-spread, (len(steps), *spread.shape)))


def _step_differences(n: int) -> np.ndarray:
    return np.eye(n) - np.eye(n, k=-1)


GRADED = ResponseModel("grm", "Graded response model", graded_curve, np.ones, np.eye)
PARTIAL_CREDIT = ResponseModel(
    "gpcm",
    "Generalised partial credit model",
    partial_credit_curve,
    lambda n: np.arange(1.0, n + 1),
    _step_differences,
)
