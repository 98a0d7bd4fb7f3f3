"""Gaussian stand-ins for the answers of each rating, by expectation propagation.

Given everything else, the latent rating η is about N(mean, covariance): its cavity. Multiplied by the
probability of the answers it has moments that quadrature finds; the Gaussian that turns the one into the
other is the rating's pseudo-observation (Minka 2001; Rasmussen & Williams 2006, § 3.6). Answers are
log-concave in η, so its precision is never negative.
"""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import joblib
import numpy as np
from numba import njit

from relcap_models.inference.person_integral import _response
from relcap_models.models.families import LATENT_SCALE
from relcap_models.models.frame import Frame
from relcap_models.models.information import PseudoObservations
from relcap_models.models.kernels import (
    FAMILY_CODES,
    GAUSSIAN,
    PARTIAL_CREDIT,
    PROBIT,
    logit_cell,
    probit_cell,
)
from relcap_models.models.small_matrices import cholesky, lower_inverse, times, transposed

_compiled = njit(cache=True, nogil=True, error_model="numpy")
_MIN_PRECISION = 1e-4
_STEP = 0.01
_MAX_GRID = 8000
_LOG_2PI = math.log(2.0 * math.pi)


@dataclass(frozen=True)
class Tilted:
    """Moments of η given its cavity and its answers.

    log_mass : (N,) log probability of the answers under the cavity · mean : (N, D) · covariance : (N, D, D)
    score : (N, I·width) derivative of log_mass with respect to each item's parameters; empty if not asked for
    """

    log_mass: np.ndarray
    mean: np.ndarray
    covariance: np.ndarray
    score: np.ndarray


def pseudo_from(cavity_mean: np.ndarray, cavity_covariance: np.ndarray, tilted: Tilted) -> PseudoObservations:
    """What must be added to the cavity to reach the tilted moments; a floor keeps silent ratings harmless."""
    cavity = np.linalg.inv(cavity_covariance)
    whole = np.linalg.inv(tilted.covariance)
    precision = whole - cavity
    value, vectors = np.linalg.eigh((precision + precision.transpose(0, 2, 1)) / 2)
    floor = np.maximum(value, _MIN_PRECISION)
    floored = (vectors * floor[:, None, :]) @ vectors.transpose(0, 2, 1)
    shift = np.einsum("nij,nj->ni", whole, tilted.mean) - np.einsum("nij,nj->ni", cavity, cavity_mean)
    # Where the floor adds precision it adds it at the tilted mean.
    shift += np.einsum("nij,nj->ni", floored - precision, tilted.mean)
    return PseudoObservations(floored, shift)


@_compiled
def _tabulate(family, grid, loading, location, residual_sd, first, n_categories):
    """Log probability, its slope, and threshold functions of every answer to every item on a grid of η.

    Returns
    -------
    (I, K, 2, G) values and slopes; (I, K, G) for category k the derivative of the log probability with
    respect to the threshold below it (cumulative), or the probability of k or more (partial credit)
    """
    n_items, width = len(loading), n_categories.max()
    values = np.zeros((n_items, width, 2, len(grid)))
    steps = np.zeros((n_items, width, len(grid)))
    for i in range(n_items):
        for k in range(n_categories[i]):
            for g in range(len(grid)):
                value, slope, _ = _response(
                    family, i, k, grid[g], loading, location, residual_sd, first, n_categories
                )
                values[i, k, 0, g], values[i, k, 1, g] = value, slope
                if family == PARTIAL_CREDIT:
                    for j in range(1, k + 1):
                        steps[i, j, g] += math.exp(value)
                elif k > 0:
                    shift = loading[i] * grid[g]
                    a = location[first[i] + k - 1] - shift
                    b = location[first[i] + k] - shift if k < n_categories[i] - 1 else math.inf
                    _, below, _ = probit_cell(a, b) if family == PROBIT else logit_cell(a, b)
                    steps[i, k, g] = -below
    return values, steps


@_compiled
def _value(values, i, k, j, t, width):
    """Cubic Hermite interpolation of a log probability between grid points j and j + 1."""
    y0, y1 = values[i, k, 0, j], values[i, k, 0, j + 1]
    s0, s1 = values[i, k, 1, j] * width, values[i, k, 1, j + 1] * width
    return y0 + t * (s0 + t * (3 * (y1 - y0) - 2 * s0 - s1 + t * (2 * (y0 - y1) + s0 + s1)))


