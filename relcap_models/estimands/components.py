"""Draws of every variance on the latent scale, by dimension: the parts of one answer's variance."""

from __future__ import annotations

import numpy as np

from relcap_models.estimands.answers_at_nodes import answers_at_nodes
from relcap_models.inference.fit import Fit
from relcap_models.models import latent
from relcap_models.models.families import RESIDUAL_SD

OWN_ONLY = ("self",)
"""Components of ratings of the own unit alone."""


def variance_components(fit: Fit) -> dict[str, np.ndarray]:
    """Component → (S, D) variance, outermost first; `residual` is that of one item with loading 1.

    Where relation and residual cannot be told apart they stand together as `relation_and_residual`.
    """
    found, residual = _effect_variances(fit), residual_variance(fit)
    if fit.structure.relation == "residual":
        return {
            "relation_and_residual" if name == "relation" else name: v + residual * (name == "relation")
            for name, v in found.items()
        }
    return found | {"residual": residual}


def _effect_variances(fit: Fit) -> dict[str, np.ndarray]:
    """Component → (S, D) variance of all that makes up a latent rating."""
    structure, n_dimensions = fit.structure, len(fit.frame.dimensions)
    found: dict[str, np.ndarray] = {}
    for role in structure.roles:
        covariance = latent.unit_covariance(fit.draws, structure, role, n_dimensions)
        found[role] = np.diagonal(covariance, axis1=1, axis2=2)
    if structure.relation != "none":
        found["relation"] = fit.draws("sd_relation") ** 2
    for grouping in (*structure.districts, *structure.respondents):
        found[grouping.name] = np.diagonal(fit.draws(f"cov_{grouping.name}"), axis1=1, axis2=2)
    return found


def item_residual_variance(fit: Fit) -> np.ndarray:
    """(S, I) residual variance of each item's latent answer λη + ε.

    Cumulative families fix it. In partial credit there is no latent answer: it is the variance of a normal
    observation of λη that tells as much as an answer, 1/E[Var(y | η)], since Var(y | η) is both the slope of
    the expected answer and its Fisher information (Masters 1982, Psychometrika 47, 149–174). Where relations
    have one answer to one item, dyadic reciprocity is defined by that of the logistic distribution.
    """
    response = fit.model.response
    if response == "gaussian":
        return fit.draws("residual_sd") ** 2
    if response == "partial_credit" and fit.structure.relation != "residual":
        total = sum(v for name, v in _effect_variances(fit).items() if name not in OWN_ONLY)
        return 1.0 / answers_at_nodes(fit, np.sqrt(total))[1]
    return np.full_like(fit.draws("loading"), RESIDUAL_SD[response] ** 2)


def residual_variance(fit: Fit) -> np.ndarray:
    """(S, D) residual variance of one item: the mean over the dimension's items."""
    member = np.eye(len(fit.frame.dimensions))[fit.frame.dimension_of_item]
    return item_residual_variance(fit) @ (member / member.sum(axis=0))


def covariance_of(fit: Fit, name: str) -> np.ndarray:
    """(S or 1, D, D) covariance over dimensions of relations or a grouping; zero where there is none."""
    if f"cov_{name}" in fit.posterior:
        return fit.draws(f"cov_{name}")
    return np.zeros((1, len(fit.frame.dimensions), len(fit.frame.dimensions)))


def end_covariance(fit: Fit, role: str) -> np.ndarray:
    """(S, D, D) covariance of what one end of a relation brings: its unit effect and its district × wave."""
    unit = latent.unit_covariance(fit.draws, fit.structure, role, len(fit.frame.dimensions))
    return unit + covariance_of(fit, f"district_{role}")
