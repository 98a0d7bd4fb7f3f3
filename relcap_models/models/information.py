"""What a design and its answers say about unit effects, roughly: only for the sampler's geometry."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri
from scipy.stats import rankdata

from relcap_models.models.frame import Frame
from relcap_models.models.structure import Structure

# Typical variances in probit units; being wrong by a factor of two costs speed, not correctness.
_RELATION, _RESPONDENT, _RATING = 0.2, 0.36, 0.25
# Standard deviation of an item's latent answer, residual included, in the same units.
_SPREAD = 1.4


def expected_information(frame: Frame, structure: Structure) -> np.ndarray:
    """(W, roles) precision with which an average unit's effect is seen in each wave, in probit units.

    One over the variance of a mean over ratings, respondents and relations.
    """
    items = len(frame.items) / len(frame.dimensions)
    respondent_part = _RESPONDENT if structure.within else 0.0
    result = np.zeros((len(frame.waves), len(structure.roles)))
    for position, role in enumerate(structure.roles):
        unit = frame.target_of_rating if role == "target" else frame.rater_of_rating
        acts = {"perceiver": np.ones_like(frame.own), "target": ~frame.own, "self": frame.own}[role]
        for wave in range(len(frame.waves)):
            here = acts & (frame.wave_of_rating == wave)
            n_ratings = _distinct(unit[here], np.flatnonzero(here), len(frame.units))
            n_respondents = _distinct(unit[here], frame.respondent_of_rating[here], len(frame.units))
            n_cells = _distinct(
                unit[here], (frame.rater_of_rating + frame.target_of_rating)[here], len(frame.units)
            )
            seen = n_ratings > 0
            if not seen.any():
                continue
            variance = (
                respondent_part / n_respondents[seen]
                + _RELATION / n_cells[seen]
                + (_RATING + 1 / items) / n_ratings[seen]
            )
            result[wave, position] = np.mean(np.append(1 / variance, np.zeros((~seen).sum())))
    return result


def _distinct(unit: np.ndarray, other: np.ndarray, n_units: int) -> np.ndarray:
    """(U,) number of distinct `other` per unit."""
    pairs = np.unique(np.column_stack([unit, other]), axis=0)
    return np.bincount(pairs[:, 0], minlength=n_units).astype(float)


def rough_unit_effects(frame: Frame, structure: Structure) -> np.ndarray:
    """(U, W, roles, D) effects by least squares on normal scores, in probit units, with mean 0 over units."""
    n_units, n_waves, n_roles = len(frame.units), len(frame.waves), len(structure.roles)
    n_dimensions = len(frame.dimensions)
    score = _rating_scores(frame)
    member = np.zeros((frame.n_ratings, n_units * n_waves * n_roles))
    rows = np.arange(frame.n_ratings)
    seen_from = (frame.rater_of_rating * n_waves + frame.wave_of_rating) * n_roles
    member[rows, seen_from] = 1.0
    if "target" in structure.roles:
        other = (frame.target_of_rating * n_waves + frame.wave_of_rating) * n_roles + 1
        column = np.where(frame.own, seen_from + 2, other) if "self" in structure.roles else other
        member[rows, column] = 1.0
    effects = np.zeros((member.shape[1], n_dimensions))
    for dimension in range(n_dimensions):
        answered = np.isfinite(score[:, dimension])
        here, y = member[answered], score[answered, dimension]
        effects[:, dimension] = np.linalg.solve(here.T @ here + np.eye(here.shape[1]), here.T @ y)
    effects = effects.reshape(n_units, n_waves, n_roles, n_dimensions)
    return effects - effects.mean(axis=0)


def _rating_scores(frame: Frame) -> np.ndarray:
    """(N, D) mean over a rating's answers of their normal scores; NaN where a dimension has no answer."""
    score = np.empty(len(frame.answer))
    for item in range(len(frame.items)):
        here = frame.item_of_response == item
        rank = rankdata(frame.answer[here])
        score[here] = _SPREAD * ndtri((rank - 0.5) / len(rank))
    n_dimensions = len(frame.dimensions)
    slot = frame.rating_of_response * n_dimensions + frame.dimension_of_item[frame.item_of_response]
    size = frame.n_ratings * n_dimensions
    count = np.bincount(slot, minlength=size)
    total = np.bincount(slot, score, minlength=size)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan).reshape(frame.n_ratings, n_dimensions)
