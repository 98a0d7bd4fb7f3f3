"""Categorical omega: how reliable the sum of ordinal answers is, from a factor model of the answers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import expit, logit
from scipy.stats import norm
from statsmodels.tools.numdiff import approx_fprime

from relcap_models.errors import DataError, FitError
from relcap_models.psychometrics.structural.category_sums import SumVariance, sum_variance
from relcap_models.psychometrics.structural.estimate_dwls import OrdinalModel
from relcap_models.psychometrics.structural.ordinal_moments import (
    OrdinalBlock,
    ordinal_implied,
    ordinal_jacobian,
    ordinal_vector,
)
from relcap_models.psychometrics.structural.result import CfaResult

TOTAL = "total"


@dataclass(frozen=True)
class CategoricalOmega:
    """Reliability of sums of ordinal answers.

    omega : by factor, of the sum of the factor's items; with several factors also `total`, of the sum of all
        items. By (group, factor) where there are groups. The sum's variance is that which the model implies
        (`omega2` of semTools::reliability).
    observed : the same with the variance of the sum from the sample's polychoric correlations (`omega3`, and
        semTools::compRelSEM as it comes). Where the two differ, the model does not fit.
    interval : the index of `omega` by se, lower, upper, for omega.
    notes : what a reader should know.
    """

    omega: pd.Series
    observed: pd.Series
    interval: pd.DataFrame
    notes: tuple[str, ...]


def categorical_omega(result: CfaResult, *, ci_prob: float = 0.95) -> CategoricalOmega:
    """Share of the variance of a sum of ordinal answers that is due to what the items have in common.

    The sum is that of the answers as they are counted (1, 2, 3, …), not of the continuous variables beneath
    them, for which omega by loadings would be the reliability of something nobody observes. Items count as
    they are worded: reverse those that load negatively (a note names them) before fitting.

    Parameters
    ----------
    result : a fitted `cfa` with ordered items. A factor's items are those it measures directly; what other
        factors contribute to their sum counts as error (for the first factor of a bifactor model that is
        hierarchical omega). `total` counts all factors, and leaves residual covariances out.
    ci_prob : probability of the interval, from the covariance of the estimates by the delta method on the
        logit scale: robust under WLSMV, also to clusters.

    Raises
    ------
    DataError
        If no factor has ordered items alone, or the model has none: `omega` is for those.
    FitError
        If an item's communality is above 1 (a Heywood case).

    Source: Green & Yang (2009), Psychometrika 74, 155-167, equation 21.
    """
    if not isinstance(result, CfaResult):
        raise DataError("categorical_omega() takes what cfa() returns")
    if not 0 < ci_prob < 1:
        raise DataError(f"`ci_prob` is between 0 and 1, not {ci_prob}")
    fit = result.fit
    if not fit.ordinal:
        raise DataError(
            "The model has no ordered items: name them with `ordered` in cfa(), or use omega() or "
            "cronbach_alpha() for the sum of continuous ones"
        )
    rows, notes = [], []
    for b, v in enumerate(fit.names):
        group = result.groups[b] if result.groups else ""
        sets, said = _sets(fit.model.parts_ordinal[b], v.latent, group)
        notes += said
        for name, items, latent in sets:
            notes += _turned(fit.model.parts_ordinal[b], fit.theta, name, items, latent, group)
            omega, slope = _omega(fit.model, b, fit.theta, items, latent, group)
            se = float(np.sqrt(max(slope @ fit.vcov @ slope, 0.0)))
            observed = _omega_observed(fit.model, b, fit.theta, items, latent)
            rows.append((group, name, omega, observed, se, *_interval(omega, se, ci_prob)))
    if not rows:
        raise DataError("No factor has ordered items alone, and two or more of them. " + " ".join(notes))
    table = pd.DataFrame(rows, columns=["group", "factor", "omega", "observed", "se", "lower", "upper"])
    table = table.set_index(["group", "factor"] if result.groups else "factor").drop(
        columns=[] if result.groups else "group"
    )
    return CategoricalOmega(
        table["omega"], table["observed"], table[["se", "lower", "upper"]], tuple(dict.fromkeys(notes))
    )


def _sets(
    part: OrdinalBlock, latent: tuple[str, ...], group: str
) -> tuple[list[tuple[str, np.ndarray, np.ndarray]], list[str]]:
    """(name, items, factors) of each sum, and notes on factors without one."""
    block = part.block
    p = block.n_observed
    measured = (block.kind == 0) & (block.row < p) & (block.column >= p)
    measured &= (block.parameter >= 0) | (block.value != 0)
    sets, notes, every = [], [], set()
    for k, name in enumerate(latent):
        items = np.unique(block.row[measured & (block.column == p + k)])
        every |= set(items)
        if len(items) < 2:
            notes.append(f"No omega of {name}: it measures fewer than two items directly")
        elif not part.ordinal[items].all():
            continuous = ", ".join(block.observed[i] for i in items if not part.ordinal[i])
            notes.append(f"No omega of {name}: {continuous} is not ordered, and a sum would mix the two")
        else:
            sets.append((name, items, np.array([p + k])))
    items = np.array(sorted(every), dtype=int)
    if len(sets) > 1 and part.ordinal[items].all():
        sets.append((TOTAL, items, p + np.arange(len(latent))))
    return sets, notes


def _shared(part: OrdinalBlock, theta: np.ndarray, items: np.ndarray, latent: np.ndarray) -> np.ndarray:
    """(item, item) what these factors contribute to the correlations of the variables beneath the items."""
    loading = _loadings(part, theta, items, latent)
    return loading @ ordinal_implied(part, theta).latent.covariance[np.ix_(latent, latent)] @ loading.T


def _loadings(part: OrdinalBlock, theta: np.ndarray, items: np.ndarray, latent: np.ndarray) -> np.ndarray:
    """(item, factor) loadings of the variables beneath the items, which have variance one."""
    found = ordinal_implied(part, theta)
    paths = np.eye(len(found.latent.effects)) - np.linalg.inv(found.latent.effects)
    return found.scale[items, None] * paths[np.ix_(items, latent)]


def _turned(
    part: OrdinalBlock, theta: np.ndarray, name: str, items: np.ndarray, latent: np.ndarray, group: str
) -> list[str]:
    """A note on the items that take from a factor's sum what others add."""
    if len(latent) > 1:
        return []
    loading = _loadings(part, theta, items, latent)[:, 0]
    against = items[loading * (np.sign(loading.sum()) or 1.0) < 0]
    if not against.size:
        return []
    where = f" in group '{group}'" if group else ""
    which = ", ".join(part.block.observed[i] for i in against)
    return [
        f"Items that load on {name} against the others{where}: {which}. In the sum they cancel what "
        "others measure, and omega is of that sum: reverse them first (highest + lowest answer − answer)"
    ]