@_compiled
def _add_slopes(family, i, y, eta, weight, tables, grid, parameters, score):
    """Add weight × derivatives of a log probability to `score`: loading, thresholds (or intercept, sd)."""
    loading, location, residual_sd, n_categories = parameters
    if family == GAUSSIAN:
        error = (y - location[i] - loading[i] * eta) / residual_sd[i]
        score[0] += weight * error * eta / residual_sd[i]
        score[1] += weight * error / residual_sd[i]
        score[2] += weight * (error * error - 1.0) / residual_sd[i]
        return
    values, steps = tables
    width = grid[1] - grid[0]
    position = (eta - grid[0]) / width
    j = min(max(int(position), 0), len(grid) - 2)
    t = position - j
    k = int(y)
    slope = (1 - t) * values[i, k, 1, j] + t * values[i, k, 1, j + 1]
    score[0] += weight * eta * slope / loading[i]
    if family == PARTIAL_CREDIT:
        for m in range(1, n_categories[i]):
            more = (1 - t) * steps[i, m, j] + t * steps[i, m, j + 1]
            score[m] += weight * (more - (1.0 if k >= m else 0.0))
        return
    below = (1 - t) * steps[i, k, j] + t * steps[i, k, j + 1]
    if k > 0:
        score[k] += weight * below
    if k < n_categories[i] - 1:
        # A shift of all thresholds is a shift of the latent value the other way.
        score[k + 1] += weight * (-slope / loading[i] - below)


