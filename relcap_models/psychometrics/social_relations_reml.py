"""Restricted maximum likelihood of the social relations model, for round robins with holes.

A rating is the group's mean + actor effect of its rater + partner effect of its target + relation. Within a
pair, sum and difference of the two relations are independent, and a rating without its counterpart is so too:
three classes of rows, each with one residual variance. All that the likelihood needs of the data are the
cross-products of each class, so a step costs as much as a matrix of twice the persons, however many ratings.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd
from scipy import linalg, optimize, sparse

from relcap_models.errors import FitError

ESTIMATES = ["actor", "partner", "relationship", "cov_actor_partner", "cov_relationship"]
# The likelihood's parameters: actor, partner, actor-partner covariance, relationship variance plus and minus
# relationship covariance. They are linear in the covariance of ratings; this is what they say of ESTIMATES.
TO_ESTIMATES = np.array(
    [[1, 0, 0, 0, 0], [0, 1, 0, 0, 0], [0, 0, 0, 0.5, 0.5], [0, 0, 1, 0, 0], [0, 0, 0, 0.5, -0.5]]
)
# Residual variance of sums, differences and lone ratings.
OF_CLASS = np.array([[1, 0], [0, 1], [0.5, 0.5]])
GRADIENT = 1e-5
# Share of the rating variance below which a variance, or a correlation's distance from one, is at its limit.
LIMIT = 1e-5


@dataclass(frozen=True)
class RemlFit:
    """Estimates by name, their covariance in the same order, restricted log-likelihood."""

    estimates: pd.Series
    covariance: np.ndarray
    log_likelihood: float
    notes: list[str]


def fit_reml(matrices: Sequence[np.ndarray]) -> RemlFit:
    """Fit to (rater, target) ratings of several groups, NaN where there is none and on the diagonal.

    Raises
    ------
    FitError
        If there are too few ratings of some kind to tell the variances apart, or the search does not end.
    """
    kept = [matrix for matrix in matrices if (~np.isnan(matrix)).sum() > 1]
    if not any((~np.isnan(matrix + matrix.T)).any() for matrix in kept):
        raise FitError(
            "No two persons rated each other, so what is mutual cannot be told apart. Without pairs, fit "
            "rater and target as crossed effects"
        )
    deviations = np.concatenate([(m - np.nanmean(m))[~np.isnan(m)] for m in kept])
    unit = float(np.sqrt(np.mean(deviations**2)))
    if unit <= 1e-12 * max(np.nanmax(np.abs(m)) for m in kept):
        raise FitError("Ratings do not vary within groups")
    groups = [cross_products((m - np.nanmean(m)) / unit) for m in kept]

    @lru_cache(maxsize=2)
    def evaluate(point: tuple[float, ...]) -> tuple[float, np.ndarray, np.ndarray]:
        theta, slope = _natural(np.array(point))
        value, gradient, information = deviance(theta, groups)
        return value, slope.T @ gradient, slope.T @ information @ slope

    start = np.array([0.4, 0.0, 0.4, np.log(0.6), np.log(0.6)])
    found = _minimise(evaluate, start)
    theta, _ = _natural(found)
    value, _, information = deviance(theta, groups)
    scale = np.sqrt(np.diag(information))
    if not np.all(scale > 0) or np.linalg.cond(information / np.outer(scale, scale)) > 1e10:
        raise FitError(
            "The ratings cannot tell the variances apart: too few persons both rate and are rated, or too "
            "few ratings are there"
        )
    # The expected second derivative of minus twice the log-likelihood: twice the information.
    covariance = TO_ESTIMATES @ (2 * np.linalg.inv(information)) @ TO_ESTIMATES.T * unit**4
    estimates = pd.Series(TO_ESTIMATES @ theta * unit**2, index=ESTIMATES)
    freedom = len(deviations) - len(kept)
    likelihood = -0.5 * value - freedom * np.log(unit)
    return RemlFit(estimates, covariance, float(likelihood), _limits(theta))


def _minimise(evaluate: Callable, start: np.ndarray) -> np.ndarray:
    result = optimize.minimize(
        lambda x: evaluate(tuple(x))[:2],
        start,
        jac=True,
        hess=lambda x: evaluate(tuple(x))[2],
        method="trust-exact",
        options={"gtol": GRADIENT, "maxiter": 500},
    )
    if np.abs(result.jac).max() > 100 * GRADIENT:
        raise FitError(
            "The search for the variances did not end. Where both of a pair always give the same, or nothing "
            f"is left besides actors and partners, there is no maximum: use anova ({result.message})"
        )
    return result.x


def _natural(point: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Parameters of the likelihood from the search's (Cholesky factor, logs), and their derivatives."""
    first, low, second, *logs = point
    plus, minus = np.exp(logs)
    theta = np.array([first**2, low**2 + second**2, first * low, plus, minus])
    slope = np.zeros((5, 5))
    slope[0, 0], slope[1, 1:3] = 2 * first, (2 * low, 2 * second)
    slope[2, :2] = low, first
    slope[3, 3], slope[4, 4] = plus, minus
    return theta, slope


