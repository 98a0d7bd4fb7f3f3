"""From the Gaussian approximation to draws of everything that a fit keeps."""

from __future__ import annotations

import numpy as np

from relcap_models.inference.fast.covariances import Covariances
from relcap_models.inference.fast.items import Items
from relcap_models.inference.fast.mixed_design import MixedDesign
from relcap_models.models.density_blocks import named_unit_effects
from relcap_models.models.frame import Frame
from relcap_models.models.structure import Structure, latents_of_roles


def kept(
    covariances: Covariances,
    items: Items,
    design: MixedDesign,
    frame: Frame,
    structure: Structure,
    *,
    theta: np.ndarray,
    vector: np.ndarray,
    effects: np.ndarray,
) -> dict[str, np.ndarray]:
    """Quantities of `kept.KEPT_DIMS`, each with a first axis of draws.

    theta : (S, p) · vector : (S, q) item parameters · effects : (S, E) as `MixedDesign` orders them
    """
    S, D, W, U = len(theta), len(frame.dimensions), len(frame.waves), len(frame.units)
    named = _covariance_draws(covariances, structure, theta, D)
    vector = items.centred(vector)
    loading, location, residual = items.values(vector)

    L, several = frame.n_latents, len(frame.facets) > 1
    mu = np.zeros((S, W, L))
    mu += effects[:, None, :L]
    at = design.at
    mu_own = mu.copy()
    if "mu_later" in at:
        later = effects[:, at["mu_later"] : at["mu_later"] + (W - 1) * L].reshape(S, W - 1, L)
        mu[:, 1:] += later
    if "mu_own" in at:
        mu_own += effects[:, at["mu_own"] : at["mu_own"] + W * D].reshape(S, W, D)
    if "beta" in at:
        n = len(frame.covariates)
        named["beta"] = effects[:, at["beta"] : at["beta"] + n * D].reshape(S, n, D)
    # Means over units and relations belong to the location: effects are deviations from them.
    by_role = effects[:, design.units].reshape(S, U, W, len(structure.roles), D)
    centre = by_role.mean(axis=1)
    by_role = by_role - centre[:, None]
    named |= named_unit_effects(by_role, structure.roles)
    latents = latents_of_roles(frame, structure).reshape(-1, D)
    for k, role in enumerate(structure.roles):
        if role != "self":
            mu[:, :, latents[k]] += centre[:, :, k]
        if role != "target":
            mu_own[:, :, latents[k]] += centre[:, :, k]
    if structure.relation != "none":
        relation = effects[:, design.relations].reshape(S, frame.n_relations, -1, D)
        relation = np.broadcast_to(relation, (S, frame.n_relations, W, D))
        centre = relation.mean(axis=1)
        named["relation_effect"] = relation - centre[:, None]
        mu[:, :, :D] += centre
    for name, district in design.districts.items():
        contrasts = effects[:, district.where].transpose(1, 0, 2).reshape(len(district.where), -1)
        named[f"{name}_effect"] = (district.basis @ contrasts).reshape(-1, S, D).transpose(1, 0, 2)
    # The reference wave is 0: the thresholds take up where it lies.
    first = mu[:, :1].copy()
    named["mu_facet" if several else "mu"] = mu - first
    if "mu_own" in at:
        named["mu_own"] = mu_own - first
    shift = loading * first[:, 0, frame.latent_of_item]
    named["loading"] = loading
    if items.family == "gaussian":
        named |= {"intercept": location + shift, "residual_sd": residual}
    else:
        named["threshold"] = location - shift[:, frame.item_of_threshold]
    return named


def _covariance_draws(
    covariances: Covariances, structure: Structure, theta: np.ndarray, D: int
) -> dict[str, np.ndarray]:
    parts: dict[str, list[np.ndarray]] = {}
    suffixes = {grouping.name: grouping.suffix for grouping in (*structure.respondents, *structure.districts)}

    def keep(name: str, value: np.ndarray | float) -> None:
        parts.setdefault(name, []).append(np.array(value, dtype=float))

    for x in theta:
        values = covariances.values(x)
        for name, value in covariances.unit.covariance.report(values).items():
            keep(name, value)
        relation = covariances.relation
        if relation is not None:
            matrices = covariances.matrices(x)
            keep("sd_relation", values["sd_relation"])
            keep("cov_relation", matrices["alone"][:D, :D])
            if relation.reciprocal:
                keep("dyadic_reciprocity", 2 * values["dyadic_reciprocity_01"] - 1)
            for name, value in relation.waves.report(values).items():
                keep(name, value)
        for name, scaled in covariances.grouped.items():
            factor = scaled.forward(values, values[f"sd_{name}"])
            keep(f"sd_{name}{suffixes[name]}", values[f"sd_{name}"])
            keep(f"cov_{name}{suffixes[name]}", factor @ factor.T)
    return {name: np.stack(values) for name, values in parts.items()}
