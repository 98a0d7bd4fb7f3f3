"""The scaled and shifted difference test of two nested models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import block_diag, null_space

from relcap_models.errors import DataError
from relcap_models.psychometrics.structural.clusters import stacked_products
from relcap_models.psychometrics.structural.estimate_dwls import (
    dwls_information,
    sampling_covariance,
    slopes,
    weights,
)
from relcap_models.psychometrics.structural.estimate_ml import total_expected, total_hessian
from relcap_models.psychometrics.structural.fit import Fit
from relcap_models.psychometrics.structural.implied_moments import saturated_directions
from relcap_models.psychometrics.structural.likelihood import expected_information
from relcap_models.psychometrics.structural.robust import moment_influence, moment_slopes


def scaled_difference(larger: Fit, smaller: Fit, df: int) -> tuple[float, float]:
    """(what divides the chi-squares' difference, what is then added).

    The smaller model's constraints on the larger one are those of its derivatives at its own estimates.

    Raises
    ------
    DataError
        If the derivatives show that the smaller model is not nested in the larger one.

    Source: Satorra (2000), in Heijmans, Pollock & Satorra (eds), Innovations in Multivariate Statistical
    Analysis, 233-247; Asparouhov & Muthén (2010), Simple second order chi-square correction.
    """
    parts = (_ordinal if larger.ordinal else _continuous)(larger)
    basis = larger.model.freedom.basis
    wide = parts.slopes @ basis
    narrow = _aligned(smaller, larger) @ smaller.model.freedom.basis
    reached = np.linalg.lstsq(wide, narrow, rcond=None)[0]
    constraint = null_space(reached.T, rcond=1e-8).T
    if len(constraint) != df:
        raise DataError(
            f"The model with {smaller.test.df} degrees of freedom is not nested in the one with "
            f"{larger.test.df}: compare models of which one only adds constraints to the other"
        )
    pulled = np.linalg.solve(basis.T @ parts.information @ basis, constraint.T)
    loss = pulled @ np.linalg.solve(constraint @ pulled, pulled.T)
    weighted = parts.weight @ wide
    product = loss @ (weighted.T @ parts.sampling @ weighted)
    factor = np.sqrt(df / np.trace(product @ product))
    return 1 / factor, df - factor * np.trace(product)


@dataclass(frozen=True)
class _Parts:
    """What the difference rests on, of all groups, with statistics group after group.

    slopes : (statistic, free parameter). information : (free parameter, free parameter). weight, sampling :
    (statistic, statistic), of the discrepancy and of the statistics' errors.
    """

    slopes: np.ndarray
    information: np.ndarray
    weight: np.ndarray
    sampling: np.ndarray


def _ordinal(fit: Fit) -> _Parts:
    model = fit.model
    own = slopes(model, fit.theta)
    weight = np.concatenate([share * w for share, w in zip(model.shares, weights(model))])
    information = dwls_information(model, own)
    return _Parts(np.vstack(own), information, np.diag(weight), sampling_covariance(model))


def _continuous(fit: Fit) -> _Parts:
    """Information as the estimator has it; weights are those of normal answers at the model's moments."""
    model = fit.model
    weight, influence = [], []
    for (share, block, moments, sample, mu), fixed in zip(model.parts(fit.theta), fit.covariates):
        moving = saturated_directions(block.n_observed, means=block.means)
        weight.append(share * expected_information(moving, moments.sigma, mu, sample))
        mine = moment_influence(sample, means=block.means, fixed=fixed)
        influence.append(mine * np.sqrt(model.n) / sample.n)
    information = (total_hessian if fit.estimator == "MLR" else total_expected)(model, fit.theta)
    sampling = stacked_products(influence, model.samples)
    return _Parts(_moment_slopes(fit), information, block_diag(*weight), sampling)


def _moment_slopes(fit: Fit, order: Sequence[Sequence[str]] | None = None) -> np.ndarray:
    """(moment, free parameter) of all groups; moments in another order of the variables, if it is given."""
    found = []
    for g, (_, block, moments, sample, _) in enumerate(fit.model.parts(fit.theta)):
        mine = moment_slopes(block, moments, fit.model.n_free)
        if order is not None:
            at = [sample.observed.index(name) for name in order[g]]
            p = len(at)
            column, row = np.triu_indices(p)
            place = np.zeros((p, p), dtype=int)
            place[row, column] = place[column, row] = np.arange(len(row))
            wanted = place[np.array(at)[row], np.array(at)[column]]
            mine = mine[np.concatenate([at, p + wanted]) if block.means else wanted]
        found.append(mine)
    return np.vstack(found)


def _aligned(smaller: Fit, larger: Fit) -> np.ndarray:
    """(statistic, free parameter) slopes of the smaller model, its statistics in the larger model's order."""
    model = larger.model
    if not larger.ordinal:
        return _moment_slopes(smaller, [sample.observed for sample in model.samples])
    found = []
    own = slopes(smaller.model, smaller.theta)
    groups = [sample.group for sample in smaller.model.samples]
    for sample, statistics in zip(model.samples, model.statistics):
        at = groups.index(sample.group)
        place = {_key(label): i for i, label in enumerate(smaller.model.statistics[at].statistics.index)}
        found.append(own[at][[place[_key(label)] for label in statistics.statistics.index]])
    return np.vstack(found)


def _key(label: str) -> frozenset[str] | str:
    """Two models may list a pair of items in different orders."""
    return frozenset(label.split("~~")) if "~~" in label else label
