"""The generative story in plain NumPy: effects and answers given parameters.

Never through the graph or the density, and with none of their code: it is the oracle that they are tested
against.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from relcap_models.models.families import RESIDUAL_SD, draw_answers
from relcap_models.models.frame import Frame
from relcap_models.models.structure import Grouping, Structure

Parameters = Mapping[str, np.ndarray]
"""Name to value: `mu` (W, D), or (W, F) where there are facets, `mu_own` (W, D), `beta` (C, D), `sd_unit` and
`corr_unit` over role × dimension, `sd_relation` (D,), `dyadic_reciprocity` (D,), `corr_pair_sum`,
`corr_pair_difference` or `corr_relation` (D, D), `stability_unit`, `memory_unit`, `stability_relation`,
`memory_relation` (numbers), `sd_NAME` (D,) and `corr_NAME` (D, D) of each grouping, or (F,) and (F, F),
`loading` (I,), and `threshold` (flat) or `intercept` and `residual_sd` (I,). With facets and waves, in place
of `sd_unit` and `corr_unit`: `sd_unit_PART` and `corr_unit_PART` of the parts stable, wave and, from three
waves on, innovation, and `lagged` (P, P)."""


@dataclass(frozen=True)
class Told:
    """One world: the effects that a fit keeps, by the same names, latent ratings (N, D), answers (M,)."""

    effects: dict[str, np.ndarray]
    eta: np.ndarray
    answer: np.ndarray


def tell(
    frame: Frame, structure: Structure, response: str, parameters: Parameters, rng: np.random.Generator
) -> Told:
    """Draw the effects and then the answers of everyone in the frame.

    response : probit, logit, partial_credit or gaussian. Answers are 0-based categories, or numbers
    in the gaussian family.
    """
    effects = _unit_effects(frame, structure, parameters, rng)
    rater, target, wave = frame.rater_of_rating, frame.target_of_rating, frame.wave_of_rating
    other = ~frame.own[:, None]
    if len(frame.facets) > 1:
        eta = _of_facets(frame, effects, parameters)
    else:
        eta = parameters["mu"][wave] + effects["perceiver_effect"][rater, wave]
    if "mu_own" in parameters:
        eta = np.where(other, eta, parameters["mu_own"][wave] + effects["perceiver_effect"][rater, wave])
    if frame.covariates:
        eta = eta + frame.covariates_of_rating @ parameters["beta"]
    if "target" in structure.roles:
        eta = eta + other * effects["target_effect"][target, wave]
    if "self" in structure.roles:
        eta = eta + ~other * effects["self_effect"][rater, wave]
    if structure.relation != "none":
        effects["relation_effect"] = _relation_effects(frame, structure, response, parameters, rng)
        eta = eta + other * effects["relation_effect"][frame.relation_of_rating, wave]
    for grouping in (*structure.respondents, *structure.districts):
        drawn = _grouped_effects(grouping, parameters, rng)
        if grouping.n_facets > 1:
            eta = eta + drawn[grouping.group_of_rating, frame.facet_of_rating][:, None]
            continue
        if grouping in structure.districts:
            drawn = _centred(drawn, grouping.stratum_of_group)
        eta = eta + np.where((grouping.group_of_rating >= 0)[:, None], drawn[grouping.group_of_rating], 0.0)
        if grouping in structure.districts:
            effects[f"{grouping.name}_effect"] = drawn
    if len(frame.facets) > 1:
        staff = [effects.pop(f"{role}_effect") for role in structure.roles if role in frame.facets]
        effects["staff_effect"] = np.concatenate(staff, axis=2)
    return Told(effects, eta, _answers(frame, response, parameters, eta, rng))


def _of_facets(frame: Frame, effects: dict[str, np.ndarray], parameters: Parameters) -> np.ndarray:
    """(N, 1) location and what the rater's unit brings, which depends on what the rating is about."""
    rater, wave = frame.rater_of_rating, frame.wave_of_rating
    eta = np.zeros((frame.n_ratings, 1))
    for f, facet in enumerate(frame.facets):
        role = "perceiver" if f == 0 and "perceiver_effect" in effects else facet
        here = frame.facet_of_rating == f
        staff = effects[f"{role}_effect"][rater[here], wave[here], 0]
        eta[here, 0] = parameters["mu"][wave[here], f] + staff
    return eta


