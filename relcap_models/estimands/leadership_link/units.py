"""Where each unit lies: its leadership as own staff see it, and how others experience working with it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from relcap_models.estimands.estimate import interval
from relcap_models.estimands.leadership_link.joint import outcome_of
from relcap_models.estimands.leadership_link.unit_latents import (
    expected_answers,
    rating_variance,
    unit_latents,
)
from relcap_models.inference.fit import Fit
from relcap_models.models.frame import Frame


def link_unit_table(fit: Fit, *, ci_prob: float) -> pd.DataFrame:
    """One row per unit and predictor: both figures in points, over all waves, and how their errors go along.

    Columns: analysis, unit, predictor, outcome, predictor_mean, predictor_sd, predictor_lower,
    predictor_upper, outcome_mean …, correlation (of the two in the posterior of the unit), n_staff (people
    who rated the predictor), n_raters (people of other units who rated the unit), suppressed. Units without
    either kind of answers are left out.
    """
    frame = fit.frame
    points = _points(fit, 0, fit.draws("target_effect")[:, :, :, 0].mean(axis=2), outcome_of(fit))
    staff = [role for role in fit.structure.roles if role in frame.facets]
    tables = []
    for f, predictor in enumerate(frame.facets[1:], start=1):
        effect = fit.draws("staff_effect")[:, :, :, staff.index(predictor)].mean(axis=2)
        of_predictor = _points(fit, f, effect, predictor)
        n_staff, n_raters = (
            _people(frame, frame.rater_of_rating, f),
            _people(frame, frame.target_of_rating, 0),
        )
        one, other = (x - x.mean(axis=0) for x in (of_predictor, points))
        together = (one * other).mean(axis=0) / (of_predictor.std(axis=0) * points.std(axis=0))
        table = pd.DataFrame({"analysis": fit.model.id, "unit": list(frame.units), "predictor": predictor})
        table["outcome"] = frame.facets[0]
        for name, draws in (("predictor", of_predictor), ("outcome", points)):
            mean, lower, upper = interval(draws, ci_prob=ci_prob)
            table[f"{name}_mean"], table[f"{name}_sd"] = mean, draws.std(axis=0)
            table[f"{name}_lower"], table[f"{name}_upper"] = lower, upper
        table["ci_prob"], table["correlation"] = ci_prob, together
        table["n_staff"], table["n_raters"], table["suppressed"] = n_staff, n_raters, False
        tables.append(table[(n_staff > 0) & (n_raters > 0)])
    return pd.concat(tables, ignore_index=True)


def _points(fit: Fit, facet: int, effect: np.ndarray, name: str) -> np.ndarray:
    """(S, U) expected answers about each unit, its own effect given and all else averaged over."""
    between = sum(latents.sd(name) ** 2 for latents in unit_latents(fit))
    variance = np.maximum(rating_variance(fit, facet) - between, 0.0)
    return expected_answers(fit, facet, effect, variance)[0]


def _people(frame: Frame, unit: np.ndarray, facet: int) -> np.ndarray:
    """(U,) how many different people stand behind a unit's figure about a facet."""
    here = frame.facet_of_rating == facet
    pairs = np.unique(np.column_stack([unit[here], frame.respondent_of_rating[here]]), axis=0)
    return np.bincount(pairs[:, 0], minlength=len(frame.units))
