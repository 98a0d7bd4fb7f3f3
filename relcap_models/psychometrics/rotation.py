"""Rotations of factors: simple structure by gradient projection, and the order and sign of factors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

# `GPA` is not exported, and it alone takes a criterion of our own (geomin).
from statsmodels.multivariate.factor_rotation._gpa_rotation import GPA, oblimin_objective, orthomax_objective

GEOMIN_EPSILON = 0.001
PROMAX_POWER = 4
# Of items real and simulated (9 to 25, 3 to 7 factors) at least four in ten starts end at the lowest minimum
# of varimax, quartimax and quartimin, but a single one misses it up to 8 times in 100. Geomin has dozens of
# minima: there one start in ten or fewer does, where factors are many.
RANDOM_STARTS = 20
GEOMIN_STARTS = 100
# All starts are followed for 30 steps, the best 60 of them for 60 more, and so on; the best 12 to their end.
SCREENING = ((30, 60), (60, 30), (120, 12))
MOST_ITERATIONS = 10_000
# Slopes that count as none: in search of the lowest minimum, and there. Where quartimax is flat, loadings are
# still 1e-3 away at the first.
SEARCH, TOLERANCE = 1e-5, 1e-6

OBLIQUE = ("oblimin", "quartimin", "geomin", "promax")
ORTHOGONAL = ("varimax", "quartimax")
ROTATIONS = (*OBLIQUE, *ORTHOGONAL, "none")


@dataclass(frozen=True)
class Rotation:
    """Rotated factors.

    loadings : (item, factor) pattern. factor_correlation : (factor, factor).
    converged : the criterion is at a minimum.
    """

    loadings: np.ndarray
    factor_correlation: np.ndarray
    converged: bool


def rotate(loadings: np.ndarray, method: str, *, starts: int | None = None) -> Rotation:
    """Factors turned so that each item belongs to few of them.

    The best of a start from the loadings as given and of random ones (the same each time), because criteria
    have several minima.

    Parameters
    ----------
    loadings : (item, factor), on uncorrelated factors
    method : "oblimin" and "quartimin" (direct quartimin, that is oblimin with gamma 0), "geomin" (epsilon
        .001), "promax" (power 4), "varimax", "quartimax", "none". Varimax, also inside promax, weighs items
        alike (Kaiser). R's stats::varimax stops earlier: its loadings, and psych's, may differ by some .001.
        Promax is lavaan's and stats::promax; psych's "promax" weighs items alike in its second step as well.
    starts : random ones; 100 for geomin and 20 for the others unless said

    Source: Bernaards & Jennrich (2005), Educational and Psychological Measurement 65, 676–696 (gradient
    projection); Browne (2001), Multivariate Behavioral Research 36, 111–150 (geomin); Hendrickson & White
    (1964), British Journal of Statistical Psychology 17, 65–70 (promax).
    """
    k = loadings.shape[1]
    if k == 1 or method == "none":
        return Rotation(loadings, np.eye(k), True)
    if starts is None:
        starts = GEOMIN_STARTS if method == "geomin" else RANDOM_STARTS
    if method == "promax":
        return _promax(rotate(loadings, "varimax", starts=starts))
    if method == "varimax":
        weights = np.sqrt(np.maximum(np.sum(loadings**2, axis=1, keepdims=True), np.finfo(float).tiny))
        turned = _best(loadings / weights, partial(orthomax_objective, gamma=1), "orthogonal", starts)
        return Rotation(turned.loadings * weights, turned.factor_correlation, turned.converged)
    if method == "quartimax":
        return _best(loadings, partial(orthomax_objective, gamma=0), "orthogonal", starts)
    objective = geomin_objective if method == "geomin" else partial(oblimin_objective, gamma=0)
    return _best(loadings, objective, "oblique", starts)


def arrange(rotation: Rotation, deviations: np.ndarray) -> Rotation:
    """Factors in lavaan's order and sign.

    Each factor's loadings, in the items' own units, sum to a positive number. Factors stand in the order of
    the mean position of their marked items: those whose loading, again in the items' units, is at least .8 of
    the factor's largest.

    Parameters
    ----------
    deviations : (item,) standard deviations, which give the units
    """
    in_units = rotation.loadings * deviations[:, None]
    signs = np.where(in_units.sum(axis=0) < 0, -1.0, 1.0)
    size = np.abs(in_units)
    marked = size >= 0.8 * size.max(axis=0)
    position = np.arange(1, len(size) + 1) @ marked / marked.sum(axis=0)
    order = np.argsort(position, kind="stable")
    return Rotation(
        (rotation.loadings * signs)[:, order],
        (rotation.factor_correlation * np.outer(signs, signs))[np.ix_(order, order)],
        rotation.converged,
    )


def geomin_objective(L: np.ndarray, A=None, T=None) -> tuple[float, np.ndarray]:
    """Geomin's criterion and gradient at loadings L; A and T are statsmodels' and not used."""
    squares = L**2 + GEOMIN_EPSILON
    means = np.exp(np.mean(np.log(squares), axis=1, keepdims=True))
    return float(means.sum()), 2 / L.shape[1] * L / squares * means


def _best(loadings: np.ndarray, objective: Callable, kind: str, starts: int) -> Rotation:
    k = loadings.shape[1]
    rng = np.random.default_rng(0)
    turns = [np.eye(k), *(_random_orthogonal(rng, k) for _ in range(starts))]
    for steps, kept in SCREENING if starts else ():
        reached = [_project(loadings, objective, kind, turn, steps) for turn in turns]
        turns = [step.turn for step in sorted(reached, key=lambda step: step.value)[:kept]]
    ends = (_project(loadings, objective, kind, turn, MOST_ITERATIONS) for turn in turns)
    lowest = min(ends, key=lambda step: step.value)
    best = _project(loadings, objective, kind, lowest.turn, MOST_ITERATIONS, tolerance=TOLERANCE)
    rotated = loadings @ (best.turn if kind == "orthogonal" else np.linalg.inv(best.turn).T)
    correlation = np.eye(k) if kind == "orthogonal" else best.turn.T @ best.turn
    return Rotation(rotated, correlation, best.slope < SEARCH)


@dataclass(frozen=True)
class _Step:
    turn: np.ndarray
    value: float
    slope: float


def _project(
    loadings: np.ndarray,
    objective: Callable,
    kind: str,
    turn: np.ndarray,
    most: int,
    *,
    tolerance: float = SEARCH,
) -> _Step:
    # The logarithm of a slope of exactly zero, for GPA's table.
    with np.errstate(divide="ignore"):
        _, _, turn, table = GPA(
            loadings, vgQ=objective, T=turn, rotation_method=kind, max_tries=most, tol=tolerance
        )
    _, value, log_slope, _ = table[-1]
    return _Step(turn, value, 10.0**log_slope)


def _random_orthogonal(rng: np.random.Generator, k: int) -> np.ndarray:
    q, r = np.linalg.qr(rng.standard_normal((k, k)))
    return q * np.sign(np.diag(r))


def _promax(varimax: Rotation) -> Rotation:
    loadings = varimax.loadings
    target = loadings * np.abs(loadings) ** (PROMAX_POWER - 1)
    turn = np.linalg.lstsq(loadings, target, rcond=None)[0]
    turn *= np.sqrt(np.diag(np.linalg.inv(turn.T @ turn)))
    return Rotation(loadings @ turn, np.linalg.inv(turn.T @ turn), varimax.converged)
