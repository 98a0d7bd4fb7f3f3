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


def residual_variance(fit: Fit) -> np.ndarray:
    """(S, D) residual variance of one item: fixed by an ordinal family, the items' mean in the gaussian one."""
    frame = fit.frame
    n_dimensions = len(frame.dimensions)
    if fit.model.response != "gaussian":
        n_draws = fit.n_chains * fit.n_draws
        return np.full((n_draws, n_dimensions), RESIDUAL_SD[fit.model.response] ** 2)
    squared = fit.draws("residual_sd") ** 2
    member = np.eye(n_dimensions)[frame.dimension_of_item]
    return squared @ (member / member.sum(axis=0))
