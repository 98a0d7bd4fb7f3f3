"""Perception gaps: how differently the two sides of a relation see it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from relcap_models.estimands.cells import quantities, unit_names, wave_names
from relcap_models.estimands.estimate import Estimate, by_chain, columns, interval
from relcap_models.estimands.naive import beside, naive_table, responses_of
from relcap_models.estimands.relation_scores import RelationScores

COLUMNS = columns(
    "analysis wave unit_a unit_b dimension mean sd lower upper ci_prob",
    "naive_gap n_respondents_a n_respondents_b n_ratings_a n_ratings_b suppressed",
    "ci_kind median delta prob_gap_above_delta",
    "mean_unit_adjusted lower_unit_adjusted upper_unit_adjusted prob_gap_above_delta_unit_adjusted",
    "mcse ess ess_tail rhat",
)


def perception_gap_table(estimates: RelationScores, *, ci_prob: float, delta: float) -> pd.DataFrame:
    """Score a→b minus score b→a for every pair seen from both sides in a wave, with P(|gap| > delta).

    The `_unit_adjusted` columns are about the gap that is left once both units' own leniency is that of the
    average unit. Convergence is the worst of both gaps.
    unit_a comes before unit_b in alphabetical order; `_a` counts belong to the rating a→b. `naive_gap` is
    blank where a side has no answer to an item of the dimension. Without such pairs there is no row.
    """
    fit = estimates.fit
    frame = fit.frame
    a, b = _pairs(estimates)
    if not len(a):
        return pd.DataFrame(columns=COLUMNS)
    naive = naive_table(frame, responses_of(frame), ["wave", "relation"])
    sides = [pd.DataFrame({"wave": estimates.wave[x], "relation": estimates.relation[x]}) for x in (a, b)]
    labels = pd.DataFrame(
        {
            "analysis": fit.model.id,
            "wave": wave_names(fit)[estimates.wave[a]],
            "unit_a": unit_names(fit)[frame.rater_of_relation[estimates.relation[a]]],
            "unit_b": unit_names(fit)[frame.target_of_relation[estimates.relation[a]]],
        }
    )
    parts = []
    for q, name in enumerate(quantities(fit)):
        gap = estimates.scores.points[:, a, q] - estimates.scores.points[:, b, q]
        adjusted = estimates.unit_adjusted[:, a, q] - estimates.unit_adjusted[:, b, q]
        table = Estimate(
            question="How much better does a rate the collaboration with b than b rates it with a?",
            unit="points of the response scale",
            assumptions="the two scores as defined for relations",
            draws=by_chain(gap, fit.n_chains),
            labels=labels.assign(dimension=name),
            also=[by_chain(adjusted, fit.n_chains)],
        ).table(ci_prob=ci_prob)
        for column, values in zip(("mean", "lower", "upper"), interval(adjusted, ci_prob=ci_prob)):
            table[f"{column}_unit_adjusted"] = values
        seen_a, seen_b = (beside(naive, side.assign(dimension=name)) for side in sides)
        parts.append(
            table.assign(
                delta=delta,
                prob_gap_above_delta=(np.abs(gap) > delta).mean(axis=0),
                prob_gap_above_delta_unit_adjusted=(np.abs(adjusted) > delta).mean(axis=0),
                naive_gap=seen_a["naive_mean"] - seen_b["naive_mean"],
                n_respondents_a=seen_a["n_respondents"],
                n_respondents_b=seen_b["n_respondents"],
                n_ratings_a=seen_a["n_ratings"],
                n_ratings_b=seen_b["n_ratings"],
                suppressed=False,
            )
        )
    return pd.concat(parts, ignore_index=True)[COLUMNS]


def _pairs(estimates: RelationScores) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the cells a→b and b→a of every pair rated from both sides in a wave."""
    frame = estimates.fit.frame
    position = {cell: x for x, cell in enumerate(zip(estimates.relation, estimates.wave))}
    found = []
    for (relation, wave), x in position.items():
        y = position.get((frame.partner_of_relation[relation], wave))
        a, b = frame.rater_of_relation[relation], frame.target_of_relation[relation]
        if y is not None and frame.units[a] < frame.units[b]:
            found.append((x, y))
    a, b = np.array(found, dtype=int).reshape(-1, 2).T
    return a, b