@_compiled
def _tilt(
    family,
    begin,
    item,
    answer,
    dimension,
    parameters,
    tables,
    grid,
    mean,
    covariance,
    centre,
    root,
    z,
    log_weight,
    width,
    with_score,
):
    """Moments of every rating; see `Tilted`. centre, root : where the nodes z lie."""
    loading, location, residual_sd, _ = parameters
    values, _ = tables
    n, size = mean.shape
    n_nodes = z.shape[0]
    n_places = n_nodes**size
    log_mass, found, spread = np.empty(n), np.empty((n, size)), np.empty((n, size, size))
    score = np.zeros((n if with_score else 0, len(loading), width))
    table = np.empty((size, n_places))
    place = np.empty((size, n_places))
    weight, prefix = np.empty(n_places), np.empty(n_places)
    position = np.empty(size, dtype=np.int64)
    at = np.empty(size, dtype=np.int64)
    step = grid[1] - grid[0]
    for r in range(n):
        half = lower_inverse(cholesky(covariance[r]))
        inverse = times(transposed(half), half)
        constant = 0.0
        for d in range(size):
            constant += math.log(root[r, d, d]) + math.log(half[d, d])
        # Dimension d of a node depends on its first d + 1 positions only: the root is a lower triangle.
        for d in range(size):
            for j in range(n_nodes ** (d + 1)):
                rest, eta = j, centre[r, d]
                for e in range(d, -1, -1):
                    eta += root[r, d, e] * z[rest % n_nodes]
                    rest //= n_nodes
                place[d, j] = eta
                value = 0.0
                if family == GAUSSIAN:
                    for m in range(begin[r], begin[r + 1]):
                        i = item[m]
                        if dimension[i] == d:
                            error = (answer[m] - location[i] - loading[i] * eta) / residual_sd[i]
                            value -= 0.5 * (error * error + _LOG_2PI) + math.log(residual_sd[i])
                else:
                    cell = (eta - grid[0]) / step
                    g = min(max(int(cell), 0), len(grid) - 2)
                    for m in range(begin[r], begin[r + 1]):
                        if dimension[item[m]] == d:
                            value += _value(values, item[m], int(answer[m]), g, cell - g, step)
                table[d, j] = value
        top = -np.inf
        for j in range(n_places):
            rest = j
            for e in range(size - 1, -1, -1):
                position[e] = rest % n_nodes
                rest //= n_nodes
            value = constant
            for d in range(size):
                at[d] = position[d] if d == 0 else at[d - 1] * n_nodes + position[d]
                value += table[d, at[d]] + 0.5 * z[position[d]] ** 2 + log_weight[position[d]]
            for d in range(size):
                error = place[d, at[d]] - mean[r, d]
                value -= 0.5 * error * error * inverse[d, d]
                for e in range(d):
                    value -= error * inverse[d, e] * (place[e, at[e]] - mean[r, e])
            weight[j] = value
            top = max(top, value)
        mass = 0.0
        for j in range(n_places):
            weight[j] = math.exp(weight[j] - top)
            mass += weight[j]
        log_mass[r] = top + math.log(mass)
        for d in range(size):
            each = n_nodes ** (size - d - 1)
            total = 0.0
            for j in range(n_places):
                total += weight[j] * place[d, j // each]
            found[r, d] = total / mass
        for d in range(size):
            each = n_nodes ** (size - d - 1)
            for e in range(d + 1):
                other = n_nodes ** (size - e - 1)
                total = 0.0
                for j in range(n_places):
                    total += (
                        weight[j] * (place[d, j // each] - found[r, d]) * (place[e, j // other] - found[r, e])
                    )
                spread[r, d, e] = spread[r, e, d] = total / mass
        if with_score:
            for d in range(size):
                n_prefix = n_nodes ** (d + 1)
                each = n_places // n_prefix
                for j in range(n_prefix):
                    prefix[j] = 0.0
                    for k in range(each):
                        prefix[j] += weight[j * each + k]
                    if prefix[j] < 1e-12 * mass:
                        continue
                    for m in range(begin[r], begin[r + 1]):
                        i = item[m]
                        if dimension[i] == d:
                            _add_slopes(
                                family,
                                i,
                                answer[m],
                                place[d, j],
                                prefix[j] / mass,
                                tables,
                                grid,
                                parameters,
                                score[r, i],
                            )
    return log_mass, found, spread, score.reshape(len(score), -1)


class Quadrature:
    """Moments of the ratings of one frame."""

    def __init__(self, frame: Frame, family: str) -> None:
        order = np.argsort(frame.rating_of_response, kind="stable")
        self.begin = np.searchsorted(frame.rating_of_response[order], np.arange(frame.n_ratings + 1))
        self.item = frame.item_of_response[order].astype(np.int64)
        self.answer = frame.answer[order].astype(np.float64)
        self.dimension = frame.dimension_of_item.astype(np.int64)
        self.code = FAMILY_CODES[family]
        self.scale = LATENT_SCALE.get(family, 1.0)
        self.width = 3 if family == "gaussian" else int(frame.n_categories.max())
        self.first, self.n_categories = (
            frame.first_threshold.astype(np.int64),
            frame.n_categories.astype(np.int64),
        )
        size = len(frame.dimensions)
        nodes, weights = np.polynomial.hermite_e.hermegauss(15 if size == 1 else 9 if size == 2 else 7)
        self.z, self.log_weight = nodes, np.log(weights / weights.sum())

    def __call__(
        self,
        items: tuple[np.ndarray, np.ndarray, np.ndarray],
        mean: np.ndarray,
        covariance: np.ndarray,
        *,
        around: Tilted | None = None,
        with_score: bool = False,
    ) -> Tilted:
        """Moments given cavities.

        items : loadings, flat thresholds (intercepts), residual sds · around : earlier moments where nodes
        are laid; the cavity itself otherwise
        """
        loading, location, residual = items
        centre, spread = (mean, covariance) if around is None else (around.mean, around.covariance)
        root = np.linalg.cholesky(spread)
        # Tables of log probabilities reach as far as the furthest node.
        reach = np.abs(root).sum(axis=2) * self.z[-1]
        low, high = float((centre - reach).min()), float((centre + reach).max())
        step = max(_STEP * self.scale, (high - low) / _MAX_GRID)
        grid = np.arange(low - 2 * step, high + 3 * step, step)
        if self.code == GAUSSIAN:
            tables = np.zeros((1, 1, 2, 2)), np.zeros((1, 1, 2))
        else:
            tables = _tabulate(self.code, grid, loading, location, residual, self.first, self.n_categories)
        mean, covariance, centre = (np.ascontiguousarray(a) for a in (mean, covariance, centre))

        def some(ratings: slice) -> tuple[np.ndarray, ...]:
            return _tilt(
                self.code,
                self.begin[ratings.start : ratings.stop + 1],
                self.item,
                self.answer,
                self.dimension,
                (loading, location, residual, self.n_categories),
                tables,
                grid,
                mean[ratings],
                covariance[ratings],
                centre[ratings],
                root[ratings],
                self.z,
                self.log_weight,
                self.width,
                with_score,
            )

        edges = np.linspace(0, len(mean), joblib.cpu_count() + 1).astype(int)
        with ThreadPoolExecutor() as threads:
            parts = list(threads.map(some, (slice(a, b) for a, b in pairwise(edges.tolist()))))
        return Tilted(*(np.concatenate(part) for part in zip(*parts)))
