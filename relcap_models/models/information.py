"""How much a design says about each unit effect before any answer: only for the sampler's geometry."""

from __future__ import annotations

import numpy as np

from relcap_models.models.frame import Frame
from relcap_models.models.structure import Structure

# Typical variances in probit units; being wrong by a factor of two costs speed, not correctness.
_RELATION, _RESPONDENT, _RATING = 0.2, 0.36, 0.25


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
