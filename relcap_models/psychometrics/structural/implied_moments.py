"""Means and covariances that a model implies, and their exact derivatives.

A block (one group at one level) is written with all its variables, observed ones first, as
η = m + A η + ζ, cov(ζ) = S: A holds loadings and regressions, S variances and covariances, m intercepts
(McArdle & McDonald 1984). With E = (I − A)⁻¹ its moments are E m and E S E'. Each parameter moves the
covariances by u v' + v u' and the means by d, so that derivatives, information matrices and scores are
products of three thin matrices (variable, parameter), whatever the number of moments.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

LOADING, COVARIANCE, MEAN = 0, 1, 2


@dataclass(frozen=True)
class Block:
    """Where the parameters of one group at one level stand.

    variables : observed ones first. kind, row, column : (entry,) the matrix (A, S or m) and the cell.
    parameter : (entry,) index among the free parameters, −1 if fixed. value : (entry,) of the fixed ones.
    means : whether means are modelled.
    """

    observed: tuple[str, ...]
    variables: tuple[str, ...]
    kind: np.ndarray
    row: np.ndarray
    column: np.ndarray
    parameter: np.ndarray
    value: np.ndarray
    means: bool

    @property
    def n_observed(self) -> int:
        return len(self.observed)


@dataclass(frozen=True)
class Moments:
    """What a block implies.

    effects : E = (I − A)⁻¹. covariance, mean : of all variables, observed ones first.
    """

    effects: np.ndarray
    covariance: np.ndarray
    mean: np.ndarray
    n_observed: int

    @property
    def sigma(self) -> np.ndarray:
        """(observed, observed) covariance."""
        return self.covariance[: self.n_observed, : self.n_observed]

    @property
    def mu(self) -> np.ndarray:
        """(observed,) mean."""
        return self.mean[: self.n_observed]


@dataclass(frozen=True)
class Directions:
    """How parameters move the observed moments: covariances by u v' + v u', means by d.

    u, v, d : (observed, parameter).
    """

    u: np.ndarray
    v: np.ndarray
    d: np.ndarray


def build_block(
    table: pd.DataFrame, observed: tuple[str, ...], latent: tuple[str, ...], *, means: bool
) -> Block:
    """The block of these rows of a parameter table; `ustart` holds the values of fixed parameters."""
    variables = (*observed, *latent)
    at = {name: i for i, name in enumerate(variables)}
    op = table["op"].to_numpy()
    left = np.array([at[name] for name in table["lhs"]])
    right = np.array([at.get(name, 0) for name in table["rhs"]])
    kind = np.select([(op == "=~") | (op == "~"), op == "~~"], [LOADING, COVARIANCE], MEAN)
    row = np.where(op == "=~", right, left)
    column = np.where(op == "=~", left, right)
    parameter = table["free"].to_numpy() - 1
    value = np.where(parameter < 0, table["ustart"].to_numpy(dtype=float), 0.0)
    return Block(observed, variables, kind, row, column, parameter, value, means)


def implied(block: Block, theta: np.ndarray) -> Moments:
    """Moments at the free parameters `theta`.

    Raises
    ------
    numpy.linalg.LinAlgError
        If I − A cannot be inverted.
    """
    n = len(block.variables)
    values = block.value.copy()
    free = free_entries(block)
    values[free] = theta[block.parameter[free]]
    paths, residual, intercept = np.zeros((n, n)), np.zeros((n, n)), np.zeros(n)
    is_path, is_covariance, is_mean = (block.kind == k for k in (LOADING, COVARIANCE, MEAN))
    paths[block.row[is_path], block.column[is_path]] = values[is_path]
    residual[block.row[is_covariance], block.column[is_covariance]] = values[is_covariance]
    residual[block.column[is_covariance], block.row[is_covariance]] = values[is_covariance]
    intercept[block.row[is_mean]] = values[is_mean]
    effects = np.linalg.inv(np.eye(n) - paths)
    return Moments(effects, effects @ residual @ effects.T, effects @ intercept, block.n_observed)


def free_entries(block: Block) -> np.ndarray:
    """(free entry,) positions of the block's entries that are estimated."""
    return np.flatnonzero(block.parameter >= 0)