def _limits(theta: np.ndarray) -> list[str]:
    actor, partner, between, plus, minus = theta
    total = actor + partner + (plus + minus) / 2
    near = {
        "actor variance": actor < LIMIT * total,
        "partner variance": partner < LIMIT * total,
        "actor-partner correlation": actor * partner - between**2 < LIMIT * actor * partner,
        "relationship correlation": min(plus, minus) < LIMIT * total,
    }
    if near["actor variance"] or near["partner variance"]:
        near["actor-partner correlation"] = False
    found = [name for name, at_limit in near.items() if at_limit]
    return [f"At the limit of what is possible: {', '.join(found)}. Its error means little"] if found else []


@dataclass(frozen=True)
class CrossProducts:
    """What the likelihood needs of a group.

    of_class : for sums, differences and lone ratings, the (2 persons + 2) square cross-products of actor
        indicators, partner indicators, the mean's column and ratings. rows : how many rows each class has.
    """

    of_class: np.ndarray
    rows: np.ndarray


def cross_products(ratings: np.ndarray) -> CrossProducts:
    """Cross-products of a (rater, target) matrix, NaN where there is no rating."""
    there = ~np.isnan(ratings)
    i, j = np.nonzero(np.triu(there & there.T))
    lone = np.nonzero(there & ~there.T)
    one, two = _rows(ratings, i, j), _rows(ratings, j, i)
    classes = [(one + two) / np.sqrt(2), (one - two) / np.sqrt(2), _rows(ratings, *lone)]
    products = np.array([(rows.T @ rows).toarray() for rows in classes])
    return CrossProducts(products, np.array([len(i), len(i), len(lone[0])]))


def _rows(ratings: np.ndarray, rater: np.ndarray, target: np.ndarray) -> sparse.csr_array:
    n, m = len(ratings), len(rater)
    row = np.arange(m)
    columns = [rater, n + target, np.full(m, 2 * n), np.full(m, 2 * n + 1)]
    values = [np.ones(m), np.ones(m), np.ones(m), ratings[rater, target]]
    return sparse.csr_array(
        (np.concatenate(values), (np.tile(row, 4), np.concatenate(columns))), shape=(m, 2 * n + 2)
    )


def deviance(theta: np.ndarray, groups: Sequence[CrossProducts]) -> tuple[float, np.ndarray, np.ndarray]:
    """Minus twice the restricted log-likelihood, its gradient and its expected second derivative.

    theta : actor, partner, actor-partner covariance, relationship variance plus and minus its covariance.
    """
    parts = [_deviance(theta, group) for group in groups]
    value, gradient, information = (sum(part) for part in zip(*parts))
    return value, gradient, information


