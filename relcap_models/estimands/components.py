"""Draws of every variance on the latent scale, by dimension: the parts of one answer's variance."""

from __future__ import annotations

import numpy as np

from relcap_models.inference.fit import Fit
from relcap_models.models import latent
from relcap_models.models.families import RESIDUAL_SD


def variance_components(fit: Fit) -> dict[str, np.ndarray]:
    """Component → (S, D) variance, outermost first; `residual` is that of one item with loading 1.

    Where relation and residual cannot be told apart they stand together as `relation_and_residual`.
    """
    structure, n_dimensions = fit.structure, len(fit.frame.dimensions)
    found: dict[str, np.ndarray] = {}
    for role in structure.roles:
        covariance = latent.unit_covariance(fit.draws, structure, role, n_dimensions)
        found[role] = np.diagonal(covariance, axis1=1, axis2=2)
    residual = residual_variance(fit)
    if structure.relation == "residual":
        found["relation_and_residual"] = fit.draws("sd_relation") ** 2 + residual
    elif structure.relation != "none":
        found["relation"] = fit.draws("sd_relation") ** 2
    for grouping in (*structure.districts, *structure.respondents):
        found[grouping.name] = fit.draws(f"sd_{grouping.name}") ** 2
    if structure.relation != "residual":
        found["residual"] = residual
    return found


def item_residual_variance(fit: Fit) -> np.ndarray:
    """(S, I) residual variance of each item, fixed by an ordinal family."""
    if fit.model.response == "gaussian":
        return fit.draws("residual_sd") ** 2
    return np.full_like(fit.draws("loading"), RESIDUAL_SD[fit.model.response] ** 2)


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
