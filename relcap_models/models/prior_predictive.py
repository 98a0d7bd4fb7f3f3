"""What the priors say before any answer is seen: parameters, effects and answers drawn from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.linalg import sqrtm

from relcap_models.models.density_covariance import unit_spreads
from relcap_models.models.families import RESIDUAL_SD, partial_credit_residual
from relcap_models.models.frame import Frame
from relcap_models.models.latent import item_expectation, own_location, relation_location
from relcap_models.models.priors import Priors
from relcap_models.models.rating_model import RatingModel
from relcap_models.models.story import Told, tell
from relcap_models.models.structure import Structure


@dataclass(frozen=True)
class PriorPredictive:
    """Worlds drawn from the priors.

    parameters : one dictionary a draw; names and shapes as in `story.Parameters`
    worlds : one `Told` a draw
    summary : what each world implies, one row a draw, over all items and dimensions. `sd_unit_means`: sd
        of the units' mean answers (as seen by others; by own staff for climate) · `sd_scores`,
        `range_scores`: sd and 5–95 % range of relation (or unit) scores · `top`, `bottom`: share of
        answers in the highest and lowest category · `widest`: share of the commonest category of the item
        that is most one-sided · `share_between`: share of latent variance that lies between relations (or
        units)
    """

    parameters: tuple[dict[str, np.ndarray], ...]
    worlds: tuple[Told, ...]
    summary: pd.DataFrame


def prior_predictive(model: RatingModel, frame: Frame, *, n: int, seed: int) -> PriorPredictive:
    """Draw `n` worlds on the frame of a design; its answers serve only to scale a gaussian family."""
    rng = np.random.default_rng(seed)
    structure = model.structure(frame)
    parameters = tuple(draw_parameters(model, frame, rng) for _ in range(n))
    worlds = tuple(tell(frame, structure, model.response, p, rng) for p in parameters)
    rows = [_implied(model, frame, structure, p, world) for p, world in zip(parameters, worlds)]
    return PriorPredictive(parameters, worlds, pd.DataFrame(rows))


def draw_parameters(model: RatingModel, frame: Frame, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """One draw of everything above the effects, from the model's priors."""
    priors, scale, structure = model.priors, model.latent_scale(frame), model.structure(frame)
    n_waves, n_dimensions, n_items = len(frame.waves), len(frame.dimensions), len(frame.items)

    def half_normal(name: str, size: int) -> np.ndarray:
        return np.abs(rng.normal(0.0, getattr(priors, name) * scale, size))

    later = rng.normal(0.0, priors.mean * scale, (n_waves - 1, frame.n_latents))
    drawn = {"mu": np.concatenate([np.zeros((1, frame.n_latents)), later])}
    if "self" in structure.roles:
        drawn["mu_own"] = rng.normal(0.0, priors.mean * scale, (n_waves, n_dimensions))
    if frame.covariates:
        drawn["beta"] = rng.normal(0.0, priors.covariate * scale, (len(frame.covariates), n_dimensions))
    drawn |= draw_unit_parameters(frame, structure, priors, scale, rng)
    roles: dict[str, int] = {}
    changing = ["relation"] if structure.relation == "full" else []
    changing += ["unit"] if "sd_unit" in drawn else []
    if structure.relation in ("full", "stable"):
        drawn["sd_relation"] = half_normal("sd_relation", n_dimensions)
    if structure.relation != "none":
        names = ("pair_sum", "pair_difference") if structure.reciprocal else ("relation",)
        roles |= dict.fromkeys(names, 1)
        if structure.reciprocal:
            drawn["dyadic_reciprocity"] = 2 * rng.beta(*2 * [priors.reciprocity], n_dimensions) - 1
    for grouping in (*structure.respondents, *structure.districts):
        prior = "sd_district" if grouping in structure.districts else f"sd_{grouping.name}"
        drawn[f"sd_{grouping.name}"] = half_normal(prior, grouping.n_facets * n_dimensions)
        roles[grouping.name] = grouping.n_facets
    drawn |= {
        f"corr_{name}": draw_correlation(1, n_facets * n_dimensions, priors, rng)
        for name, n_facets in roles.items()
    }
    for name in changing:
        if n_waves > 1:
            drawn[f"stability_{name}"] = np.asarray(rng.beta(priors.stability, priors.stability))
        if n_waves > 2:
            drawn[f"memory_{name}"] = np.asarray(rng.beta(1.0, priors.memory))
    log_loading = rng.normal(0.0, priors.log_loading, n_items) * (model.loadings == "free")
    mean = np.bincount(frame.latent_of_item, log_loading) / np.bincount(frame.latent_of_item)
    drawn["loading"] = np.exp(log_loading - mean[frame.latent_of_item])
    if model.family == "gaussian":
        drawn["intercept"] = rng.normal(frame.answer.mean(), 2 * scale, n_items)
        drawn["residual_sd"] = np.abs(rng.normal(0.0, scale, n_items))
        return drawn
    cuts = [rng.normal(0.0, priors.threshold * scale, k - 1) for k in frame.n_categories]
    # Normals conditioned on their order are sorted normals; partial credit steps have no order.
    drawn["threshold"] = np.concatenate([c if model.family == "partial_credit" else np.sort(c) for c in cuts])
    return drawn