def _deviance(theta: np.ndarray, group: CrossProducts) -> tuple[float, np.ndarray, np.ndarray]:
    """Of one group, by Woodbury's identity on persons (Harville, 1977, JASA 72, 320–338)."""
    residual = OF_CLASS @ theta[3:]
    size = group.of_class.shape[1]
    n, q = (size - 2) // 2, size - 2
    weighted = np.tensordot(1 / residual, group.of_class, axes=1)
    root = np.kron(_root(theta), np.eye(n))
    inner = linalg.cho_factor(np.eye(q) + root.T @ weighted[:q, :q] @ root, lower=True)
    of_persons = root @ linalg.cho_solve(inner, root.T)
    # The mean's column, freed of person effects, takes its one degree of freedom out.
    mean = np.append(-of_persons @ weighted[:q, q], 1.0)
    precision = weighted[q, q] + weighted[q, :q] @ mean[:q]
    projector = np.outer(mean, mean) / precision
    projector[:q, :q] += of_persons

    design, response = weighted[:-1, :-1], weighted[:-1, -1]
    fitted = projector @ response
    quadratic = weighted[-1, -1] - response @ fitted
    value = (
        group.rows @ np.log(residual)
        + 2 * np.log(np.diag(inner[0])).sum()
        + np.log(precision)
        + quadratic
        + (group.rows.sum() - 1) * np.log(2 * np.pi)
    )
    left = projector @ design[:, :q]
    persons = design[:q, :q] - design[:q] @ left
    score = response[:q] - design[:q] @ fitted
    gradient, information = _person_part(persons, score, n)
    return value, *_with_residuals(gradient, information, group, residual, projector, left, fitted)


def _root(theta: np.ndarray) -> np.ndarray:
    """A (2, 2) root of the covariance of actor and partner effects, which may be singular."""
    values, vectors = np.linalg.eigh([[theta[0], theta[2]], [theta[2], theta[1]]])
    return vectors * np.sqrt(np.clip(values, 0, None))


def _person_part(persons: np.ndarray, score: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    a, b, c = persons[:n, :n], persons[n:, n:], persons[:n, n:]
    given, received = score[:n], score[n:]
    gradient = np.zeros(5)
    gradient[0] = np.trace(a) - given @ given
    gradient[1] = np.trace(b) - received @ received
    gradient[2] = 2 * (np.trace(c) - given @ received)
    information = np.zeros((5, 5))
    information[0, 0], information[1, 1], information[0, 1] = np.sum(a * a), np.sum(b * b), np.sum(c * c)
    information[0, 2], information[1, 2] = 2 * np.sum(a * c), 2 * np.sum(b * c)
    information[2, 2] = 2 * np.sum(c * c.T) + 2 * np.sum(a * b)
    return gradient, information


def _with_residuals(
    gradient: np.ndarray,
    information: np.ndarray,
    group: CrossProducts,
    residual: np.ndarray,
    projector: np.ndarray,
    left: np.ndarray,
    fitted: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """The same with the derivatives by residual variances added."""
    q = left.shape[1]
    n = q // 2
    selected = np.eye(q + 1, q) - left
    by_class, crossed, among = np.zeros(3), np.zeros((3, 3)), np.zeros((3, 3))
    projected = []
    for c, (products, variance, rows) in enumerate(zip(group.of_class, residual, group.rows)):
        design, response = products[:-1, :-1], products[:-1, -1]
        projected.append(projector @ design / variance)
        error = products[-1, -1] - 2 * fitted @ response + fitted @ design @ fitted
        by_class[c] = (rows - np.trace(projected[c])) / variance - error / variance**2
        person = selected.T @ design @ selected / variance**2
        crossed[:, c] = np.trace(person[:n, :n]), np.trace(person[n:, n:]), 2 * np.trace(person[:n, n:])
        among[c, c] = (rows - 2 * np.trace(projected[c])) / variance**2
    for c in range(3):
        for d in range(3):
            among[c, d] += np.sum(projected[c] * projected[d].T) / (residual[c] * residual[d])
    gradient[3:] = OF_CLASS.T @ by_class
    information[:3, 3:] = crossed @ OF_CLASS
    information[3:, 3:] = OF_CLASS.T @ among @ OF_CLASS
    return gradient, np.triu(information) + np.triu(information, 1).T
