"""Where the variance lies, and both reciprocities."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from relcap_models.estimands.components import OWN_ONLY, residual_variance, variance_components
from relcap_models.estimands.estimate import Estimate, by_chain, columns
from relcap_models.inference.fit import Fit
from relcap_models.models import latent

COLUMNS = columns(
    "analysis dimension component quantity mean sd lower upper ci_prob",
    "ci_kind median mcse ess ess_tail rhat",
)


def variance_share_table(fit: Fit, *, ci_prob: float) -> pd.DataFrame:
    """Variances and shares by component, and correlations, one row each.

    A share is of the variance of one answer to one item by one respondent about another unit (about the own
    unit in a climate analysis), on the latent scale and covariates apart; the variance of own-unit ratings
    (`self`) has no share in it. Correlations: generalised and dyadic reciprocity, stability over waves, and
    between dimensions within a component.
    """
    parts = [
        Estimate(
            question="Where does the variance of an answer lie?",
            unit="latent scale",
            assumptions="of the population of units, relations and respondents like these",
            draws=by_chain(draws, fit.n_chains),
            labels=labels.assign(analysis=fit.model.id),
        ).table(ci_prob=ci_prob)
        for labels, draws in (*_variances(fit), *_correlations(fit))
    ]
    return pd.concat(parts, ignore_index=True)[COLUMNS]


def _variances(fit: Fit) -> Iterator[tuple[pd.DataFrame, np.ndarray]]:
    dimensions = list(fit.frame.dimensions)
    components = variance_components(fit)
    total = sum(v for name, v in components.items() if name not in OWN_ONLY)
    for name, variance in components.items():
        labels = pd.DataFrame({"dimension": dimensions, "component": name})
        yield labels.assign(quantity="variance"), variance
        if name not in OWN_ONLY:
            yield labels.assign(quantity="share"), variance / total


def _correlations(fit: Fit) -> Iterator[tuple[pd.DataFrame, np.ndarray]]:
    posterior, structure, dimensions = fit.tree["posterior"], fit.structure, list(fit.frame.dimensions)
    labels = pd.DataFrame({"dimension": dimensions, "quantity": "correlation"})
    if "generalised_reciprocity" in posterior:
        yield labels.assign(component="generalised_reciprocity"), fit.draws("generalised_reciprocity")
    if "dyadic_reciprocity" in posterior:
        yield labels.assign(component="dyadic_reciprocity"), fit.draws("dyadic_reciprocity")
    for name in ("stability_unit", "memory_unit", "stability_relation", "memory_relation"):
        if name in posterior:
            row = pd.DataFrame({"dimension": ["all"], "quantity": "correlation", "component": name})
            yield row, fit.draws(name)[:, None]
    yield from _between_dimensions(fit, structure.roles)


def _between_dimensions(fit: Fit, roles: tuple[str, ...]) -> Iterator[tuple[pd.DataFrame, np.ndarray]]:
    dimensions = fit.frame.dimensions
    n = len(dimensions)
    covariances = {role: latent.unit_covariance(fit.draws, fit.structure, role, n) for role in roles}
    if fit.structure.relation != "none":
        covariances["relation"] = fit.draws("cov_relation")
    covariances |= {g.name: fit.draws(f"cov_{g.name}") for g in fit.structure.respondents}
    for name, covariance in covariances.items():
        for a in range(n):
            for b in range(a + 1, n):
                correlation = covariance[:, a, b] / np.sqrt(covariance[:, a, a] * covariance[:, b, b])
                row = pd.DataFrame(
                    {
                        "dimension": [f"{dimensions[a]} × {dimensions[b]}"],
                        "quantity": "correlation",
                        "component": name,
                    }
                )
                yield row, correlation[:, None]


def total_dyadic_reciprocity(fit: Fit) -> np.ndarray:
    """(S, D) correlation of the two directions' relation and residual together, one item each way.

    The only dyadic correlation that exists where a relation has one answer to one item.
    """
    if fit.structure.relation == "residual":
        return fit.draws("dyadic_reciprocity")
    relation = fit.draws("sd_relation") ** 2
    return fit.draws("dyadic_reciprocity") * relation / (relation + residual_variance(fit))
