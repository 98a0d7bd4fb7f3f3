"""How precise a design can be expected to be, before anything is fitted: rules of thumb."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from relcap_models.models.design_counts import Counts
from relcap_models.models.families import RESIDUAL_SD, partial_credit_residual
from relcap_models.models.frame import Frame
from relcap_models.models.rating_model import RatingModel
from relcap_models.models.structure import Structure

_HALF_NORMAL_MEDIAN = 0.6745
_GAMMA_MEDIAN = 0.8392


@dataclass(frozen=True)
class Precision:
    """What can be expected of one dimension if every standard deviation is the median of its prior.

    reliability : of a score at the design's median number of respondents per cell (a relation, or a unit's
        own staff)
    sd_points : posterior sd of such a score, in points of the response scale, from its own answers alone
    respondents_for_70 : respondents per cell for a reliability of .70; nan where each unit or relation has
        one, who cannot be told from it
    sd_dyadic, sd_generalised : posterior sd of the two reciprocities; nan where the design has none or
        cannot tell
    prior_sd_dyadic, prior_sd_generalised : the same before any data
    """

    dimension: str
    reliability: float
    sd_points: float
    respondents_for_70: float
    sd_dyadic: float
    sd_generalised: float
    prior_sd_dyadic: float
    prior_sd_generalised: float


def expected_precision(
    model: RatingModel, frame: Frame, structure: Structure, counts: Counts
) -> tuple[Precision, ...]:
    """One `Precision` per dimension.

    Reliability is S / (S + (V_respondent + V_rating)/n + V_residual/(n·items)), S being the variance between
    cells, with equal loadings: answers count as continuous, so few categories make it somewhat optimistic.
    The sd of a correlation from m pairs is 1/(reliability·√m), combined with that of its prior.
    """
    scale = model.latent_scale(frame)

    def variance(name: str) -> float:
        median = _GAMMA_MEDIAN if name in structure.roles else _HALF_NORMAL_MEDIAN
        return float((median * scale * getattr(model.priors, f"sd_{name}")) ** 2)

    ends = ("perceiver", "target") if "target" in structure.roles else ("perceiver",)
    relation = variance("relation") if structure.relation in ("full", "stable") else 0.0
    between = sum(variance(role) for role in ends) + relation
    within = sum(variance(name) for name in structure.within)
    if model.family == "gaussian":
        residual = (_HALF_NORMAL_MEDIAN * scale) ** 2
    elif model.family == "partial_credit":
        residual = partial_credit_residual(frame.latent_scale_of_answers**2, between + within)
    else:
        residual = RESIDUAL_SD[model.response] ** 2
    # Without it, leniency is part of what the unit's effect holds: `reliability_table` says the same.
    several = "respondent" in structure.within
    n = max(float(np.median(counts.respondents_per_cell)), 1.0)
    n_items = np.bincount(frame.dimension_of_item, minlength=len(frame.dimensions))
    prior_dyadic = 1.0 / (2.0 * model.priors.reciprocity + 1.0)
    size = len(structure.roles) * len(frame.dimensions)
    prior_generalised = 1.0 / (2.0 * (model.priors.correlation + size / 2 - 1.0) + 1.0)
    points = frame.latent_scale_of_answers / np.sqrt(between + within + residual)
    found = []
    for dimension, items in zip(frame.dimensions, n_items):
        noise = within + residual / items
        reliability = between / (between + noise / n)
        dyadic = generalised = np.nan
        if structure.reciprocal:
            particular = relation / (relation + noise / n) if relation else 1.0
            dyadic = _posterior_sd(particular, counts.n_pairs, prior_dyadic)
        # An end that is one with its relations holds what is particular to them: no rule of thumb holds.
        if "target" in structure.roles and not {"perceiver", "target"} & set(structure.relation_is):
            per_unit = max(float(np.median(counts.partners_of_unit)), 1.0)
            error = (relation + noise / n) / per_unit
            shares = [variance(role) / (variance(role) + error) for role in ends]
            generalised = _posterior_sd(
                float(np.sqrt(np.prod(shares))), counts.n_both_ways, prior_generalised
            )
        found.append(
            Precision(
                dimension=dimension,
                reliability=reliability,
                sd_points=float(points * np.sqrt(between * (1.0 - reliability))),
                respondents_for_70=float(np.ceil(0.7 / 0.3 * noise / between)) if several else np.nan,
                sd_dyadic=dyadic,
                sd_generalised=generalised,
                prior_sd_dyadic=float(np.sqrt(prior_dyadic)),
                prior_sd_generalised=float(np.sqrt(prior_generalised)),
            )
        )
    return tuple(found)


def _posterior_sd(reliability: float, n_pairs: int, prior_variance: float) -> float:
    """Of a correlation near zero between two quantities that are each measured with this reliability."""
    return float(1.0 / np.sqrt(reliability**2 * n_pairs + 1.0 / prior_variance))
