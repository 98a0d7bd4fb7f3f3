"""Thresholds, means and correlations that a model of ordinal items implies, and their exact derivatives.

Beneath each ordinal item lies a normal variable y*, whose moments are those of `implied_moments`. An item's
scale δ brings y* to the units of the statistics: thresholds are δ (τ − μ), covariances δ σ δ, with δ = 1 for
continuous items. With covariates, moments are those given covariates of 0, and slopes on covariates are
statistics too. In the delta parameterization scales are parameters, and residual variances of ordinal items
are what makes the variance of y* equal 1 / δ²; in the theta parameterization residual variances are
parameters, and δ is one over the standard deviation of y*.

Source: Muthén (1984), Psychometrika 49, 115-132; Muthén & Asparouhov (2002), Mplus Web Note 4.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from relcap_models.psychometrics.structural.implied_moments import (
    LOADING,
    Block,
    Moments,
    build_block,
    directions,
    free_entries,
    implied,
    jacobian,
)
from relcap_models.psychometrics.structural.variables import Variables


@dataclass(frozen=True)
class OrdinalBlock:
    """Where the parameters of one group of a model with ordinal items stand.

    block : those of the moments of y*; under delta, the residual variance of the k-th ordinal item is
    parameter n_free + k. ordinal : (item,) bool. item : (threshold,) its item. threshold : (threshold,)
    and scale : (ordinal item,) index among the free parameters, −1 if fixed; the values of the fixed ones
    stand in threshold_value and scale_value. theta : the parameterization. covariates : (covariate,) their
    places among the variables, where they have no variance. total : the block in which they have their own.
    """

    block: Block
    ordinal: np.ndarray
    item: np.ndarray
    threshold: np.ndarray
    threshold_value: np.ndarray
    scale: np.ndarray
    scale_value: np.ndarray
    theta: bool
    n_free: int
    covariates: np.ndarray
    total: Block


@dataclass(frozen=True)
class OrdinalMoments:
    """What an ordinal block implies.

    latent : moments of y* and of the latent variables, given covariates. total : with the covariates' own.
    scale : (item,) δ. threshold : (threshold,) τ.
    """

    latent: Moments
    total: Moments
    scale: np.ndarray
    threshold: np.ndarray

    @property
    def scaled(self) -> Moments:
        """Moments in the units of the statistics: ordinal items have variance 1."""
        m = self.latent
        scale = np.ones(len(m.mean))
        scale[: m.n_observed] = self.scale
        return Moments(m.effects, m.covariance * np.outer(scale, scale), m.mean * scale, m.n_observed)


def build_ordinal_block(
    table: pd.DataFrame, v: Variables, ordered: frozenset[str], *, theta: bool, n_free: int
) -> OrdinalBlock:
    """The block of these rows of a parameter table."""
    ordinal = np.array([name in ordered for name in v.observed])
    number = {name: k for k, name in enumerate(np.array(v.observed)[ordinal])}
    moments = table.loc[~table["op"].isin(["|", "~*~"]), ["lhs", "op", "rhs", "free", "ustart", "exo"]]
    if not theta:
        own = (moments["op"] == "~~") & (moments["lhs"] == moments["rhs"]) & moments["lhs"].isin(ordered)
        more = pd.DataFrame(
            {"lhs": list(number), "op": "~~", "rhs": list(number), "ustart": np.nan, "exo": False}
        )
        more["free"] = n_free + 1 + np.arange(len(number))
        moments = pd.concat([moments[~own], more], ignore_index=True).astype({"free": int, "exo": bool})
    others = (*v.latent, *v.covariates)
    total = build_block(moments, v.observed, others, means=True)
    block = build_block(moments[~moments["exo"]], v.observed, others, means=True) if v.covariates else total
    covariates = np.arange(len(total.variables) - len(v.covariates), len(total.variables))
    at = {
        (lhs, rhs): i for i, (lhs, op, rhs) in enumerate(table[["lhs", "op", "rhs"]].to_numpy()) if op == "|"
    }
    rows = [row for name in v.observed for row in sorted(_thresholds_of(at, name))]
    free, value = table["free"].to_numpy(), table["ustart"].to_numpy(dtype=float)
    position = [i for _, i in rows]
    item = np.array([v.observed.index(table["lhs"].iat[i]) for i in position], dtype=int)
    scale, scale_value = np.full(len(number), -1), np.ones(len(number))
    for i in np.flatnonzero(table["op"] == "~*~"):
        k = number[table["lhs"].iat[i]]
        scale[k], scale_value[k] = free[i] - 1, value[i]
    return OrdinalBlock(
        block,
        ordinal,
        item,
        free[position] - 1,
        value[position],
        scale,
        scale_value,
        theta,
        n_free,
        covariates,
        total,
    )


def _thresholds_of(at: dict[tuple[str, str], int], name: str) -> list[tuple[int, int]]:
    return [(int(rhs[1:]), i) for (lhs, rhs), i in at.items() if lhs == name]


def ordinal_implied(part: OrdinalBlock, theta: np.ndarray) -> OrdinalMoments:
    """Moments at the free parameters `theta`.

    Raises
    ------
    numpy.linalg.LinAlgError
        If paths cannot be inverted, or a variance of y* is not positive.
    """
    threshold = np.where(part.threshold >= 0, theta[part.threshold], part.threshold_value)
    scale = np.ones(len(part.ordinal))
    if part.theta:
        moments = implied(part.block, theta)
        variance = np.diag(moments.sigma)[part.ordinal]
        if not (variance > 0).all():
            raise np.linalg.LinAlgError("a variance is not positive")
        scale[part.ordinal] = 1 / np.sqrt(variance)
        return OrdinalMoments(moments, _total(part, theta, moments), scale, threshold)
    scale[part.ordinal] = np.where(part.scale >= 0, theta[part.scale], part.scale_value)
    own = residual_variances(part, theta, scale)
    whole = np.concatenate([theta, own])
    moments = implied(part.block, whole)
    return OrdinalMoments(moments, _total(part, whole, moments), scale, threshold)


def _total(part: OrdinalBlock, theta: np.ndarray, moments: Moments) -> Moments:
    return implied(part.total, theta) if len(part.covariates) else moments


def residual_variances(part: OrdinalBlock, theta: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """(ordinal item,) what gives each y* the variance 1 / δ², also where ordinal items explain each other."""
    n = int(part.ordinal.sum())
    rest = implied(part.block, np.concatenate([theta, np.zeros(n)]))
    at = np.flatnonzero(part.ordinal)
    reach = rest.effects[np.ix_(at, at)] ** 2
    return np.linalg.solve(reach, 1 / scale[at] ** 2 - np.diag(rest.sigma)[at])


def ordinal_jacobian(part: OrdinalBlock, moments: OrdinalMoments) -> np.ndarray:
    """(statistic, free parameter) derivatives, statistics in the order of `OrdinalStatistics`."""
    block, latent, scale = part.block, moments.latent, moments.scale
    p, n_ordinal = block.n_observed, int(part.ordinal.sum())
    entry = free_entries(block)
    by_entry = jacobian(directions(block, latent), means=True)
    whole = np.zeros((len(by_entry), part.n_free + (0 if part.theta else n_ordinal)))
    np.add.at(whole.T, block.parameter[entry], by_entry.T)
    d_mean, d_cov = whole[:p], whole[p:]
    column, row = np.triu_indices(p)
    diagonal = np.flatnonzero(row == column)
    d_scale = np.zeros((p, part.n_free))
    own = diagonal[part.ordinal]
    if part.theta:
        d_scale[part.ordinal] = -0.5 * scale[part.ordinal, None] ** 3 * d_cov[own]
    else:
        free = part.scale >= 0
        d_scale[np.flatnonzero(part.ordinal)[free], part.scale[free]] = 1.0
        # The residual variances follow the other parameters so that the variances stay 1 / δ².
        target = -2 * d_scale[part.ordinal] / scale[part.ordinal, None] ** 3
        follow = np.linalg.solve(d_cov[own, part.n_free :], target - d_cov[own, : part.n_free])
        d_mean = d_mean[:, : part.n_free] + d_mean[:, part.n_free :] @ follow
        d_cov = d_cov[:, : part.n_free] + d_cov[:, part.n_free :] @ follow
    d_threshold = (moments.threshold - latent.mean[part.item])[:, None] * d_scale[part.item]
    d_threshold -= scale[part.item, None] * d_mean[part.item]
    free = part.threshold >= 0
    d_threshold[np.flatnonzero(free), part.threshold[free]] += scale[part.item[free]]
    off = np.flatnonzero(row != column)
    i, j = row[off], column[off]
    sigma = latent.sigma[i, j][:, None]
    d_off = (scale[i] * scale[j])[:, None] * d_cov[off]
    d_off += sigma * (d_scale[i] * scale[j, None] + scale[i, None] * d_scale[j])
    d_slope = _slope_jacobian(part, latent, scale, d_scale)
    own = d_cov[diagonal[~part.ordinal]]
    return np.vstack([_by_item(part, d_threshold, d_mean), d_slope, own, d_off])


def _slope_jacobian(
    part: OrdinalBlock, moments: Moments, scale: np.ndarray, d_scale: np.ndarray
) -> np.ndarray:
    """(covariate and item, free parameter) derivatives of the slopes on covariates, items varying fastest."""
    p, x, effects, block = part.block.n_observed, part.covariates, moments.effects, part.block
    entry = free_entries(block)
    path = entry[block.kind[entry] == LOADING]
    moved = effects[:p, block.row[path]][:, None, :] * effects[np.ix_(block.column[path], x)].T[None]
    found = np.zeros((len(x), p, part.n_free))
    np.add.at(
        found.transpose(2, 0, 1), block.parameter[path], (moved * scale[:, None, None]).transpose(2, 1, 0)
    )
    found += effects[:p, x].T[:, :, None] * d_scale[None]
    return found.reshape(len(x) * p, part.n_free)


def ordinal_vector(part: OrdinalBlock, moments: OrdinalMoments) -> np.ndarray:
    """(statistic,) what the block implies, in the order of `OrdinalStatistics`."""
    latent, scale = moments.latent, moments.scale
    thresholds = scale[part.item] * (moments.threshold - latent.mean[part.item])
    column, row = np.triu_indices(len(scale), k=1)
    covariances = scale[row] * scale[column] * latent.sigma[row, column]
    slopes = (scale[:, None] * latent.effects[: len(scale), part.covariates]).T.ravel()
    own = np.diag(latent.sigma)[~part.ordinal]
    return np.concatenate([_by_item(part, thresholds, latent.mu), slopes, own, covariances])


def _by_item(part: OrdinalBlock, thresholds: np.ndarray, means: np.ndarray) -> np.ndarray:
    """Thresholds of ordinal items and means of continuous ones, item by item."""
    continuous = np.flatnonzero(~part.ordinal)
    order = np.argsort(np.concatenate([part.item, continuous]), kind="stable")
    return np.concatenate([thresholds, means[continuous]])[order]
