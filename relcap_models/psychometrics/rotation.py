"""Rotations of factors: simple structure by gradient projection, and the order and sign of factors."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from relcap_models.psychometrics.gradient_projection import lowest

GEOMIN_EPSILON = 0.001
PROMAX_POWER = 4
# Of items real and simulated (9 to 25, 3 to 7 factors) at least four in ten starts end at the lowest minimum
# of varimax, quartimax and quartimin, but a single one misses it up to 8 times in 100. Geomin has dozens of
# minima: there one start in ten or fewer does, where factors are many.
RANDOM_STARTS = 20
GEOMIN_STARTS = 100

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
        turned = Rotation(*lowest(loadings / weights, varimax_criterion, oblique=False, starts=starts))
        return replace(turned, loadings=turned.loadings * weights)
    oblique = method in OBLIQUE
    criterion = geomin_criterion if method == "geomin" else quartimin_criterion
    return Rotation(*lowest(loadings, criterion, oblique=oblique, starts=starts))


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


def geomin_criterion(loadings: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each item's geometric mean of squared loadings, summed; (…, item, factor) → (…) and the gradient."""
    squares = loadings**2 + GEOMIN_EPSILON
    means = np.exp(np.mean(np.log(squares), axis=-1, keepdims=True))
    return means.sum(axis=(-2, -1)), 2 / loadings.shape[-1] * loadings / squares * means


def quartimin_criterion(loadings: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Products of an item's squared loadings, summed over pairs of factors; of orthogonal ones quartimax."""
    squares = loadings**2
    others = squares.sum(axis=-1, keepdims=True) - squares
    return np.sum(squares * others, axis=(-2, -1)) / 4, loadings * others


def varimax_criterion(loadings: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How little squared loadings vary over items."""
    squares = loadings**2
    around = squares - squares.mean(axis=-2, keepdims=True)
    return -np.sum(squares * around, axis=(-2, -1)) / 4, -loadings * around


def _promax(varimax: Rotation) -> Rotation:
    loadings = varimax.loadings
    target = loadings * np.abs(loadings) ** (PROMAX_POWER - 1)
    turn = np.linalg.lstsq(loadings, target, rcond=None)[0]
    turn *= np.sqrt(np.diag(np.linalg.inv(turn.T @ turn)))
    return Rotation(loadings @ turn, np.linalg.inv(turn.T @ turn), varimax.converged)