def draw_unit_parameters(
    frame: Frame, structure: Structure, priors: Priors, scale: float, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """One draw of the covariances of a unit's effects, of one wave or of stable parts and deviations."""
    n_waves, D = len(frame.waves), len(frame.dimensions)
    spread = unit_spreads(structure.roles, D, priors, scale)
    parts = {"unit": spread}
    if len(frame.facets) > 1 and n_waves > 1:
        names = ("unit_stable", "unit_wave", "unit_innovation")[: min(n_waves, 3)]
        parts = dict.fromkeys(names, np.sqrt(0.5) * spread)
    drawn: dict[str, np.ndarray] = {}
    for name, means in parts.items():
        drawn[f"sd_{name}"] = rng.gamma(2.0, means / 2)
        drawn[f"corr_{name}"] = draw_correlation(len(structure.roles), D, priors, rng)
    if "unit" not in parts and n_waves > 2:
        drawn["lagged"] = rng.normal(0.0, priors.lagged, (len(spread), len(spread)))
    return drawn


def draw_correlation(n_roles: int, n_dimensions: int, priors: Priors, rng: np.random.Generator) -> np.ndarray:
    """A correlation matrix over role × dimension from its prior: LKJ around the reference."""
    reference = np.full((n_dimensions, n_dimensions), priors.dimension_correlation)
    np.fill_diagonal(reference, 1.0)
    root = np.kron(np.eye(n_roles), np.real(sqrtm(reference)))
    moved = root @ _lkj(n_roles * n_dimensions, priors.correlation, rng) @ root
    sd = np.sqrt(np.diag(moved))
    return moved / np.outer(sd, sd)


def _lkj(size: int, eta: float, rng: np.random.Generator) -> np.ndarray:
    """A correlation matrix from LKJ(eta), by the onion method (Lewandowski, Kurowicka & Joe 2009)."""
    root = np.eye(size)
    shape = eta + (size - 1) / 2
    for k in range(1, size):
        shape -= 0.5
        direction = rng.standard_normal(k)
        share = rng.beta(k / 2, shape)
        root[k, :k] = np.sqrt(share) * direction / np.linalg.norm(direction)
        root[k, k] = np.sqrt(1 - share)
    return root @ root.T


def _implied(
    model: RatingModel, frame: Frame, structure: Structure, parameters: dict[str, np.ndarray], world: Told
) -> dict[str, float]:
    top = frame.n_categories[frame.item_of_response] - 1
    others = "target" in structure.roles
    used = ~frame.own[frame.rating_of_response] if others else np.ones(len(top), dtype=bool)
    unit = (frame.target_of_rating if others else frame.rater_of_rating)[frame.rating_of_response]
    of_answers = {
        "sd_unit_means": float(pd.Series(world.answer[used]).groupby(unit[used]).mean().std()),
        "top": float(np.mean(world.answer >= top)),
        "bottom": float(np.mean(world.answer <= 0)),
        "widest": max(
            float(
                pd.Series(world.answer[frame.item_of_response == i])
                .round()
                .value_counts(normalize=True)
                .max()
            )
            for i in np.unique(frame.item_of_response)
        ),
    }
    # A model of several instruments has no one score.
    if len(frame.facets) > 1:
        return of_answers
    return of_answers | _of_scores(model, frame, structure, parameters, world)


def _of_scores(
    model: RatingModel, frame: Frame, structure: Structure, parameters: dict[str, np.ndarray], world: Told
) -> dict[str, float]:
    quantities = parameters | world.effects

    def one_draw(name: str) -> np.ndarray:
        return quantities[name][None]

    n_dimensions = len(frame.dimensions)
    noise = sum((parameters[f"sd_{name}"] ** 2 for name in structure.within), np.zeros(n_dimensions))
    others = "target" in structure.roles
    locate = relation_location if others else own_location
    location = locate(one_draw, frame, structure).reshape(1, -1, n_dimensions)
    expected, _ = item_expectation(one_draw, frame, model.response, location, noise[None])
    scores = expected[0].mean(axis=-1)
    between = sum(parameters["sd_unit"][: (1 + others) * n_dimensions].reshape(-1, n_dimensions) ** 2)
    between = between + parameters.get("sd_relation", np.zeros(n_dimensions)) ** 2
    if model.family == "gaussian":
        residual = float(np.mean(parameters["residual_sd"] ** 2))
    elif model.family == "partial_credit":
        of_answers = pd.Series(world.answer).groupby(frame.item_of_response).var().mean()
        residual = partial_credit_residual(float(of_answers), float(np.mean(between + noise)))
    else:
        residual = RESIDUAL_SD[model.response] ** 2
    return {
        "sd_scores": float(scores.std()),
        "range_scores": float(np.subtract(*np.quantile(scores, [0.95, 0.05]))),
        "share_between": float(np.mean(between / (between + noise + residual))),
    }
