"""From draws of effects to latent means and expected answers on the response scale."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from relcap_models.models.families import exceedance, gaussian_exceedance
from relcap_models.models.frame import Frame
from relcap_models.models.structure import Structure

Draws = Callable[[str], np.ndarray]
"""Name of a kept quantity → (S, …) draws of it."""


def relation_location(
    draws: Draws, frame: Frame, structure: Structure, *, perceiver: bool = True
) -> np.ndarray:
    """Latent mean of every relation in every wave: (S, R, W, D).

    μ + xβ + perceiver + target + relation (+ district × wave at both ends); `perceiver=False` sets the
    rater's end to the average of the units that rate others.
    """
    rater, target = frame.rater_of_relation, frame.target_of_relation
    location = draws("mu")[:, None] + draws("target_effect")[:, target]
    location = location + district_shock(draws, frame, structure, "district_target")[:, target]
    if structure.relation != "none":
        location = location + draws("relation_effect")
    if perceiver:
        location = location + draws("perceiver_effect")[:, rater]
        location = location + district_shock(draws, frame, structure, "district_perceiver")[:, rater]
    else:
        location = location + typical_end(draws, frame, structure, "perceiver")
    if frame.covariates:
        location = location + np.einsum("rwc,scd->srwd", frame.covariates_of_relation, draws("beta"))
    return location


def typical_end(draws: Draws, frame: Frame, structure: Structure, role: str) -> np.ndarray:
    """What the average unit brings as `perceiver` or `target`, its district's shock included: (S, 1, W, D).

    Of the units that rate others, or are rated: in half-block designs the rest is known from the prior alone.
    """
    stands = np.unique(frame.rater_of_relation if role == "perceiver" else frame.target_of_relation)
    shock = district_shock(draws, frame, structure, f"district_{role}")
    return (draws(f"{role}_effect") + shock)[:, stands].mean(axis=1, keepdims=True)


def own_location(draws: Draws, frame: Frame, structure: Structure) -> np.ndarray:
    """Latent mean of every unit's ratings of itself in every wave: (S, U, W, D)."""
    mixed = "self" in structure.roles
    location = draws("mu_own" if mixed else "mu")[:, None] + draws("perceiver_effect")
    location = location + district_shock(draws, frame, structure, "district_perceiver")
    return location + draws("self_effect") if mixed else location


def district_shock(draws: Draws, frame: Frame, structure: Structure, name: str) -> np.ndarray:
    """(S, U, W, D) shock of each unit's district in each wave; zeros where there is none."""
    n_waves, n_dimensions = len(frame.waves), len(frame.dimensions)
    if not any(grouping.name == name for grouping in structure.districts):
        return np.zeros((1, len(frame.units), n_waves, n_dimensions))
    effect = draws(f"{name}_effect")
    effect = effect.reshape(len(effect), -1, n_waves, n_dimensions)[:, frame.district_of_unit]
    return np.where((frame.district_of_unit >= 0)[None, :, None, None], effect, 0.0)


def noise_covariance(draws: Draws, structure: Structure, n_dimensions: int) -> np.ndarray:
    """(S, D, D) covariance that a score averages over: respondents and ratings within a unit."""
    parts = [draws(f"cov_{name}") for name in structure.within]
    return sum(parts) if parts else np.zeros((1, n_dimensions, n_dimensions))


def unit_covariance(draws: Draws, structure: Structure, role: str, n_dimensions: int) -> np.ndarray:
    """(S, D, D) covariance over dimensions of one unit effect."""
    start = structure.roles.index(role) * n_dimensions
    block = slice(start, start + n_dimensions)
    sd = draws("sd_unit")[:, block]
    return draws("corr_unit")[:, block, block] * sd[:, :, None] * sd[:, None, :]


def item_expectation(
    draws: Draws, frame: Frame, response: str, location: np.ndarray, variance: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Expected answer and P(favourable) of each item at given latent means, averaged over normal noise.

    Parameters
    ----------
    response : probit, logit, partial_credit or gaussian
    location : (S, X, D) latent means of X cells · variance : (S, D) or (1, D) of the noise

    Returns
    -------
    expected : (S, X, I) in points of each item's scale · favourable : (S, X, I) share
    """
    n_draws, n_cells = location.shape[:2]
    shape = (n_draws, n_cells, len(frame.items))
    expected, favourable = np.empty(shape), np.empty(shape)
    loading = draws("loading")
    for i, d in enumerate(frame.dimension_of_item):
        here = loading[:, i, None] * location[:, :, d]
        spread = loading[:, i, None] ** 2 * variance[:, d, None]
        lowest, cut = frame.minimum_of_item[i], frame.favourable_category[i]
        if response == "gaussian":
            expected[:, :, i] = lowest + draws("intercept")[:, i, None] + here
            favourable[:, :, i] = gaussian_exceedance(
                draws("intercept")[:, i, None] + here, spread, draws("residual_sd")[:, i, None], cut
            )
            continue
        start, n = frame.first_threshold[i], frame.n_categories[i]
        thresholds = draws("threshold")[:, None, start : start + n - 1]
        above = exceedance(response, here, np.broadcast_to(spread, here.shape), thresholds)
        expected[:, :, i] = lowest + above.sum(axis=-1)
        favourable[:, :, i] = above[:, :, cut - 1]
    return expected, favourable