def _omega(
    model: OrdinalModel, b: int, theta: np.ndarray, items: np.ndarray, latent: np.ndarray, group: str
) -> tuple[float, np.ndarray]:
    """Omega and its (free parameter,) slope."""
    part = model.parts_ordinal[b]
    found = ordinal_implied(part, theta)
    shared = _shared(part, theta, items, latent)
    _check_communalities(part, shared, items, group)
    at, item = _thresholds(model, b, items)
    cells = _correlations(model, b, items)
    vector, slopes = ordinal_vector(part, found), ordinal_jacobian(part, found)
    common = sum_variance(vector[at], item, shared)
    whole = sum_variance(vector[at], item, _with_ones(vector, cells))
    active = np.flatnonzero(np.abs(slopes).max(axis=0) > 0)

    def moved(x: np.ndarray) -> np.ndarray:
        return _shared(part, _put(theta, active, x), items, latent).ravel()

    d_shared = np.zeros((len(items) ** 2, len(theta)))
    if len(active):
        d_shared[:, active] = approx_fprime(theta[active], moved, centered=True).reshape(-1, len(active))
    off = cells >= 0
    d_common = common.by_threshold @ slopes[at] + common.by_correlation.ravel() @ d_shared
    d_whole = whole.by_threshold @ slopes[at] + whole.by_correlation[off] @ slopes[cells[off]]
    omega = common.value / whole.value
    return omega, (d_common - omega * d_whole) / whole.value


def _omega_observed(
    model: OrdinalModel, b: int, theta: np.ndarray, items: np.ndarray, latent: np.ndarray
) -> float:
    part = model.parts_ordinal[b]
    vector = ordinal_vector(part, ordinal_implied(part, theta))
    sample = model.statistics[b].statistics.to_numpy()
    at, item = _thresholds(model, b, items)
    common: SumVariance = sum_variance(vector[at], item, _shared(part, theta, items, latent))
    whole = sum_variance(vector[at], item, _with_ones(sample, _correlations(model, b, items)))
    return common.value / whole.value


def _put(theta: np.ndarray, active: np.ndarray, x: np.ndarray) -> np.ndarray:
    moved = theta.copy()
    moved[active] = x
    return moved


def _thresholds(model: OrdinalModel, b: int, items: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the items' thresholds among the statistics, and the item of each among `items`."""
    part, statistics = model.parts_ordinal[b], model.statistics[b]
    own = [len(statistics.thresholds[n]) if n in statistics.thresholds else 1 for n in part.block.observed]
    start = np.concatenate([[0], np.cumsum(own)])
    at = np.concatenate([np.arange(start[i], start[i + 1]) for i in items])
    return at, np.repeat(np.arange(len(items)), [own[i] for i in items])


def _correlations(model: OrdinalModel, b: int, items: np.ndarray) -> np.ndarray:
    """(item, item) positions of the items' correlations among the statistics, −1 on the diagonal."""
    p = model.parts_ordinal[b].block.n_observed
    column, row = np.triu_indices(p, k=1)
    place = np.full((p, p), -1)
    place[row, column] = place[column, row] = np.arange(len(row)) - len(row)
    n = len(model.statistics[b].statistics)
    return np.where(np.eye(len(items), dtype=bool), -1, place[np.ix_(items, items)] + n)


def _with_ones(vector: np.ndarray, cells: np.ndarray) -> np.ndarray:
    return np.where(cells < 0, 1.0, vector[cells])


def _check_communalities(part: OrdinalBlock, shared: np.ndarray, items: np.ndarray, group: str) -> None:
    beyond = [part.block.observed[i] for i, share in zip(items, np.diag(shared)) if share > 1]
    if beyond:
        where = f" in group '{group}'" if group else ""
        raise FitError(
            f"The model explains more than all of {', '.join(beyond)}{where} (a Heywood case), for which "
            "omega is not defined: simplify the model, or leave the item out"
        )


def _interval(omega: float, se: float, ci_prob: float) -> tuple[float, float]:
    reach = norm.ppf(0.5 + ci_prob / 2) * se
    if not 0 < omega < 1:
        return omega - reach, omega + reach
    centre, reach = logit(omega), reach / (omega * (1 - omega))
    return float(expit(centre - reach)), float(expit(centre + reach))
