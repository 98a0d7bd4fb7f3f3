"""All tables of one fit, before disclosure control."""

from __future__ import annotations

import pandas as pd

from relcap_models.data.survey import Survey
from relcap_models.estimands.changes import change_table
from relcap_models.estimands.item_profiles import item_parameter_table, item_profile_table
from relcap_models.estimands.perception_gaps import perception_gap_table
from relcap_models.estimands.relation_scores import relation_score_table, relation_scores
from relcap_models.estimands.reliability import reliability_table
from relcap_models.estimands.unit_scores import unit_score_table, unit_scores
from relcap_models.estimands.variance_shares import variance_share_table
from relcap_models.inference.fit import Fit


def tables(
    fit: Fit, survey: Survey, *, ci_prob: float, gap: float, goal: float, k: int
) -> dict[str, pd.DataFrame]:
    """Every table that a fit answers, by name.

    gap : perception gaps beyond this many points matter · goal : change aimed at, in points ·
    k : of P(among the k lowest or highest)
    """
    units = unit_scores(fit)
    found = {
        "unit_scores": pd.concat(
            [unit_score_table(u, ci_prob=ci_prob, k=k) for u in units], ignore_index=True
        ),
        "variance_shares": variance_share_table(fit, ci_prob=ci_prob),
        "reliability": reliability_table(fit, ci_prob=ci_prob),
        "item_parameters": item_parameter_table(fit, ci_prob=ci_prob),
    }
    relations = None
    if "target" in fit.structure.roles:
        relations = relation_scores(fit)
        found["relation_scores"] = relation_score_table(relations, survey, ci_prob=ci_prob, k=k)
        found["perception_gaps"] = perception_gap_table(relations, ci_prob=ci_prob, delta=gap)
        found["item_profiles"] = item_profile_table(fit, ci_prob=ci_prob)
    if len(fit.frame.waves) > 1:
        found["changes"] = change_table(relations, units, ci_prob=ci_prob, goal=goal)
    return found
