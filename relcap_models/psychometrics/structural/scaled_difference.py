"""The difference test of two nested models with ordinal items."""

from __future__ import annotations

import numpy as np
from scipy.linalg import null_space

from relcap_models.errors import DataError
from relcap_models.psychometrics.structural.estimate_dwls import (
    OrdinalModel,
    dwls_information,
    sampling_covariance,
    slopes,
    weights,
)
from relcap_models.psychometrics.structural.fit import Fit


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
    model = larger.model
    own = slopes(model, larger.theta)
    wide = np.vstack(own) @ model.freedom.basis
    narrow = _aligned(smaller, model) @ smaller.model.freedom.basis
    reached = np.linalg.lstsq(wide, narrow, rcond=None)[0]
    constraint = null_space(reached.T, rcond=1e-8).T
    if len(constraint) != df:
        raise DataError(
            f"The model with {smaller.test.df} degrees of freedom is not nested in the one with "
            f"{larger.test.df}: compare models of which one only adds constraints to the other"
        )
    information = model.freedom.basis.T @ dwls_information(model, own) @ model.freedom.basis
    pulled = np.linalg.solve(information, constraint.T)
    loss = pulled @ np.linalg.solve(constraint @ pulled, pulled.T)
    weight = np.concatenate([share * w for share, w in zip(model.shares, weights(model))])
    weighted = wide * weight[:, None]
    product = loss @ (weighted.T @ sampling_covariance(model) @ weighted)
    factor = np.sqrt(df / np.trace(product @ product))
    return 1 / factor, df - factor * np.trace(product)


def _aligned(smaller: Fit, model: OrdinalModel) -> np.ndarray:
    """(statistic, free parameter) slopes of the smaller model, its statistics in the larger model's order."""
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
