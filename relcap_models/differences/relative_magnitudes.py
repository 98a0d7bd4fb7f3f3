"""Effects that trends cannot explain away if they diverge no more than a multiple of before the start."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np
from scipy.special import log_ndtr

from relcap_models.errors import FitError
from relcap_models.seeds import generator

# Share of the error probability spent on the least favourable test, as Andrews, Roth & Pakes advise.
FIRST_STAGE = 0.1
DRAWS = 20_000
# Bases of this many or fewer are listed: up to ten times after the start.
MOST_BASES = 200_000
# Numbers held in memory at once.
CHUNK = 2**22
ROUNDING = 1e-9


@dataclass(frozen=True)
class EventStudy:
    """Differences from the last time before the start, in the order of time.

    estimate : (time,), those before the start first, without the last before it, which is 0
    covariance : (time, time). n_before : how many are before the start. target : (time after,) what is asked
        about, as weights.
    """

    estimate: np.ndarray
    covariance: np.ndarray
    n_before: int
    target: np.ndarray

    @property
    def effect(self) -> float:
        return float(self.target @ self.estimate[self.n_before :])

    @property
    def se(self) -> float:
        after = self.covariance[self.n_before :, self.n_before :]
        return float(np.sqrt(self.target @ after @ self.target))

    def steps(self) -> np.ndarray:
        """(step, time) from differences to changes from each time to the next, the base included."""
        n = len(self.estimate)
        levels = np.insert(np.eye(n), self.n_before, 0, axis=0)
        return np.diff(levels, axis=0)


@dataclass(frozen=True)
class Polyhedron:
    """Trends δ with A δ ≤ 0, in one direction of the largest step before the start.

    Moments A β̂ − (part of the target) θ are tested to be ≤ 0 for some course of the other effects.

    moments : (moment,) at θ = 0. slope : (moment,) what a unit of θ takes off. covariance : of the moments.
    vertices : (vertex, moment) weights ≥ 0 under which the other effects cancel
    ceiling : what the largest weighted moment exceeds by chance only with the probability of the first stage
    """

    moments: np.ndarray
    slope: np.ndarray
    covariance: np.ndarray
    vertices: np.ndarray
    ceiling: float


def polyhedra(study: EventStudy, bound: float, alpha: float) -> Iterator[Polyhedron]:
    """Trends whose steps after the start are at most `bound` times the largest before it.

    Which step was the largest, and in which direction, is unknown: one polyhedron for each.
    """
    for step in range(study.n_before):
        for sign in (1.0, -1.0):
            yield _polyhedron(study, bound, step, sign, alpha)


def rejected(shapes: Iterable[Polyhedron], values: np.ndarray, alpha: float) -> np.ndarray:
    """(value,) whether an effect of that value is ruled out: it is in every polyhedron."""
    out = np.ones(len(values), dtype=bool)
    for shape in shapes:
        out[out] = _test(shape, values[out], alpha)
        if not out.any():
            break
    return out


def _polyhedron(study: EventStudy, bound: float, step: int, sign: float, alpha: float) -> Polyhedron:
    steps = study.steps()
    after = steps[study.n_before :]
    # Limits on steps before the start say nothing of effects, and are left out as HonestDiD does.
    limits = np.vstack([after, -after]) - bound * sign * steps[step]
    # The first coordinate is the effect asked about, the others complete it to a basis.
    largest = int(np.argmax(np.abs(study.target)))
    basis = np.vstack([study.target, np.delete(np.eye(len(study.target)), largest, axis=0)])
    columns = limits[:, study.n_before :] @ np.linalg.inv(basis)
    covariance = limits @ study.covariance @ limits.T
    vertices = _vertices(columns[:, 1:], np.sqrt(np.diag(covariance)))
    ceiling = _least_favourable(vertices, covariance, FIRST_STAGE * alpha)
    return Polyhedron(limits @ study.estimate, columns[:, 0], covariance, vertices, ceiling)


def _vertices(others: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """(vertex, moment) extreme points of {γ ≥ 0: γ'others = 0, γ'scale = 1}."""
    n, size = len(scale), others.shape[1] + 1
    if comb(n, size) > MOST_BASES:
        raise FitError(
            f"{size} times from the start on are too many for relative magnitudes: leave out the latest, "
            "which say nothing about earlier effects"
        )
    system = np.column_stack([others, scale]).T
    bases = np.array(list(combinations(range(n), size)))
    matrices = system[:, bases].transpose(1, 0, 2)
    # Determinants relative to the columns' lengths: what is left of a volume, whatever the units.
    volume = np.abs(np.linalg.det(matrices)) / np.prod(np.linalg.norm(matrices, axis=1), axis=1)
    bases, matrices = bases[volume > ROUNDING], matrices[volume > ROUNDING]
    right = np.zeros((len(bases), size, 1))
    right[:, -1] = 1
    weights = np.linalg.solve(matrices, right)[..., 0]
    allowed = (weights >= -ROUNDING * np.abs(weights).max(axis=1, keepdims=True)).all(axis=1)
    vertices = np.zeros((int(allowed.sum()), n))
    np.put_along_axis(vertices, bases[allowed], weights[allowed].clip(0), axis=1)
    relative = vertices * scale
    return vertices[np.unique(relative.round(9), axis=0, return_index=True)[1]]


def _test(shape: Polyhedron, values: np.ndarray, alpha: float) -> np.ndarray:
    """(value,) rejected by the conditional test with a least favourable first stage.

    The largest weighted moment is compared with what it is under all moments 0; if that does not reject, with
    its distribution given which weights are the largest and what is independent of it.

    Source: Andrews, Roth & Pakes (2023), Rev. Econ. Stud. 90, 2763–2791, sections 3–5; the weights are the
    dual solutions of their linear programme, listed once because they depend on neither data nor value.
    """
    moments = shape.moments[:, None] - shape.slope[:, None] * values
    found = shape.vertices @ moments
    best = found.argmax(axis=0)
    largest = found.max(axis=0)
    together = shape.vertices @ (shape.covariance @ shape.vertices[best].T)
    variance = together[best, np.arange(len(best))].clip(ROUNDING**2)
    # How far each weighted moment moves with the largest, and what of it does not.
    moves = together / variance
    still = found - moves * largest
    with np.errstate(divide="ignore", invalid="ignore"):
        crossing = still / (1 - moves)
    low = np.where(moves < 1 - ROUNDING, crossing, -np.inf).max(axis=0)
    high = np.where(moves > 1 + ROUNDING, crossing, np.inf).min(axis=0)
    sd = np.sqrt(variance)
    p = _upper_tail(largest / sd, low / sd, np.minimum(high, shape.ceiling) / sd)
    first = FIRST_STAGE * alpha
    second = (alpha - first) / (1 - first)
    return (largest > shape.ceiling) | ((largest > ROUNDING) & (p < second))


def _least_favourable(vertices: np.ndarray, covariance: np.ndarray, alpha: float) -> float:
    """What the largest weighted moment exceeds with probability alpha if all moments are 0."""
    roots, vectors = np.linalg.eigh(covariance)
    half = vertices @ (vectors * np.sqrt(roots.clip(0)))
    draws = generator(0, "least favourable").standard_normal((half.shape[1], DRAWS))
    largest = np.full(DRAWS, -np.inf)
    piece = max(1, CHUNK // DRAWS)
    for begun in range(0, len(half), piece):
        np.maximum(largest, (half[begun : begun + piece] @ draws).max(axis=0), out=largest)
    return float(np.quantile(largest, 1 - alpha))


def _upper_tail(x: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """P(Z > x) of a standard normal between low and high, by logarithms: far tails keep their digits."""
    low = np.minimum(low, high)
    x = np.clip(x, low, high)
    above_x, above_low, above_high = log_ndtr(-x), log_ndtr(-low), log_ndtr(-high)
    with np.errstate(divide="ignore", invalid="ignore"):
        p = np.exp(above_x - above_low) * np.expm1(above_high - above_x) / np.expm1(above_high - above_low)
    return np.where(np.isnan(p), 1, p)
