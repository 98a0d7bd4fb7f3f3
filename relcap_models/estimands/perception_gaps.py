"""Perception gaps: how differently the two sides of a relation see it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from relcap_models.estimands.cells import quantities
from relcap_models.estimands.estimate import Estimate, by_chain, interval
from relcap_models.estimands.naive import naive_table, responses_of
from relcap_models.estimands.relation_scores import RelationScores

COLUMNS = [
    "analysis",
    "wave",
    "unit_a",
    "unit_b",
    "dimension",
    "mean",
    "sd",
    "lower",
    "upper",
    "ci_prob",
    "naive_gap",
    "n_respondents_a",
    "n_respondents_b",
    "n_ratings_a",
    "n_ratings_b",
    "suppressed",
    "ci_kind",
    "median",
    "delta",
    "prob_gap_above_delta",
    "mean_unit_adjusted",
    "lower_unit_adjusted",
    "upper_unit_adjusted",
    "mcse",
    "ess",
    "ess_tail",
    "rhat",
]


def perception_gap_table(estimates: RelationScores, *, ci_prob: float, delta: float) -> pd.DataFrame:
    """Score a→b minus score b→a for every pair seen from both sides in a wave, with P(|gap| > delta).

    unit_a comes before unit_b in alphabetical order; `_a` counts belong to the rating a→b.
    """
    fit = estimates.fit
    frame = fit.frame
    cell = {(r, w): x for x, (r, w) in enumerate(zip(estimates.relation, estimates.wave))}
    pairs = []
    for (r, w), x in cell.items():
        partner = cell.get((frame.partner_of_relation[r], w))
        if (
            partner is not None
            and frame.units[frame.rater_of_relation[r]] < frame.units[frame.target_of_relation[r]]
        ):
            pairs.append((x, partner))
    if not pairs:
        return pd.DataFrame(columns=COLUMNS)
    a, b = np.array(sorted(pairs)).T
    units, waves = np.array(frame.units, dtype=object), np.array(frame.waves, dtype=object)
    naive = naive_table(frame, responses_of(frame), ["wave", "rater", "target"]).set_index(
        ["wave", "rater", "target", "dimension"]
    )
    parts = []
    for q, name in enumerate(quantities(fit)):
        gap = estimates.scores.points[:, a, q] - estimates.scores.points[:, b, q]
        adjusted = estimates.unit_adjusted.points[:, a, q] - estimates.unit_adjusted.points[:, b, q]
        labels = pd.DataFrame(
            {
                "analysis": fit.model.id,
                "wave": waves[estimates.wave[a]],
                "unit_a": units[frame.rater_of_relation[estimates.relation[a]]],
                "unit_b": units[frame.target_of_relation[estimates.relation[a]]],
                "dimension": name,
            }
        )
        table = Estimate(
            question="How much better does a rate the collaboration with b than b rates it with a?",
            unit="points of the response scale",
            assumptions="the two scores as defined for relations",
            draws=by_chain(gap, fit.n_chains),
            labels=labels,
        ).table(ci_prob=ci_prob)
        table["delta"] = delta
        table["prob_gap_above_delta"] = (np.abs(gap) > delta).mean(axis=0)
        for column, values in zip(("mean", "lower", "upper"), interval(adjusted, ci_prob=ci_prob)):
            table[f"{column}_unit_adjusted"] = values
        sides = []
        for x in (a, b):
            relation = estimates.relation[x]
            keys = zip(
                estimates.wave[x],
                frame.rater_of_relation[relation],
                frame.target_of_relation[relation],
                [name] * len(x),
            )
            sides.append(naive.reindex(pd.MultiIndex.from_tuples(keys)))
        table["naive_gap"] = sides[0]["naive_mean"].to_numpy() - sides[1]["naive_mean"].to_numpy()
        for end, side in zip("ab", sides):
            for count in ("n_respondents", "n_ratings"):
                table[f"{count}_{end}"] = side[count].fillna(0).astype(int).to_numpy()
        parts.append(table.assign(suppressed=False))
    return pd.concat(parts, ignore_index=True)[COLUMNS]