def directions(block: Block, moments: Moments) -> Directions:
    """How each free entry of the block moves its observed moments."""
    entry = free_entries(block)
    kind, row, column = block.kind[entry], block.row[entry], block.column[entry]
    reach = moments.effects[: block.n_observed]
    u = reach[:, row].copy()
    v = reach[:, column].copy()
    d = np.zeros_like(u)
    path, mean = kind == LOADING, kind == MEAN
    v[:, path] = moments.covariance[: block.n_observed][:, column[path]]
    v[:, (kind == COVARIANCE) & (row == column)] *= 0.5
    if block.means:
        d[:, path] = u[:, path] * moments.mean[column[path]]
        d[:, mean] = u[:, mean]
    u[:, mean] = 0.0
    v[:, mean] = 0.0
    return Directions(u, v, d)


def saturated_directions(n_observed: int, *, means: bool, fixed: np.ndarray | None = None) -> Directions:
    """Directions of the moments themselves: means (if modelled), then the lower triangle column by column.

    fixed : (observed,) bool, covariates, whose own moments are left out.
    """
    column, row = np.triu_indices(n_observed)
    identity = np.eye(n_observed)
    u, v = identity[:, row], identity[:, column].copy()
    v[:, row == column] *= 0.5
    d = np.zeros_like(u)
    if means:
        none = np.zeros_like(identity)
        u, v, d = np.hstack([none, u]), np.hstack([none, v]), np.hstack([identity, d])
    if fixed is not None:
        kept = kept_moments(n_observed, means=means, fixed=fixed)
        u, v, d = u[:, kept], v[:, kept], d[:, kept]
    return Directions(u, v, d)


def kept_moments(n_observed: int, *, means: bool, fixed: np.ndarray) -> np.ndarray:
    """(moment,) bool: those that are not of covariates (`fixed`) alone."""
    column, row = np.triu_indices(n_observed)
    kept = ~(fixed[row] & fixed[column])
    return np.concatenate([~fixed, kept]) if means else kept


def jacobian(moving: Directions, *, means: bool) -> np.ndarray:
    """(moment, parameter) derivatives of means (if modelled) and the lower triangle column by column."""
    column, row = np.triu_indices(len(moving.u))
    covariances = moving.u[row] * moving.v[column] + moving.v[row] * moving.u[column]
    return np.vstack([moving.d, covariances]) if means else covariances


def curvature(block: Block, moments: Moments, slope: np.ndarray, slope_mean: np.ndarray) -> np.ndarray:
    """(free entry, free entry) second derivatives of tr(Q Σ) + q'μ by the block's free entries.

    slope : (observed, observed) Q, symmetric. slope_mean : (observed,) q.
    """
    entry = free_entries(block)
    kind, row, column = block.kind[entry], block.row[entry], block.column[entry]
    p = block.n_observed
    effects, covariance = moments.effects, moments.covariance
    reach = effects[:p]
    weight = reach.T @ slope @ reach
    carried = covariance[:, :p] @ slope @ reach
    pull = reach.T @ slope_mean
    found = np.zeros((len(entry), len(entry)))
    path = np.flatnonzero(kind == LOADING)
    k, l = row[path], column[path]
    # Two paths i ← j and k ← l.
    i, j = k[:, None], l[:, None]
    found[np.ix_(path, path)] = (
        2 * (effects[l[None, :], i] * carried[j, k] + covariance[l[None, :], j] * weight[i, k])
        + 2 * carried[l[None, :], i] * effects[j, k]
    )
    if block.means:
        found[np.ix_(path, path)] += effects[j, k] * pull[i] * moments.mean[l] + (
            pull[k] * effects[l[None, :], i] * moments.mean[j]
        )
        at = np.flatnonzero(kind == MEAN)
        both = pull[k] * effects[l[None, :], row[at][:, None]]
        found[np.ix_(at, path)] = both
        found[np.ix_(path, at)] = both.T
    at = np.flatnonzero(kind == COVARIANCE)
    i, j = row[at][:, None], column[at][:, None]
    half = np.where(i == j, 0.5, 1.0)
    both = 2 * half * (effects[l[None, :], i] * weight[j, k] + effects[l[None, :], j] * weight[i, k])
    found[np.ix_(at, path)] = both
    found[np.ix_(path, at)] = both.T
    return found
