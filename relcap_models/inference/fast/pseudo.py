"""Gaussian stand-ins for the answers of each rating, by expectation propagation.

Given everything else, the latent rating η is about N(mean, covariance): its cavity. Multiplied by the
probability of the answers it has moments that quadrature finds; the Gaussian that turns the one into the
other is the rating's pseudo-observation (Minka 2001; Rasmussen & Williams 2006, § 3.6). Answers are
log-concave in η, so its precision is never negative.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import njit

from relcap_models.inference.person_integral import _response
from relcap_models.models.kernels import (
    FAMILY_CODES,
    GAUSSIAN,
    PARTIAL_CREDIT,
    PROBIT,
    logit_cell,
    probit_cell,
)

_compiled = njit(cache=True, nogil=True, error_model="numpy")
_MIN_PRECISION = 1e-4


@dataclass(frozen=True)
class Pseudo:
    """One Gaussian observation of η per rating: precision (N, D, D) and shift = precision × value (N, D)."""

    precision: np.ndarray
    shift: np.ndarray


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


def pseudo_from(cavity_mean: np.ndarray, cavity_covariance: np.ndarray, tilted: Tilted) -> Pseudo:
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
    return Pseudo(floored, shift)


@_compiled
def _slopes(family, i, y, eta, load, location, residual_sd, first, n_categories, slope):
    """Fill `slope` with derivatives of a log probability: loading, then thresholds, or intercept and sd."""
    slope[:] = 0.0
    if family == GAUSSIAN:
        error = (y - location[i] - load * eta) / residual_sd[i]
        slope[0] = error * eta / residual_sd[i]
        slope[1] = error / residual_sd[i]
        slope[2] = (error * error - 1.0) / residual_sd[i]
        return
    n, k = n_categories[i], int(y)
    if family == PARTIAL_CREDIT:
        score, top = 0.0, 0.0
        for j in range(1, n):
            score += load * eta - location[first[i] + j - 1]
            top = max(top, score)
        mass, score = math.exp(-top), 0.0
        for j in range(1, n):
            score += load * eta - location[first[i] + j - 1]
            slope[j] = math.exp(score - top)
            mass += slope[j]
        above, mean = 0.0, 0.0
        for j in range(n - 1, 0, -1):
            above += slope[j] / mass
            mean += j * slope[j] / mass
            slope[j] = above - (1.0 if k >= j else 0.0)
        slope[0] = eta * (k - mean)
        return
    a = location[first[i] + k - 1] - load * eta if k > 0 else -math.inf
    b = location[first[i] + k] - load * eta if k < n - 1 else math.inf
    _, below, above = probit_cell(a, b) if family == PROBIT else logit_cell(a, b)
    slope[0] = eta * (below - above)
    if k > 0:
        slope[k] = -below
    if k < n - 1:
        slope[k + 1] = above


@_compiled
def _tilt(
    begin,
    item,
    answer,
    dimension,
    parameters,
    mean,
    covariance,
    centre,
    root,
    z,
    log_weight,
    width,
    with_score,
):
    """Moments of every rating; see `Tilted`. centre, root : where the grid of nodes z lies."""
    family, loading, location, residual_sd, first, n_categories = parameters
    n, size = mean.shape
    n_nodes = z.shape[0]
    n_grid = n_nodes**size
    log_mass, found, spread = np.empty(n), np.empty((n, size)), np.empty((n, size, size))
    score = np.zeros((n if with_score else 0, len(loading) * width))
    table = np.empty((size, n_grid))
    grid, weight = np.empty((n_grid, size)), np.empty(n_grid)
    prefix = np.empty(n_grid)
    slope = np.empty(width)
    position = np.empty(size, dtype=np.int64)
    for r in range(n):
        inverse = np.linalg.inv(covariance[r])
        constant = -0.5 * np.log(np.linalg.det(covariance[r]))
        for d in range(size):
            constant += np.log(root[r, d, d])
        # Dimension d of a node depends on its first d + 1 positions only: the root is a lower triangle.
        for d in range(size):
            for j in range(n_nodes ** (d + 1)):
                rest, eta = j, centre[r, d]
                for e in range(d, -1, -1):
                    position[e] = rest % n_nodes
                    rest //= n_nodes
                for e in range(d + 1):
                    eta += root[r, d, e] * z[position[e]]
                value = 0.0
                for m in range(begin[r], begin[r + 1]):
                    if dimension[item[m]] == d:
                        value += _response(
                            family,
                            item[m],
                            answer[m],
                            eta,
                            loading,
                            location,
                            residual_sd,
                            first,
                            n_categories,
                        )[0]
                table[d, j] = value
                if d == size - 1:
                    grid[j, d] = eta
        top = -np.inf
        for j in range(n_grid):
            rest = j
            for e in range(size - 1, -1, -1):
                position[e] = rest % n_nodes
                rest //= n_nodes
            value, at = constant, 0
            for d in range(size):
                eta = centre[r, d]
                for e in range(d + 1):
                    eta += root[r, d, e] * z[position[e]]
                grid[j, d] = eta
                at = at * n_nodes + position[d]
                value += table[d, at] + 0.5 * z[position[d]] ** 2 + log_weight[position[d]]
            for d in range(size):
                for e in range(size):
                    value -= 0.5 * (grid[j, d] - mean[r, d]) * inverse[d, e] * (grid[j, e] - mean[r, e])
            weight[j] = value
            top = max(top, value)
        mass = 0.0
        for j in range(n_grid):
            weight[j] = math.exp(weight[j] - top)
            mass += weight[j]
        log_mass[r] = top + math.log(mass)
        for d in range(size):
            total = 0.0
            for j in range(n_grid):
                total += weight[j] * grid[j, d]
            found[r, d] = total / mass
        for d in range(size):
            for e in range(d + 1):
                total = 0.0
                for j in range(n_grid):
                    total += weight[j] * (grid[j, d] - found[r, d]) * (grid[j, e] - found[r, e])
                spread[r, d, e] = spread[r, e, d] = total / mass
        if with_score:
            for d in range(size):
                n_prefix = n_nodes ** (d + 1)
                each = n_grid // n_prefix
                for j in range(n_prefix):
                    prefix[j] = 0.0
                    for k in range(each):
                        prefix[j] += weight[j * each + k]
                    if prefix[j] < 1e-12 * mass:
                        continue
                    for m in range(begin[r], begin[r + 1]):
                        i = item[m]
                        if dimension[i] == d:
                            _slopes(
                                family,
                                i,
                                answer[m],
                                grid[j * each, d],
                                loading[i],
                                location,
                                residual_sd,
                                first,
                                n_categories,
                                slope,
                            )
                            for k in range(width):
                                score[r, i * width + k] += slope[k] * prefix[j] / mass
    return log_mass, found, spread, score


class Quadrature:
    """Moments of the ratings of one frame."""

    def __init__(self, frame, family: str, *, n_nodes: int = 0) -> None:
        order = np.argsort(frame.rating_of_response, kind="stable")
        self.begin = np.searchsorted(frame.rating_of_response[order], np.arange(frame.n_ratings + 1))
        self.item = frame.item_of_response[order].astype(np.int64)
        self.answer = frame.answer[order].astype(np.float64)
        self.dimension = frame.dimension_of_item.astype(np.int64)
        self.code = FAMILY_CODES[family]
        self.width = 3 if family == "gaussian" else int(frame.n_categories.max())
        self.first, self.n_categories = (
            frame.first_threshold.astype(np.int64),
            frame.n_categories.astype(np.int64),
        )
        size = len(frame.dimensions)
        nodes, weights = np.polynomial.hermite_e.hermegauss(
            n_nodes or (15 if size == 1 else 9 if size == 2 else 7)
        )
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
        parameters = (self.code, loading, location, residual, self.first, self.n_categories)
        centre, spread = (mean, covariance) if around is None else (around.mean, around.covariance)
        return Tilted(
            *_tilt(
                self.begin,
                self.item,
                self.answer,
                self.dimension,
                parameters,
                np.ascontiguousarray(mean),
                np.ascontiguousarray(covariance),
                np.ascontiguousarray(centre),
                np.linalg.cholesky(spread),
                self.z,
                self.log_weight,
                self.width,
                with_score,
            )
        )
