"""Marginal maximum likelihood for item response models: EM cycles come near, Newton steps finish.

Bock & Aitkin (1981); EM alone is slow near the maximum, and Newton's method alone is lost far from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.linalg import LinAlgError, eigh, solve
from scipy.optimize import minimize

from relcap_models.errors import FitError
from relcap_models.psychometrics.irt_curves import GRADED, Curve, ResponseModel
from relcap_models.psychometrics.irt_marginal import (
    GRID,
    Block,
    Marginal,
    all_curves,
    expected_rows,
    hessian,
    posterior,
    value_and_gradient,
)

EM_CYCLES = 100
# Where Newton's steps take over: no parameter moved more in an EM cycle.
NEAR = 0.02
# Derivatives of the log-likelihood that count as zero: far below what would move a parameter by 1e-4 se.
GRADIENT_TOLERANCE = 1e-4
# Log-likelihood that a further Newton step would add, times two: a parameter moves by .001 of its error.
LEFT_TO_GAIN = 1e-6
# Beyond this, a logistic curve rises between two neighbouring points of the grid, 0.2 apart.
STEEPEST = 15.0
# Standard deviation of a group that the grid cannot tell from zero.
NARROWEST = 0.1


@dataclass(frozen=True)
class Estimate:
    """The maximum. x : (parameter,). covariance : of x, from the observed information."""

    x: np.ndarray
    loglik: float
    covariance: np.ndarray


def start_values(model: ResponseModel, codes: np.ndarray, n_categories: Sequence[int]) -> np.ndarray:
    """Slopes from the first principal component of the correlations, intercepts from proportions.

    The component's sign makes the sum of the slopes positive; an item that runs against the others starts
    with a negative slope.
    """
    correlation = pd.DataFrame(np.where(codes < 0, np.nan, codes)).corr().fillna(0.0).to_numpy()
    values, vectors = eigh(correlation)
    loadings = np.clip(vectors[:, -1] * np.sqrt(values[-1]), -0.9, 0.9)
    loadings *= 1.0 if loadings.sum() >= 0 else -1.0
    slopes = 1.7 * loadings / np.sqrt(1 - loadings**2)
    parts = []
    for i, k in enumerate(n_categories):
        share = np.bincount(codes[codes[:, i] >= 0, i], minlength=k) / np.sum(codes[:, i] >= 0)
        above = 1 - np.cumsum(share)[:-1]
        if model is GRADED:
            intercepts = np.log(above / (1 - above)) * np.sqrt(1 + (slopes[i] / 1.7) ** 2)
            parts += [[slopes[i]], intercepts]
        else:
            parts += [[slopes[i] / max(1, (k - 1) / 2)], np.log(share[1:] / share[0])]
    return np.concatenate(parts)


def fit(marginal: Marginal, start: np.ndarray, labels: Sequence[str]) -> Estimate:
    """Parameters of highest marginal likelihood, with their covariance.

    labels : (block,) what errors call each item, then each group.

    Raises
    ------
    FitError
        If there is no maximum, or it is flat: names the item, or group, that it is flat for.
    """
    x = _em(marginal, start)
    found = minimize(
        lambda x: _negative(marginal, x),
        x,
        method="trust-exact",
        jac=True,
        hess=lambda x: -hessian(marginal, x),
        options={"gtol": GRADIENT_TOLERANCE, "maxiter": 200, "initial_trust_radius": 0.5},
    )
    x = found.x
    information = -hessian(marginal, x)
    gradient = value_and_gradient(marginal, x)[1]
    _refuse_without_maximum(marginal, x, information, gradient, labels)
    covariance = np.linalg.inv(information)
    x = x + covariance @ gradient
    return Estimate(x, value_and_gradient(marginal, x)[0], covariance)


def _negative(marginal: Marginal, x: np.ndarray) -> tuple[float, np.ndarray]:
    value, gradient = value_and_gradient(marginal, x)
    return -value, -gradient


def _em(marginal: Marginal, x: np.ndarray) -> np.ndarray:
    for _ in range(EM_CYCLES):
        curves = all_curves(marginal, x)
        _, weights = posterior(marginal, curves)
        expected = expected_rows(marginal, weights)
        new = x.copy()
        for block, curve in zip(marginal.items, curves):
            new[block.parameters] = _better(marginal, block, x[block.parameters], curve, expected[block.rows])
        for block in marginal.groups[1:]:
            share = expected[block.rows][0] / expected[block.rows].sum()
            mean = share @ GRID
            new[block.parameters] = mean, np.log(max(share @ (GRID - mean) ** 2, NARROWEST**2)) / 2
        moved = np.abs(new - x).max()
        x = new
        if moved < NEAR:
            break
    return x


def _better(
    marginal: Marginal, block: Block, x: np.ndarray, curve: Curve, expected: np.ndarray
) -> np.ndarray:
    """One Newton step for an item, given how many are expected with each answer at each point."""
    gradient = np.einsum("kq,kqm->m", expected, curve.score)
    bend = -np.einsum("kq,kqmn->mn", expected, curve.curvature)
    bend[np.diag_indices_from(bend)] += 1e-6
    try:
        step = solve(bend, gradient, assume_a="pos")
    except LinAlgError:
        return x
    now = np.sum(expected * curve.log_p)
    for _ in range(20):
        tried = marginal.model.curve(x + step, GRID).log_p
        if np.isfinite(tried).all() and np.sum(expected * tried) >= now:
            return x + step
        step = step / 2
    return x


def _refuse_without_maximum(
    marginal: Marginal, x: np.ndarray, information: np.ndarray, gradient: np.ndarray, labels: Sequence[str]
) -> None:
    steep = [
        f"{label} ({x[b.parameters][0]:.1f})"
        for label, b in zip(labels, marginal.items)
        if abs(x[b.parameters][0]) > STEEPEST
    ]
    if steep:
        raise FitError(
            f"The discrimination of {', '.join(steep)} grows without bound: the item follows from the others "
            "almost without error. Leave it out, or leave out the item that repeats it, or merge categories "
            "that few chose"
        )
    # EM stops at the narrowest, and Newton's steps go on from there.
    narrow = [
        label
        for label, b in zip(labels[len(marginal.items) :], marginal.groups)
        if np.any(x[b.parameters][1:] < np.log(1.5 * NARROWEST))
    ]
    if narrow:
        raise FitError(
            f"The variance of the trait in {', '.join(narrow)} shrinks to zero: too few respondents, or all "
            "answer alike. Leave the group out, or join it with another"
        )
    # In units of each parameter's own information, so that a flat direction is flat on any scale.
    own = np.diag(information)
    if np.all(own > 0):
        values, vectors = eigh(information / np.sqrt(np.outer(own, own)))
        # The gain that is left, not the gradient: this grows with the respondents, and so does its rounding.
        if values[0] > 1e-8 and gradient @ solve(information, gradient) < LEFT_TO_GAIN:
            return
        flat = int(np.argmax(np.abs(vectors[:, 0])))
    else:
        flat = int(np.argmin(own))
    (position,) = [p for p, b in enumerate(marginal.blocks) if b.parameters.start <= flat < b.parameters.stop]
    raise FitError(
        f"The likelihood has no clear maximum: it is flat for {labels[position]}. Merge categories that "
        "few chose, leave the item out, or use more respondents"
    )
