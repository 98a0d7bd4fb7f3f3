"""The lowest of many minima of a rotation's criterion, by gradient projection from all starts at once.

statsmodels has the same method for one start. Here all starts take their steps together, in one batch of
small matrices, which takes a fifth of the time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

# Geomin of too many factors has dozens of minima. All starts are followed for 30 steps, the best 60 of them
# for 60 more, and so on; the best 12 to their end.
SCREENING = ((30, 60), (60, 30), (120, 12))
MOST_ITERATIONS = 10_000
MOST_HALVINGS = 10
# Slopes that count as none: in search of the lowest minimum, and there. Where quartimax is flat, loadings are
# still 1e-3 away at the first.
SEARCH = 1e-5
TOLERANCE = 1e-6

Criterion = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
"""(start, item, factor) loadings → (start,) values, and gradients in the loadings' shape."""


@dataclass(frozen=True)
class Turns:
    """Where starts have got to.

    turn : (start, axis, factor); loadings are A T, or A T⁻¹ᵀ of oblique factors, whose columns have length 1.
    value : (start,) of the criterion. slope : (start,) the length of its projected gradient, 0 at a minimum.
    """

    turn: np.ndarray
    value: np.ndarray
    slope: np.ndarray

    def best(self, n: int) -> np.ndarray:
        """(n, axis, factor) the turns with the lowest values."""
        return self.turn[np.argsort(self.value, kind="stable")[:n]]


def lowest(
    loadings: np.ndarray, criterion: Criterion, *, oblique: bool, starts: int
) -> tuple[np.ndarray, np.ndarray, bool]:
    """Loadings and correlations of the factors where the criterion is lowest, and whether it is a minimum.

    The best of a start from the loadings as given and `starts` random ones, the same each time.

    Parameters
    ----------
    loadings : (item, factor), on uncorrelated factors

    Source: Jennrich (2001), Psychometrika 66, 289–306 (orthogonal); Jennrich (2002), Psychometrika 67, 7–19
    (oblique).
    """
    k = loadings.shape[1]
    rng = np.random.default_rng(0)
    turn = np.array([np.eye(k), *(_random_orthogonal(rng, k) for _ in range(starts))])
    for steps, kept in SCREENING if starts else ():
        turn = descend(loadings, criterion, turn, oblique=oblique, steps=steps).best(kept)
    lowest_of_all = descend(loadings, criterion, turn, oblique=oblique, steps=MOST_ITERATIONS).best(1)
    end = descend(
        loadings, criterion, lowest_of_all, oblique=oblique, steps=MOST_ITERATIONS, tolerance=TOLERANCE
    )
    (best,), settled = end.turn, bool(end.slope[0] < SEARCH)
    if oblique:
        return loadings @ np.linalg.inv(best).T, best.T @ best, settled
    return loadings @ best, np.eye(k), settled


def descend(
    loadings: np.ndarray,
    criterion: Criterion,
    start: np.ndarray,
    *,
    oblique: bool,
    steps: int,
    tolerance: float = SEARCH,
) -> Turns:
    """At most so many steps downhill from each start (start, axis, factor); those at a minimum stay there."""
    turn, size = start.copy(), np.ones(len(start))
    value, uphill, slope = _slopes(loadings, criterion, turn, oblique)
    for _ in range(steps):
        moving = np.flatnonzero(slope >= tolerance)
        if not len(moving):
            break
        size[moving] *= 2
        from_, was, along, steep = turn[moving], value[moving], uphill[moving], slope[moving]
        for halving in range(MOST_HALVINGS + 1):
            turn[moving] = _back(from_ - size[moving, None, None] * along, oblique)
            value[moving], uphill[moving], slope[moving] = _slopes(loadings, criterion, turn[moving], oblique)
            short = value[moving] >= was - 0.5 * steep**2 * size[moving]
            if halving == MOST_HALVINGS or not short.any():
                break
            moving, from_, was, along, steep = (x[short] for x in (moving, from_, was, along, steep))
            size[moving] /= 2
    return Turns(turn, value, slope)


def _slopes(
    loadings: np.ndarray, criterion: Criterion, turn: np.ndarray, oblique: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Values; the part of gradients by turns that keeps them turns, to first order; and its length."""
    if oblique:
        inverse = np.linalg.inv(turn)
        rotated = loadings @ inverse.swapaxes(1, 2)
        value, by_loading = criterion(rotated)
        gradient = -(rotated.swapaxes(1, 2) @ by_loading @ inverse).swapaxes(1, 2)
        along = gradient - turn * np.sum(turn * gradient, axis=1, keepdims=True)
    else:
        value, by_loading = criterion(loadings @ turn)
        gradient = loadings.T @ by_loading
        inner = turn.swapaxes(1, 2) @ gradient
        along = gradient - turn @ (inner + inner.swapaxes(1, 2)) / 2
    return value, along, np.sqrt(np.sum(along**2, axis=(1, 2)))


def _back(turn: np.ndarray, oblique: bool) -> np.ndarray:
    """The nearest turns."""
    if oblique:
        return turn / np.sqrt(np.sum(turn**2, axis=1, keepdims=True))
    u, _, v = np.linalg.svd(turn)
    return u @ v


def _random_orthogonal(rng: np.random.Generator, k: int) -> np.ndarray:
    q, r = np.linalg.qr(rng.standard_normal((k, k)))
    return q * np.sign(np.diag(r))
