"""Reliability of a score, and the D-study: how many respondents it takes."""

from __future__ import annotations

import numpy as np
import pandas as pd

from relcap_models.estimands.cells import quantities
from relcap_models.estimands.estimate import Estimate, by_chain, columns
from relcap_models.estimands.score_variance import latent_covariance, latent_scale, response_scale
from relcap_models.inference.fit import Fit

COLUMNS = columns(
    "analysis dimension comparison scale quantity n_respondents mean sd lower upper ci_prob",
    "ci_kind median mcse ess ess_tail rhat",
)
MOST_RESPONDENTS = 30
GOALS = (0.70, 0.80)


def reliability_table(fit: Fit, *, ci_prob: float) -> pd.DataFrame:
    """Reliability of a score at 1 … 30 respondents, and the respondents needed for .70 and .80.

    S / (S + E/n): S the variance of true scores, E that of one respondent's score around them. For one
    dimension on the latent scale, with η as unit, E is V_respondent + V_rating + Iψ/(Σλ)². Generalisability
    theory (Cronbach et al. 1972; Brennan 2001).

    dimension : each, and `overall`, the mean of all items
    scale : `latent`, of the items' latent answers; `response`, of the answers in points
    comparison : `all_relations`; `within_rater_unit`, the relations of one unit, whose leniency is the same
        for all (on the response scale averaged over units), where a unit rates two others in a wave;
        `units` (climate)
    quantity : `reliability` at n_respondents; `respondents_for_0.70` and `_0.80`, to be rounded up, with
        n_respondents blank

    With one respondent per unit or relation, persons cannot be told from what they rate, so there is only the
    reliability at one respondent; with one answer to one item per relation there is none.
    """
    covariance = latent_covariance(fit)
    if covariance is None:
        return pd.DataFrame(columns=COLUMNS)
    several = "respondent" in fit.structure.within
    n = np.arange(1, MOST_RESPONDENTS + 1 if several else 2)
    goals = GOALS if several else ()
    rows = pd.DataFrame(
        {
            "analysis": fit.model.id,
            "quantity": ["reliability"] * len(n) + [f"respondents_for_{goal:.2f}" for goal in goals],
            "n_respondents": pd.array([*n, *[None] * len(goals)], dtype="Int64"),
        }
    )
    parts = []
    for scale, variances in (("latent", latent_scale), ("response", response_scale)):
        found = variances(fit, covariance)
        for comparison, true in found.true.items():
            for q, name in enumerate(quantities(fit)):
                ratio = found.error[:, q] / true[:, q]
                draws = [
                    1 / (1 + ratio[:, None] / n),
                    *(goal / (1 - goal) * ratio[:, None] for goal in goals),
                ]
                parts.append(
                    Estimate(
                        question="How reliable is the score with so many respondents?",
                        unit="share of variance, or respondents",
                        assumptions="respondents are exchangeable within a unit",
                        draws=by_chain(np.column_stack(draws), fit.n_chains),
                        labels=rows.assign(dimension=name, comparison=comparison, scale=scale),
                    ).table(ci_prob=ci_prob)
                )
    return pd.concat(parts, ignore_index=True)[COLUMNS]