def _unit_effects(
    frame: Frame, structure: Structure, parameters: Parameters, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    n_units, n_waves = len(frame.units), len(frame.waves)
    if "sd_unit" in parameters:
        sd = parameters["sd_unit"]
        between = _between_waves(parameters, "unit", n_waves)
        covariance = np.kron(between, parameters["corr_unit"] * np.outer(sd, sd))
    else:
        covariance = _stable_and_within(parameters, n_waves)
    raw = _normal(covariance, n_units, rng)
    raw = (raw - raw.mean(axis=0)).reshape(n_units, n_waves, len(structure.roles), len(frame.dimensions))
    return {f"{role}_effect": raw[:, :, k] for k, role in enumerate(structure.roles)}


def _stable_and_within(parameters: Parameters, n_waves: int) -> np.ndarray:
    """(W·P, W·P) covariance of s + δ_w, where δ_w is lagged·δ_{w−1} and an innovation."""

    def part(name: str) -> np.ndarray:
        sd = parameters[f"sd_unit_{name}"]
        return parameters[f"corr_unit_{name}"] * np.outer(sd, sd)

    size = len(parameters["sd_unit_stable"])
    lagged = parameters["lagged"] if n_waves > 2 else np.zeros((size, size))
    # δ of all waves as a linear map of the first wave's and of the innovations.
    innovations = [part("wave")] + [part("innovation" if n_waves > 2 else "wave")] * (n_waves - 1)
    whole = np.zeros((n_waves, size, n_waves, size))
    for source, covariance in enumerate(innovations):
        reach = [np.linalg.matrix_power(lagged, v - source) if v >= source else None for v in range(n_waves)]
        for v in range(source, n_waves):
            for w in range(source, n_waves):
                whole[v, :, w] += reach[v] @ covariance @ reach[w].T
    return np.tile(part("stable"), (n_waves, n_waves)) + whole.reshape(n_waves * size, n_waves * size)


def _between_waves(parameters: Parameters, name: str, n_waves: int) -> np.ndarray:
    if n_waves == 1:
        return np.ones((1, 1))
    stable = float(parameters[f"stability_{name}"])
    memory = float(parameters[f"memory_{name}"]) if n_waves > 2 else 0.0
    lag = np.abs(np.subtract.outer(np.arange(n_waves), np.arange(n_waves)))
    return stable + (1 - stable) * np.where(lag == 0, 1.0, memory**lag)


def _relation_effects(
    frame: Frame, structure: Structure, response: str, parameters: Parameters, rng: np.random.Generator
) -> np.ndarray:
    """(R, W, D). Pairs are p ± q; where relation and residual are one, only what a pair shares is drawn."""
    n_waves, n_dimensions = len(frame.waves), len(frame.dimensions)
    between = _between_waves(parameters, "relation", n_waves if structure.relation == "full" else 1)
    sd = parameters["sd_relation"] if structure.relation != "residual" else None
    if not structure.reciprocal:
        parts = {"alone": parameters["corr_relation"] * np.outer(sd, sd)}
    else:
        reciprocity = parameters["dyadic_reciprocity"]
        share = (1 + reciprocity) / 2
        if sd is None:
            items = [np.flatnonzero(frame.dimension_of_item == d)[0] for d in range(n_dimensions)]
            residual = parameters["residual_sd"][items] if response == "gaussian" else RESIDUAL_SD[response]
            sd = residual * np.sqrt(np.abs(reciprocity) / (1 - np.abs(reciprocity)))
            share = (reciprocity > 0).astype(float)
        spreads = {"pair_sum": sd * np.sqrt(share), "pair_difference": sd * np.sqrt(1 - share)}
        parts = {name: parameters[f"corr_{name}"] * np.outer(s, s) for name, s in spreads.items()}

    def draw(n: int, covariance: np.ndarray) -> np.ndarray:
        full = np.kron(between, covariance)
        drawn = _normal(full, n, rng).reshape(n, len(between), -1)
        return np.broadcast_to(drawn, (n, n_waves, n_dimensions))

    shared = draw(frame.n_relations, sum(parts.values()))
    opposed = np.zeros_like(shared)
    first = np.flatnonzero(frame.partner_of_relation > np.arange(frame.n_relations))
    if len(first):
        second = frame.partner_of_relation[first]
        both, apart = draw(len(first), parts["pair_sum"]), draw(len(first), parts["pair_difference"])
        shared = shared.copy()
        shared[first], shared[second] = both, both
        opposed[first], opposed[second] = apart, -apart
    # The model centres what a pair shares and not its difference, whose sign means nothing.
    return shared - shared.mean(axis=0) + opposed


def _grouped_effects(grouping: Grouping, parameters: Parameters, rng: np.random.Generator) -> np.ndarray:
    """(G, D) a draw for each group."""
    sd = parameters[f"sd_{grouping.name}"]
    covariance = parameters[f"corr_{grouping.name}"] * np.outer(sd, sd)
    return _normal(covariance, grouping.n_groups, rng)


def _normal(covariance: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """(n, K) draws around 0, the same ones on every processor: the symmetric root is unique, and that which
    NumPy's own draws use is so only up to signs and rotations."""
    variances, axes = np.linalg.eigh(covariance)
    root = (axes * np.sqrt(np.maximum(variances, 0.0))) @ axes.T
    return rng.standard_normal((n, len(covariance))) @ root


def _centred(drawn: np.ndarray, stratum_of_group: np.ndarray) -> np.ndarray:
    """Districts are a finite population: their shocks of a wave have the mean 0."""
    drawn = drawn.copy()
    for stratum in np.unique(stratum_of_group):
        where = stratum_of_group == stratum
        drawn[where] -= drawn[where].mean(axis=0)
    return drawn


def _answers(
    frame: Frame, response: str, parameters: Parameters, eta: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    answer = np.empty(len(frame.answer))
    for i, d in enumerate(frame.dimension_of_item):
        here = frame.item_of_response == i
        location = parameters["loading"][i] * eta[frame.rating_of_response[here], d]
        if response == "gaussian":
            noise = rng.standard_normal(here.sum())
            answer[here] = parameters["intercept"][i] + location + parameters["residual_sd"][i] * noise
        else:
            start = frame.first_threshold[i]
            cuts = parameters["threshold"][start : start + frame.n_categories[i] - 1]
            answer[here] = draw_answers(response, location, cuts, rng)
    return answer
